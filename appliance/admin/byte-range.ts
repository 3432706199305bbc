/** The `Range` header of RFC 9110, 14: one range of bytes. Pure. */

/** `begin` inside, `end` outside. */
export type ByteRange = { readonly begin: number; readonly end: number };

/**
 * What part of a body of `byteLength` is asked for.
 *
 * @returns the part; 'all' without a header, or with one that may be ignored (other units, several ranges, no syntax);
 *          'unsatisfiable' when nothing of it exists
 */
export function byteRangeOf(header: string | undefined, byteLength: number): ByteRange | 'all' | 'unsatisfiable' {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(header?.trim() ?? '');
  const [, first = '', last = ''] = match ?? [];
  if (match === null || (first === '' && last === '')) return 'all';
  if (first === '') {
    const suffix = Math.min(Number(last), byteLength);
    return suffix === 0 ? 'unsatisfiable' : { begin: byteLength - suffix, end: byteLength };
  }
  const begin = Number(first);
  const end = last === '' ? byteLength : Math.min(Number(last) + 1, byteLength);
  if (last !== '' && Number(last) < begin) return 'all';
  return begin >= byteLength ? 'unsatisfiable' : { begin, end };
}
