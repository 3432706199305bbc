/** What a stream's parts are cut by, and parts of a fragment that is whole: nobody heard it arrive. Pure. */

import type { Fmp4Sample } from '../../../storage/media/index.ts';
import { limits } from '../../../storage/model/limits.ts';
import type { PlayableFragment } from '../fragment-source.ts';
import { clusterSamples } from '../media-samples.ts';
import { chooseTracks } from '../playable-tracks.ts';
import { FragmentParts, type PartPace } from './fragment-parts.ts';
import type { PartLists } from './run-parts.ts';

/** Parts have whole pictures, and cameras do not send them like clocks. */
const room = 1.1;
/** Above it a stream is a slide show: it has no parts that would be worth it. */
const pictureMsMax = 2_000;

/** How long parts of a stream like this fragment are; undefined when there can be none. */
export function paceOf({ fragment, segment }: PlayableFragment): PartPace | undefined {
  const { video, audio } = chooseTracks(segment.tracks);
  // The recorder cuts by the first video there is: where that is another one, or cannot be played, fragments end elsewhere.
  if (segment.tracks.find(({ kind }) => kind === 'video')?.number !== video?.number) return undefined;
  const lead = video ?? audio;
  const entry = fragment.tracks.find(({ trackNumber }) => trackNumber === lead?.number);
  if (entry === undefined || entry.samples === 0) return undefined;
  const sampleMs = Math.max(1, (entry.endMediaMs - entry.beginMediaMs) / entry.samples);
  if (sampleMs > pictureMsMax) return undefined;
  const count = Math.max(1, Math.round(limits.hlsPartMs / sampleMs));
  return { targetUs: Math.ceil(count * sampleMs * room) * 1000, reorderedMax: 0 };
}

/** @throws AppError data_loss  the cluster is damaged */
export function partsOfCluster(
  reference: PlayableFragment,
  cluster: Uint8Array,
  pace: PartPace,
): PartLists | undefined {
  const tracks = chooseTracks(reference.segment.tracks);
  const parts = new FragmentParts(reference.segment, tracks, pace);
  const byTrack = clusterSamples(cluster, reference.segment);
  const samplesOf = (number: number | undefined): readonly Fmp4Sample[] =>
    number === undefined ? [] : (byTrack.get(number) ?? []);
  for (const sample of samplesOf(tracks.video?.number)) parts.add('video', sample);
  for (const sample of samplesOf(tracks.audio?.number)) parts.add('audio', sample);
  return parts.finish(reference.fragment) ? parts : undefined;
}
