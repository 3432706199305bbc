/**
 * Where a list goes on: NextToken alone is sent for the second page, so it carries selector and page size. It opens nothing that its
 * bearer could not ask for; a checksum tells damage from a list of nothing.
 */

import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { type FragmentNumber, parseFragmentNumber } from '../../../storage/model/fragment-number.ts';
import { awsError } from '../errors.ts';
import { mediaLimits } from './limits.ts';
import type { FragmentSelector } from './selectors.ts';
import type { TimePlace } from './source.ts';

export type ListPlace = {
  readonly streamId: string;
  readonly selector: FragmentSelector;
  readonly itemsMax: number;
  /** The last fragment that was told. */
  readonly after: TimePlace;
};

const checksumBytes = 4;
const time = z.number().min(-8.64e15).max(8.64e15);
const shape = z.object({
  streamId: z.string(),
  selector: z.object({ axis: z.enum(['server', 'producer']), firstMs: time, lastMs: time }),
  itemsMax: z.int().min(1).max(mediaLimits.listMax),
  after: z.object({ atMs: time, number: z.string().transform((text): FragmentNumber => parseFragmentNumber(text)) }),
});

export function writeListToken(place: ListPlace): string {
  const body = Buffer.from(JSON.stringify(place));
  return Buffer.concat([checksumOf(body), body]).toString('base64');
}

/** @throws AppError InvalidArgumentException  damaged, or of another stream */
export function readListToken(token: string, streamId: string): ListPlace {
  const bytes = Buffer.from(token, 'base64');
  const body = bytes.subarray(checksumBytes);
  if (!bytes.subarray(0, checksumBytes).equals(checksumOf(body))) throw invalid();
  const place = shape.safeParse(jsonOf(body));
  if (!place.success || place.data.streamId !== streamId) throw invalid();
  return place.data;
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw invalid();
  }
}

function checksumOf(body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(checksumBytes);
  bytes.writeUInt32BE(crc32(body));
  return bytes;
}

function invalid() {
  return awsError('InvalidArgumentException', 'NextToken is invalid');
}
