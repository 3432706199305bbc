/**
 * The newest fragments of one stream as parts, and those of the fragment that is open: one lane, whatever the number of viewers.
 *
 *   lane unit -> RunParts -> open parts          commit -> RunParts.committed, or else the cluster -> parts of a segment
 *
 * Each part has an index that counts on over all fragments, so that the next one's name is known before it is there. What goes
 * wrong with the lane costs low latency, never a segment: these are made from what is committed.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { isAppError } from '../../../storage/base/errors.ts';
import { Lifetime } from '../../../storage/base/lifecycle.ts';
import type { Log } from '../../../storage/base/log.ts';
import { Backoff } from '../../../storage/base/retry.ts';
import type { LaneClient, LaneEvent } from '../../../storage/lane/index.ts';
import type { FragmentNumber } from '../../../storage/model/fragment-number.ts';
import { limits } from '../../../storage/model/limits.ts';
import { isImported } from '../../../storage/model/run.ts';
import { isContinued } from '../continuity.ts';
import type { FragmentSource, PlayableFragment } from '../fragment-source.ts';
import { paceOf, partsOfCluster } from './fragment-cutter.ts';
import type { PartPace } from './fragment-parts.ts';
import { type IndexedParts, KeptParts } from './kept-parts.ts';
import { readOpenCluster } from './open-cluster.ts';
import type { Part, PartKind } from './part.ts';
import { type PartLists, RunParts } from './run-parts.ts';

export type StreamPartsDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly source: FragmentSource;
  readonly lane: Pick<LaneClient, 'subscribe'>;
  /** False when the parts of all streams take too much memory already. */
  readonly hasRoom: () => boolean;
};

/** What there is now. A snapshot: it does not change. */
export type PartsView = {
  /** The newest committed fragment: the open one follows it. */
  readonly newest: FragmentNumber;
  readonly targetMs: number;
  readonly closed: ReadonlyMap<FragmentNumber, IndexedParts>;
  readonly open: IndexedParts;
};

/** After so many fragments without a lane players had better be those of plain segments. */
const lanelessMax = 3;
/** The recorder begins a fragment as soon as all tracks have passed the cut. */
const rejoinDelayMs = 100;
const rejoinDelayMsMax = 2_000;
const noParts: PartLists = { video: [], audio: [] };

export class StreamParts {
  /** Part of every name, so that no two parts ever share one. */
  readonly tag: string;
  readonly #deps: StreamPartsDeps;
  readonly #streamId: string;
  readonly #lifetime = new Lifetime();
  readonly #waiting = new Set<() => void>();
  readonly #kept = new KeptParts();
  #newest: PlayableFragment | undefined;
  #pace: PartPace | undefined;
  #run: RunParts | undefined;
  #laneless = 0;
  #isCatchingUp = false;
  #isNewsPending = false;
  #rejoin: AbortController | undefined;
  /** The lane told at least once where it begins. */
  #isJoined = false;
  /** Units do not continue the open fragment any more; what was told of it stays until it is committed. */
  #isRunOver = false;

  constructor(deps: StreamPartsDeps, options: { readonly streamId: string; readonly tag: string }) {
    this.#deps = deps;
    this.#streamId = options.streamId;
    this.tag = options.tag;
  }

  start(): void {
    this.#lifetime.defer(this.#deps.source.onNew(this.#streamId, () => this.#onNews()));
    this.#lifetime.loop((signal) => this.#follow(signal));
    this.#onNews();
  }

  async close(): Promise<void> {
    this.#tell();
    await this.#lifetime.close();
  }

  /** True when it knows what there is to know at the beginning: the newest fragment, and the lane's answer. */
  get isStarted(): boolean {
    return this.#isJoined && this.#newest !== undefined;
  }

  get byteLength(): number {
    return this.#kept.byteLength + (this.#run?.byteLength ?? 0);
  }

  /** Undefined while there are no parts that a player would be glad of: segments are what it gets then. */
  view(): PartsView | undefined {
    const newest = this.#newest;
    const pace = this.#pace;
    if (newest === undefined || pace === undefined || this.#laneless >= lanelessMax) return undefined;
    return {
      newest: newest.fragment.number,
      targetMs: pace.targetUs / 1000,
      closed: this.#kept.closed,
      open: this.#kept.indexed(this.#isNext(newest) ? (this.#run?.open ?? noParts) : noParts),
    };
  }

  /** The part of that index; 'next' for the one that comes next, undefined for those that are gone or far away. */
  part(kind: PartKind, index: number): Part | 'next' | undefined {
    return this.#kept.find(kind, index, this.#run?.open ?? noParts);
  }

  /** Resolves when something changed, the time is over, or the signal aborts. */
  changed(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true || this.#lifetime.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        this.#waiting.delete(done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const cancel = this.#deps.clock.after(timeoutMs, done);
      this.#waiting.add(done);
      signal?.addEventListener('abort', done, { once: true });
    });
  }

  /** The open fragment continues that one: it is not the one after, and nothing is missing in between. */
  #isNext({ fragment, segment }: PlayableFragment): boolean {
    const mediaTimeMs = this.#run?.openMediaMs;
    if (mediaTimeMs === undefined || this.#run?.runId !== segment.runId || mediaTimeMs <= fragment.mediaTimeMs)
      return false;
    return isContinued(fragment, mediaTimeMs);
  }

  /** Fragments were committed: takes them up one after the other, and once more when others come meanwhile. */
  #onNews(): void {
    this.#isNewsPending = true;
    if (this.#isCatchingUp || this.#lifetime.signal.aborted) return;
    this.#isCatchingUp = true;
    void this.#catchUp().finally(() => {
      this.#isCatchingUp = false;
    });
  }

  async #catchUp(): Promise<void> {
    while (this.#isNewsPending && !this.#lifetime.signal.aborted) {
      this.#isNewsPending = false;
      try {
        for (const reference of await this.#news()) await this.#committed(reference);
      } catch (error) {
        if (!isAppError(error)) throw error;
        this.#deps.log.counted('fragments not listed for low-latency players', 1, { streamId: this.#streamId, error });
      }
      this.#tell();
    }
  }

  async #news(): Promise<readonly PlayableFragment[]> {
    const { source } = this.#deps;
    const newest = await source.latest(this.#streamId);
    const known = this.#newest?.fragment;
    if (newest === undefined || (known !== undefined && newest.fragment.number <= known.number)) return [];
    if (known === undefined) return [newest];
    const range = { beginMs: known.serverTimestampMs, endMs: newest.fragment.serverTimestampMs + 1 };
    const found = await source.fragmentsBetween(this.#streamId, range);
    const after = found.filter(({ fragment, segment }) => fragment.number > known.number && !isImported(segment));
    return after.slice(-limits.hlsPartFragments);
  }

  async #committed(reference: PlayableFragment): Promise<void> {
    const { fragment, segment } = reference;
    if (this.#newest?.segment.runId !== segment.runId) this.#pace = paceOf(reference);
    const run = this.#run;
    const isOfRun = run?.runId === segment.runId;
    const isBefore = isOfRun && (run.openMediaMs ?? Number.POSITIVE_INFINITY) > fragment.mediaTimeMs;
    const told = isOfRun && !isBefore ? this.#told(run, reference) : undefined;
    if (told !== undefined) {
      this.#kept.close(fragment, told, this.#deps.hasRoom);
      if (this.#isRunOver) this.#leave();
    } else {
      const parts = await this.#cut(reference);
      if (run === this.#run && !isBefore) this.#leave();
      this.#kept.close(fragment, parts, this.#deps.hasRoom);
    }
    this.#laneless = this.#run === undefined ? this.#laneless + 1 : 0;
    this.#newest = reference;
    // The lane knows where the run's time lies in the session's: it tells when it is joined.
    if (this.#run === undefined) this.#rejoin?.abort();
  }

  /** Parts that were told while the fragment was open, and its last ones; undefined when they are not those of its segment. */
  #told(run: RunParts, reference: PlayableFragment): PartLists | undefined {
    try {
      return run.committed(reference);
    } catch (error) {
      if (!isAppError(error)) throw error;
      this.#deps.log.counted('units not playable for low-latency players', 1, { streamId: this.#streamId, error });
      return undefined;
    }
  }

  /** Parts of a fragment that nobody heard arrive; none of one that cannot be read. */
  async #cut(reference: PlayableFragment): Promise<PartLists> {
    const pace = this.#pace;
    if (pace === undefined) return noParts;
    try {
      const cluster = await this.#deps.source.clusterBytes(reference);
      return partsOfCluster(reference, cluster, { ...pace }) ?? noParts;
    } catch (error) {
      if (!isAppError(error)) throw error;
      this.#deps.log.counted('fragments not readable for low-latency players', 1, { streamId: this.#streamId, error });
      return noParts;
    }
  }

  /** The run's open parts are given up: names that were told for them are not used for others. */
  #leave(): void {
    this.#kept.giveUp(this.#run?.open ?? noParts);
    this.#run = undefined;
    this.#isRunOver = false;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({ firstDelayMs: rejoinDelayMs, delayMsMax: rejoinDelayMsMax });
    while (!signal.aborted) {
      const rejoin = new AbortController();
      this.#rejoin = rejoin;
      let cancel = () => {};
      const events = this.#deps.lane.subscribe(this.#streamId, {
        onOverflow: 'drop-to-key-frame',
        bytesMax: limits.laneBytesMax,
        signal: AbortSignal.any([signal, rejoin.signal]),
      });
      try {
        for await (const event of events) {
          await this.#onEvent(event);
          if (event.kind !== 'joined') continue;
          if (this.#run !== undefined) backoff.reset();
          // Between two fragments: where the run's time lies is told when the next one is open.
          else if (event.tracks.length > 0 && event.from === undefined) {
            cancel();
            cancel = this.#deps.clock.after(backoff.nextDelayMs(), () => rejoin.abort());
          }
        }
      } catch (error) {
        // Whatever it is: players have the segments.
        if (isAppError(error))
          this.#deps.log.counted('lane of low-latency players broke', 1, { streamId: this.#streamId, error });
        else this.#deps.log.error('low-latency parts failed', { streamId: this.#streamId, error });
      }
      cancel();
      this.#leave();
      // Closed by its owner: it is asked again when the next fragment is committed.
      if (!rejoin.signal.aborted && !signal.aborted) await aborted(AbortSignal.any([signal, rejoin.signal]));
    }
  }

  async #onEvent(event: LaneEvent): Promise<void> {
    switch (event.kind) {
      case 'joined':
        this.#leave();
        if (event.from !== undefined) await this.#joinedIn(event.from);
        this.#isJoined = true;
        break;
      case 'unit':
        if (this.#run === undefined || this.#isRunOver || !this.#run.unit(event.unit)) return;
        if (this.#run.byteLength > 2 * limits.fragmentCutBytes || !this.#deps.hasRoom()) {
          this.#deps.log.counted('low-latency parts given up: too many bytes', 1, { streamId: this.#streamId });
          this.#leave();
        }
        break;
      case 'session':
      case 'ended':
      case 'dropped':
        this.#isRunOver = true;
        break;
    }
    this.#tell();
  }

  async #joinedIn(from: NonNullable<Extract<LaneEvent, { kind: 'joined' }>['from']>): Promise<void> {
    const newest = this.#newest ?? (await this.#deps.source.latest(this.#streamId));
    // Of a run without any fragment only the recorder knows the tracks: its first one is played as a segment.
    if (newest?.segment.runId !== from.runId) return;
    const pace = this.#pace ?? paceOf(newest);
    const cluster = await readOpenCluster(from);
    if (pace === undefined || cluster === undefined) return;
    const run = new RunParts(newest.segment, { sessionOffsetUs: from.sessionOffsetUs, pace });
    try {
      run.cluster(cluster);
    } catch (error) {
      if (!isAppError(error)) throw error;
      this.#deps.log.counted('open fragment not readable for low-latency players', 1, {
        ...{ streamId: this.#streamId, error },
      });
      return;
    }
    this.#run = run;
    this.#laneless = 0;
    this.#pace = pace;
  }

  #tell(): void {
    for (const done of [...this.#waiting]) done();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
