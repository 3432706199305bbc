/** Takes one track's samples out of a stored cluster, and makes sound continuous. Pure; bytes are views into the cluster. */

import { audioFrameDurationUs, type Fmp4Sample, readCluster } from '../../storage/media/index.ts';
import type { Fragment } from '../../storage/model/fragment.ts';
import { limits } from '../../storage/model/limits.ts';
import type { Track } from '../../storage/model/track.ts';
import type { PlayableFragment } from './fragment-source.ts';
import { silentFrame } from './silence.ts';

/** An interval of a run's media time, microseconds. */
export type MediaSpanUs = { readonly beginUs: number; readonly endUs: number };

/** Sound is off by less than this in any stream: times are rounded to milliseconds, packets wait for each other. */
const soundToleranceUs = 40_000;
/**
 * The first frames of a fragment that say when its sound begins: a dozen of them, so that rounding evens out, and no more, so that
 * it is known while the fragment is still open (low-latency parts) and is the same when it is whole.
 */
export const soundAnchorUs = 250_000;

/** All samples of a cluster by track number, in decode order, on the run's media time. @throws AppError data_loss */
export function clusterSamples(
  cluster: Uint8Array,
  { tracks, timecodeScaleNs }: Pick<PlayableFragment['segment'], 'tracks' | 'timecodeScaleNs'>,
): Map<number, Fmp4Sample[]> {
  const { timecode, blocks } = readCluster(cluster);
  const byTrack = new Map(tracks.map((track) => [track.number, { track, samples: [] as Fmp4Sample[] }]));
  for (const { trackNumber, relative, isKey, laceIndex, begin, end } of blocks) {
    const entry = byTrack.get(trackNumber);
    if (entry === undefined) continue;
    const bytes = cluster.subarray(begin, end);
    const timeUs = ((timecode + relative) * timecodeScaleNs) / 1000;
    // Frames of one lace share its time; only audio is laced.
    const laceUs = laceIndex === 0 ? 0 : laceIndex * audioFrameDurationUs(entry.track, bytes);
    entry.samples.push({ presentationTimeUs: timeUs + laceUs, isKey: isKey || entry.track.kind === 'audio', bytes });
  }
  return new Map([...byTrack].map(([number, { samples }]) => [number, samples]));
}

/** The media time that a fragment's table row gives to it. */
export function fragmentSpanUs(fragment: Pick<Fragment, 'mediaTimeMs' | 'durationMs'>): MediaSpanUs {
  const beginUs = fragment.mediaTimeMs * 1000;
  const durationMs = Math.min(Math.max(0, fragment.durationMs), 2 * limits.fragmentDurationMsMax);
  return { beginUs, endUs: beginUs + durationMs * 1000 };
}

/**
 * Sound without holes: frames follow each other by their codec durations, what is missing in between, before or after is
 * silence, and frames that come twice are left out. Stored times are rounded to milliseconds; the time of the first frame is
 * the mean of what the frames at the beginning say, so that one fragment's sound joins the next one's without a click. Further
 * samples only add to the result: that of a fragment's first samples is the beginning of that of all of them.
 */
export function continuousSound(track: Track, samples: readonly Fmp4Sample[], span: MediaSpanUs): Fmp4Sample[] {
  if (samples.length === 0) return silence(track, span);
  const silent = silentFrame(track);
  const silentUs = silent === undefined ? Number.POSITIVE_INFINITY : framesUs(track, silent.samples);
  const placed: { bytes: Uint8Array; atUs: number }[] = [];
  const originUs = samples[0]?.presentationTimeUs ?? 0;
  let nextUs = 0;
  let errorUs = 0;
  let counted = 0;
  for (const { presentationTimeUs, bytes } of samples) {
    const lateUs = presentationTimeUs - originUs - nextUs;
    const durationUs = audioFrameDurationUs(track, bytes);
    if (lateUs < -Math.max(durationUs, soundToleranceUs)) continue;
    if (lateUs > Math.max(silentUs, soundToleranceUs) && lateUs < limits.fragmentDurationMsMax * 1000) {
      for (let count = Math.round(lateUs / silentUs); count > 0 && silent !== undefined; count--) {
        placed.push({ bytes: silent.bytes, atUs: nextUs });
        nextUs += silentUs;
      }
    }
    placed.push({ bytes, atUs: nextUs });
    if (nextUs < soundAnchorUs) {
      errorUs += presentationTimeUs - originUs - nextUs;
      counted++;
    }
    nextUs += durationUs;
  }
  const beginUs = originUs + errorUs / Math.max(1, counted);
  const sound = placed.map(({ bytes, atUs }) => sampleAt(beginUs + atUs, bytes));
  if (silent === undefined) return sound;
  const endUs = beginUs + nextUs;
  const before = Math.max(0, Math.floor((beginUs - span.beginUs - soundToleranceUs) / silentUs));
  const after = Math.max(0, Math.floor((span.endUs - endUs - soundToleranceUs) / silentUs));
  return [
    ...repeated(before, (at) => sampleAt(beginUs - (before - at) * silentUs, silent.bytes)),
    ...sound,
    ...repeated(after, (at) => sampleAt(endUs + at * silentUs, silent.bytes)),
  ];
}

/** Silent frames on a grid from media time 0, so that those of one fragment continue those of the fragment before. */
export function silence(track: Track, span: MediaSpanUs): Fmp4Sample[] {
  const silent = silentFrame(track);
  if (silent === undefined) return [];
  const frameUs = framesUs(track, silent.samples);
  const first = Math.ceil(span.beginUs / frameUs);
  const end = Math.max(first + 1, Math.ceil(span.endUs / frameUs));
  return repeated(end - first, (at) => sampleAt((first + at) * frameUs, silent.bytes));
}

function framesUs(track: Track, samples: number): number {
  return (samples * 1_000_000) / (track.audio?.samplingFrequencyHz ?? 48_000);
}

function sampleAt(presentationTimeUs: number, bytes: Uint8Array): Fmp4Sample {
  return { presentationTimeUs, isKey: true, bytes };
}

function repeated<T>(count: number, make: (at: number) => T): T[] {
  return Array.from({ length: count }, (_, at) => make(at));
}

/**
 * Stored frames as they are, one after the other from the time that most of them agree on: for clips, where the number of
 * frames was promised before they were read. The median, so that a hole shifts nothing that lies before it.
 */
export function contiguousSound(track: Track, samples: readonly Fmp4Sample[]): Fmp4Sample[] {
  let nextUs = 0;
  const placed = samples.map(({ presentationTimeUs, bytes }) => {
    const atUs = nextUs;
    nextUs += audioFrameDurationUs(track, bytes);
    return { bytes, atUs, originUs: presentationTimeUs - atUs };
  });
  const origins = placed.map(({ originUs }) => originUs).toSorted((a, b) => a - b);
  const low = origins[Math.floor((origins.length - 1) / 2)] ?? 0;
  const high = origins[Math.ceil((origins.length - 1) / 2)] ?? 0;
  const beginUs = (low + high) / 2;
  return placed.map(({ bytes, atUs }) => sampleAt(beginUs + atUs, bytes));
}
