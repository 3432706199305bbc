/**
 * Assertions are for our own mistakes and are never caught on the spot: in per-stream code the stream's owner loop restarts
 * that stream, elsewhere the supervisor restarts the role. What the world does wrong is an `AppError`.
 */

export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Throws unless the condition holds; `what` says what must hold, not what went wrong. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new AssertionError(`must hold: ${what}`);
}

/** The value, which must be there. */
export function must<T>(value: T | undefined | null, what: string): T {
  assert(value !== undefined && value !== null, what);
  return value;
}

/** Ends every `switch` over a union, so that a new member is a type error. */
export function unreachable(value: never): never {
  throw new AssertionError(`must not be reached with ${JSON.stringify(value)}`);
}
