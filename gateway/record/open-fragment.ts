/** The fragment that is being written: what its commit record will say. Pure bookkeeping. */

import type { AccessUnit } from '../../storage/model/access-unit.ts';
import type { FragmentTrack } from '../../storage/model/fragment.ts';
import { limits } from '../../storage/model/limits.ts';
import type { FragmentEnd, MediaLoss } from './fragment-sink.ts';
import type { Hole } from './holes.ts';

type TrackFacts = { samples: number; payloadBytes: number; beginMs: number; latestMs: number };

/** Where a track goes on after this fragment, milliseconds of the run, and how far its units usually are apart. */
export type TrackOutlook = { readonly nextMs: number | undefined; readonly intervalMs: number };

export class OpenFragment {
  /** Time of its first unit: of the session in microseconds, of the run in milliseconds. */
  readonly beginUs: number;
  readonly beginMs: number;
  readonly isKey: boolean;
  readonly #leadTrack: number;
  readonly #tracks = new Map<number, TrackFacts>();
  #losses: MediaLoss[] = [];
  #bytes = 0;
  #latestMs = Number.NEGATIVE_INFINITY;
  #leadLatestMs = Number.NEGATIVE_INFINITY;
  #hasLoss = false;

  constructor(options: {
    readonly beginUs: number;
    readonly beginMs: number;
    readonly isKey: boolean;
    readonly leadTrack: number;
  }) {
    this.beginUs = options.beginUs;
    this.beginMs = options.beginMs;
    this.isKey = options.isKey;
    this.#leadTrack = options.leadTrack;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  /** Latest presentation time of any unit, and of the lead track's. */
  get latestMs(): number {
    return this.#latestMs;
  }

  get leadLatestMs(): number {
    return this.#leadLatestMs;
  }

  /** Tracks that have a unit in it. */
  get trackNumbers(): ReadonlySet<number> {
    return new Set(this.#tracks.keys());
  }

  add(unit: AccessUnit, mediaMs: number): void {
    const facts = this.#tracks.get(unit.trackNumber);
    if (facts === undefined) {
      const payloadBytes = unit.bytes.length;
      this.#tracks.set(unit.trackNumber, { samples: 1, payloadBytes, beginMs: mediaMs, latestMs: mediaMs });
    } else {
      facts.samples++;
      facts.payloadBytes += unit.bytes.length;
      facts.beginMs = Math.min(facts.beginMs, mediaMs);
      facts.latestMs = Math.max(facts.latestMs, mediaMs);
    }
    this.#bytes += unit.bytes.length;
    this.#latestMs = Math.max(this.#latestMs, mediaMs);
    if (unit.trackNumber === this.#leadTrack) this.#leadLatestMs = Math.max(this.#leadLatestMs, mediaMs);
    if (unit.isAfterLoss) this.#hasLoss = true;
  }

  /** Remembers a span in which media is missing; those of one reason that touch become one, and all of them when they are many. */
  addLoss(loss: MediaLoss): void {
    this.#hasLoss = true;
    const isCrowded = this.#losses.length >= limits.fragmentLossesMax;
    const isSame = (each: MediaLoss) => each.reason === loss.reason && (isCrowded || isTouching(each, loss));
    const same = this.#losses.filter(isSame);
    const beginMs = Math.min(loss.beginMs, ...same.map((each) => each.beginMs));
    const endMs = Math.max(loss.endMs, ...same.map((each) => each.endMs));
    this.#losses = [...this.#losses.filter((each) => !isSame(each)), { beginMs, endMs, reason: loss.reason }];
  }

  /** Remembers a hole of the track that leads, with the source's own word for it where there is one. */
  addHole({ afterMs, beginMs, endMs }: Hole): void {
    const isTold = this.#losses.some(
      (loss) => loss.reason === 'packet-loss' && isTouching(loss, { beginMs: afterMs + 1, endMs }),
    );
    this.addLoss({ beginMs, endMs, reason: isTold ? 'packet-loss' : 'source-silent' });
  }

  /**
   * @param nextMs   where the next fragment of the run begins, or undefined at the run's end
   * @param outlook  of a track: where it goes on, if that is known already
   */
  end(nextMs: number | undefined, outlook: (trackNumber: number) => TrackOutlook): FragmentEnd {
    const tracks = [...this.#tracks]
      .sort(([a], [b]) => a - b)
      .map(([trackNumber, facts]) => toFragmentTrack(trackNumber, facts, outlook(trackNumber)));
    const ownEndMs = Math.max(...tracks.map((track) => track.endMediaMs));
    // Units beyond the next beginning exist only where another run begins there.
    const endMs = nextMs !== undefined && nextMs > this.#latestMs ? nextMs : ownEndMs;
    return {
      // Estimated ends may lie beyond what KVS takes; the units themselves never do.
      durationMs: Math.min(endMs - this.beginMs, limits.fragmentDurationMsMax),
      isKey: this.isKey,
      hasLoss: this.#hasLoss,
      tracks,
      losses: this.#losses,
    };
  }
}

type MediaSpan = { readonly beginMs: number; readonly endMs: number };

function isTouching(a: MediaSpan, b: MediaSpan): boolean {
  return a.beginMs <= b.endMs && b.beginMs <= a.endMs;
}

function toFragmentTrack(trackNumber: number, facts: TrackFacts, outlook: TrackOutlook): FragmentTrack {
  const { samples, payloadBytes, beginMs, latestMs } = facts;
  const measuredMs = samples > 1 ? (latestMs - beginMs) / (samples - 1) : outlook.intervalMs;
  const estimateMs = latestMs + Math.max(1, Math.round(measuredMs));
  const isNextPlausible = outlook.nextMs !== undefined && outlook.nextMs > latestMs;
  const endMediaMs = isNextPlausible ? (outlook.nextMs ?? estimateMs) : estimateMs;
  return { trackNumber, samples, payloadBytes, beginMediaMs: beginMs, endMediaMs };
}
