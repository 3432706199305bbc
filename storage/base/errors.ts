/**
 * The one error type for everything the world does to us: refused logins, full disks, garbage bytes.
 * Our own mistakes are assertions (`assert.ts`) instead. Borders translate codes: HTTP in `appliance/admin`, exit codes in `appliance/cli`.
 */

export const errorCodes = [
  'invalid_argument',
  'not_found',
  'already_exists',
  'failed_precondition',
  'resource_exhausted',
  'unauthenticated',
  'permission_denied',
  'unavailable',
  'deadline_exceeded',
  'cancelled',
  'data_loss',
  'unimplemented',
  'internal',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** Facts that find the packet or row; never credentials. `hint` is one sentence for the person who can act. */
export type ErrorContext = { readonly hint?: string; readonly cause?: unknown; readonly [fact: string]: unknown };

export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, context: ErrorContext = {}) {
    const { hint, cause, ...facts } = context;
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.hint = hint;
    this.context = facts;
  }
}

/** Makes an `AppError`: `throw appError('not_found', 'no such camera', { cameraId })`. */
export function appError(code: ErrorCode, message: string, context?: ErrorContext): AppError {
  return new AppError(code, message, context);
}

/** True for an `AppError`, of the given code if one is named. */
export function isAppError(error: unknown, code?: ErrorCode): error is AppError {
  return error instanceof AppError && (code === undefined || error.code === code);
}

/** Whatever was thrown, as an `AppError`: system call errors keep their `errno` name as the fact `errno`. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (!(error instanceof Error)) return appError('internal', String(error));
  const errno = errnoOf(error);
  return appError(errno === undefined ? 'internal' : codeOfErrno(errno), error.message, {
    cause: error,
    ...(errno === undefined ? {} : { errno }),
  });
}

/** The name of a system call error (`ENOSPC`), or undefined when the error is of another kind. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' && /^E[A-Z0-9]+$/.test(error.code) ? error.code : undefined;
}

function codeOfErrno(errno: string): ErrorCode {
  switch (errno) {
    case 'ENOENT':
      return 'not_found';
    case 'EEXIST':
      return 'already_exists';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'permission_denied';
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EMFILE':
    case 'ENFILE':
      return 'resource_exhausted';
    case 'ETIMEDOUT':
      return 'deadline_exceeded';
    default:
      return 'unavailable';
  }
}
