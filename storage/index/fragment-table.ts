/** The packed fragment table of a row: the very bytes that end the segment file, so that no second format exists. */

import { appError } from '../base/errors.ts';
import { packTable, parseTable, parseTrailer, trailerBytes } from '../journal/index.ts';
import type { Fragment } from '../model/fragment.ts';

/** The blob of a segment: its table with the trailer. */
export function packFragmentTable(segment: {
  readonly fragments: readonly Fragment[];
  readonly digest: Uint8Array;
}): Uint8Array {
  return packTable(segment);
}

/** Reads a blob. @throws AppError data_loss  it is damaged */
export function unpackFragmentTable(packed: Uint8Array): {
  readonly fragments: readonly Fragment[];
  readonly digest: Uint8Array;
} {
  const tableEnd = Math.max(0, packed.byteLength - trailerBytes);
  const trailer = parseTrailer(packed.subarray(tableEnd));
  if (trailer?.tableBytes !== tableEnd) throw appError('data_loss', 'fragment table of a row is cut off');
  return parseTable(packed.subarray(0, tableEnd), trailer.checksum);
}
