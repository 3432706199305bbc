/**
 * A request as it stood on the wire, which is what was signed. All texts are byte strings: one character a byte, as Node's
 * parser gives them, so that hashing sees the bytes that came and no other form of them.
 */

import { awsError } from '../errors.ts';
import { kvsLimits } from '../limits.ts';

export type SignedRequest = {
  /** As it came: `POST`. */
  readonly method: string;
  /** The request target as it came; absolute form is taken too. */
  readonly target: string;
  /** In the order in which they came, repeated ones repeated. Hop-by-hop headers too: some clients sign them. */
  readonly headers: readonly (readonly [name: string, value: string])[];
};

/** Node's `rawHeaders`, two by two. */
export function headerPairs(rawHeaders: readonly string[]): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) pairs.push([rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '']);
  return pairs;
}

/** Values of a header, in order; `name` is in lower case. */
export function headerValues(request: SignedRequest, name: string): string[] {
  return request.headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
}

/** Path and query of the target, both still encoded; without scheme and host where it has them. */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const local = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '');
  const mark = local.indexOf('?');
  return mark < 0 ? { path: local, query: '' } : { path: local.slice(0, mark), query: local.slice(mark + 1) };
}

/** @throws AppError InvalidArgumentException  something of it is longer than any client sends */
export function requireBounded({ method, target, headers }: SignedRequest): void {
  const bytes = headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  const isBounded =
    method.length <= 32 &&
    target.length <= kvsLimits.targetBytesMax &&
    headers.length <= kvsLimits.headersMax &&
    bytes <= kvsLimits.headerBytesMax;
  if (!isBounded) throw awsError('InvalidArgumentException', 'the request head is too long');
}
