/** The segment index of a clip (sidx, ISO/IEC 14496-12 8.16.3): players seek by it without reading fragment heads one by one. */

import { appError } from '../base/errors.ts';
import type { Track } from '../model/track.ts';
import { fmp4Timescale } from './fmp4-init.ts';
import { fullBox, u16, u32, u64 } from './mp4-boxes.ts';

/** One fragment of the clip, moof and mdat together. */
export type Fmp4IndexEntry = {
  readonly byteLength: number;
  readonly durationUs: number;
  /** It begins with a key frame. */
  readonly isKey: boolean;
};

const fixedBytes = 12 + 8 + 16 + 4;
const entryBytes = 12;
const entriesMax = 0xffff;
const fragmentBytesMax = 0x7fff_ffff;

/** Bytes of `fmp4Index` for so many fragments. */
export function fmp4IndexBytes(entryCount: number): number {
  return fixedBytes + entryBytes * entryCount;
}

/**
 * A sidx box that stands between the init segment and the first fragment.
 *
 * @param options.track    the track that times are told of: video where there is one
 * @throws AppError invalid_argument  more than 65,535 fragments, or one above 2 GB
 */
export function fmp4Index(options: {
  readonly track: Track;
  readonly beginTimeUs: number;
  readonly entries: readonly Fmp4IndexEntry[];
}): Uint8Array {
  const { track, beginTimeUs, entries } = options;
  if (entries.length > entriesMax || entries.some((entry) => entry.byteLength > fragmentBytesMax)) {
    throw appError('invalid_argument', 'clip does not fit one index', { entries: entries.length });
  }
  const timescale = fmp4Timescale(track);
  const toTicks = (timeUs: number) => Math.round((timeUs / 1_000_000) * timescale);
  // Durations are differences of rounded times, so that they don't drift over a long clip.
  let timeUs = beginTimeUs;
  const rows = entries.flatMap(({ byteLength, durationUs, isKey }) => {
    const begin = toTicks(timeUs);
    timeUs += durationUs;
    return [byteLength, toTicks(timeUs) - begin, isKey ? 0x90000000 : 0];
  });
  const times = u64(toTicks(beginTimeUs), 0);
  return fullBox('sidx', 1, 0, u32(track.number, timescale), times, u16(0, entries.length), u32(...rows));
}
