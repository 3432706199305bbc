/**
 * The open end of one run as parts: units of a lane in, parts out, and what the recorder committed says which of them were a
 * fragment. Where the recorder may cut, units wait until it has: nothing is told that would not be in the segment. Pure.
 */

import type { Fmp4Sample } from '../../../storage/media/index.ts';
import { limits } from '../../../storage/model/limits.ts';
import type { PlayableFragment, PlayableSegment } from '../fragment-source.ts';
import { clusterSamples } from '../media-samples.ts';
import { chooseTracks } from '../playable-tracks.ts';
import { FragmentParts, type FragmentTracks, type PartPace } from './fragment-parts.ts';
import type { Part, PartKind } from './part.ts';

/** What is needed of a lane's unit. */
export type RunUnit = {
  readonly trackNumber: number;
  /** Of the session. */
  readonly presentationTimeUs: number;
  readonly isKey: boolean;
  readonly bytes: Uint8Array;
};

/** Parts of both kinds, in order. */
export type PartLists = Readonly<Record<PartKind, readonly Part[]>>;

type Waiting = { readonly kind: PartKind; readonly sample: Fmp4Sample };

/** Media times are rounded: a cut may come a millisecond before the time that asks for it. */
const roundedMs = 1;

export class RunParts {
  readonly #segment: PlayableSegment;
  readonly #tracks: FragmentTracks;
  readonly #sessionOffsetUs: number;
  readonly #pace: PartPace;
  #open: FragmentParts;
  /** Units at which the open fragment may have ended, and all after them. */
  #waiting: Waiting[] = [];
  #waitingBytes = 0;

  /** @param options.sessionOffsetUs  added to the run's media time it gives the session's */
  constructor(segment: PlayableSegment, options: { readonly sessionOffsetUs: number; readonly pace: PartPace }) {
    this.#segment = segment;
    this.#tracks = chooseTracks(segment.tracks);
    this.#sessionOffsetUs = options.sessionOffsetUs;
    this.#pace = options.pace;
    this.#open = new FragmentParts(segment, this.#tracks, this.#pace);
  }

  get runId(): string {
    return this.#segment.runId;
  }

  /** Parts of the open fragment. */
  get open(): PartLists {
    return this.#open;
  }

  /** Media time at which the open fragment began, milliseconds. */
  get openMediaMs(): number | undefined {
    const { beginUs } = this.#open;
    return beginUs === undefined ? undefined : beginUs / 1000;
  }

  get byteLength(): number {
    return this.#open.byteLength + this.#waitingBytes;
  }

  /** Takes what the journal has of the open fragment. @throws AppError data_loss  it is no cluster */
  cluster(bytes: Uint8Array): void {
    for (const [trackNumber, samples] of clusterSamples(bytes, this.#segment)) {
      const kind = this.#kindOf(trackNumber);
      if (kind !== undefined) for (const sample of samples) this.#open.add(kind, sample);
    }
    this.#open.grow();
  }

  /** @param unit  its bytes stay as they are; a view @returns  true when there are new parts */
  unit(unit: RunUnit): boolean {
    const kind = this.#kindOf(unit.trackNumber);
    if (kind === undefined) return false;
    // As the recorder rounds, so that times are those of the segment.
    const mediaMs = Math.round((unit.presentationTimeUs - this.#sessionOffsetUs) / 1000) + 0;
    return this.#add({
      kind,
      sample: { presentationTimeUs: mediaMs * 1000, isKey: unit.isKey || kind === 'audio', bytes: unit.bytes },
    });
  }

  /**
   * The recorder committed the open fragment.
   *
   * @returns its parts, or undefined when the parts told so far are not those of its segment: this run's parts are of no use any more
   */
  committed({ fragment }: PlayableFragment): PartLists | undefined {
    const closed = this.#open;
    const waiting = this.#waiting;
    const missing = { ...closed.missing(fragment) };
    const early = missing.audio < 0 ? closed.giveBackSound(-missing.audio) : [];
    const rest: Waiting[] = early.map((sample) => ({ kind: 'audio', sample }));
    for (const each of waiting) {
      if (missing[each.kind] > 0) {
        missing[each.kind]--;
        closed.add(each.kind, each.sample);
      } else rest.push(each);
    }
    if (!closed.finish(fragment)) return undefined;
    this.#open = new FragmentParts(this.#segment, this.#tracks, this.#pace);
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const each of rest) this.#add(each);
    return closed;
  }

  #kindOf(trackNumber: number): PartKind | undefined {
    if (trackNumber === this.#tracks.video?.number) return 'video';
    return trackNumber === this.#tracks.audio?.number ? 'audio' : undefined;
  }

  #add(unit: Waiting): boolean {
    if (this.#waiting.length > 0 || this.#mayEndAt(unit)) {
      this.#waiting.push(unit);
      this.#waitingBytes += unit.sample.bytes.length;
      return false;
    }
    this.#open.add(unit.kind, unit.sample);
    return this.#open.grow();
  }

  /** As the recorder decides, or sooner: the fragment may end at this unit. */
  #mayEndAt({ kind, sample }: Waiting): boolean {
    const { beginUs } = this.#open;
    const isOfLead = kind === 'video' || this.#tracks.video === undefined;
    if (beginUs === undefined || !isOfLead) return false;
    const durationMs = (sample.presentationTimeUs - beginUs) / 1000 + roundedMs;
    if (durationMs >= limits.fragmentCutMs || this.#open.byteLength >= limits.fragmentCutBytes / 2) return true;
    if (kind === 'audio') return durationMs >= limits.audioFragmentMs;
    return sample.isKey && durationMs >= limits.fragmentDurationMsMin;
  }
}
