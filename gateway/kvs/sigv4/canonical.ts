/** The canonical request of SigV4, piece by piece. Pure, total: whatever comes has a canonical form, and only the right one verifies. */

import { splitTarget } from './request.ts';

/** A parameter of the query, decoded to bytes. */
export type QueryParameter = readonly [name: string, value: string];

/**
 * The canonical paths that clients of this service sign: segments joined and encoded once more, as the standard wants it of all
 * services but S3, and the path as it came, which is what signers without that rule have. For paths of letters they are one.
 */
export function canonicalPaths(target: string): string[] {
  const { path } = splitTarget(target);
  const received = path === '' ? '/' : path;
  return [...new Set([encodeBytes(withoutDots(received), '/'), received])];
}

/** Parameters of the query in the order in which they came. `+` is a plus: signers write a blank as %20. */
export function queryParameters(target: string): QueryParameter[] {
  const { query } = splitTarget(target);
  if (query === '') return [];
  return query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const equals = part.indexOf('=');
      if (equals < 0) return [decodeBytes(part), ''] as const;
      return [decodeBytes(part.slice(0, equals)), decodeBytes(part.slice(equals + 1))] as const;
    });
}

/** Encoded anew and sorted by name, then value, both encoded. The signature itself is left out. */
export function canonicalQuery(parameters: readonly QueryParameter[]): string {
  return parameters
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [encodeBytes(name, ''), encodeBytes(value, '')] as const)
    .sort(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/** A header's values as one: trimmed, runs of blanks made one, repeated ones joined in the order in which they came. */
export function canonicalValue(values: readonly string[]): string {
  return values.map((value) => value.replace(/[ \t\r\n]+/g, ' ').replace(/^ | $/g, '')).join(',');
}

/** RFC 3986 5.2.4, and no empty segments; a slash at the end stays. */
function withoutDots(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(segment);
  }
  const isFolder = kept.length > 0 && path.endsWith('/');
  return `/${kept.join('/')}${isFolder ? '/' : ''}`;
}

/** Percent-encodes all bytes but unreserved characters and those of `kept`. */
function encodeBytes(bytes: string, kept: string): string {
  return bytes.replace(/[^A-Za-z0-9_.~-]/g, (character) =>
    kept.includes(character) ? character : `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

/** Percent signs that encode nothing stay what they are. */
function decodeBytes(text: string): string {
  return text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
