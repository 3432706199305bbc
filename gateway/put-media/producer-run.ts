/**
 * The run of one connection in the journal: fragments get their number and server time when they begin, and lie in files of their own,
 * since a stream may have two producers for a moment. Server time is that of arrival; inside a run it follows the time that passed,
 * not a wall clock that is set.
 */

import { must } from '../../storage/base/assert.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { type AppError, appError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import {
  type ByteBudget,
  type JournalFiles,
  type NumberAllocator,
  SegmentWriter,
} from '../../storage/journal/index.ts';
import type { FragmentTags } from '../../storage/model/fragment.ts';
import type { FragmentNumber } from '../../storage/model/fragment-number.ts';
import type { Hint, OpenSegment } from '../../storage/model/hint.ts';
import type { GapReason, RunEndReason, RunReason } from '../../storage/model/run.ts';
import { type JournalPlace, type JournalPlaces, WallWatch } from '../record/index.ts';
import type { FragmentFactsEnd } from './fragment-facts.ts';
import { mediaError } from './media-errors.ts';
import type { FragmentOpening, ProducerHead } from './producer-media.ts';

export type ProducerRunDeps = {
  readonly clock: Clock;
  readonly log: Log;
  /** Of this connection. */
  readonly budget: ByteBudget;
  readonly numbers: Pick<NumberAllocator, 'next'>;
  readonly places: Pick<JournalPlaces, 'pick' | 'failed' | 'succeeded'>;
  readonly onHint: (hint: Hint) => void;
  /** The journal does not take any more. */
  readonly onFailed: (error: AppError) => void;
  /** 32 lower-case hexadecimal digits, never the same twice. */
  readonly createRunId: () => string;
  /** The file system, but in tests. */
  readonly files?: JournalFiles;
};

export type ProducerRunOptions = {
  readonly streamId: string;
  /** Nothing is kept but for live readers: nobody waits for a disk. */
  readonly isRing: boolean;
};

type Run = {
  readonly runId: string;
  readonly writer: SegmentWriter;
  readonly place: JournalPlace;
  readonly beginWallMs: number;
  readonly beginMonotonicMs: number;
};

const runReason: RunReason = 'producer-connected';

export class ProducerRun {
  readonly #deps: ProducerRunDeps;
  readonly #options: ProducerRunOptions;
  readonly #wallWatch = new WallWatch();
  readonly #writers = new Set<SegmentWriter>();
  readonly #ending = new Set<Promise<void>>();
  #head: ProducerHead | undefined;
  #run: Run | undefined;
  /** Of the run. */
  #lastServerMs = Number.NEGATIVE_INFINITY;

  constructor(deps: ProducerRunDeps, options: ProducerRunOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  get runId(): string | undefined {
    return this.#run?.runId;
  }

  get openSegments(): readonly OpenSegment[] {
    return [...this.#writers].flatMap((writer) => writer.snapshot());
  }

  /** Where a lane that joins now finds the fragment being written. */
  get openFragment() {
    return this.#run?.writer.openFragment();
  }

  describe(head: ProducerHead): void {
    this.#head = head;
  }

  /** @throws AppError  no number is reserved, or no place takes writes */
  begin({ mediaTimeMs, producerTimestampMs }: FragmentOpening): {
    readonly runId: string;
    readonly number: FragmentNumber;
    readonly serverTimestampMs: number;
  } {
    const { clock, numbers } = this.#deps;
    const run = this.#goodRun(mediaTimeMs);
    const passedMs = clock.monotonicMs() - run.beginMonotonicMs;
    const serverTimestampMs = Math.max(this.#lastServerMs, Math.round(run.beginWallMs + passedMs));
    const { number, counter } = numbers.next(serverTimestampMs);
    this.#lastServerMs = serverTimestampMs;
    run.writer.begin({ number, counter, serverTimestampMs, producerTimestampMs, mediaTimeMs });
    return { runId: run.runId, number, serverTimestampMs };
  }

  write(bytes: Uint8Array): void {
    must(this.#run, 'a fragment was begun').writer.write(bytes);
  }

  commit({ durationMs, isKey, tracks, tags }: FragmentFactsEnd & { readonly tags: FragmentTags }): void {
    must(this.#run, 'a fragment was begun').writer.commit({ durationMs, isKey, hasLoss: false, tracks, tags });
  }

  /** Nothing of the open fragment remains. */
  abort(): void {
    this.#run?.writer.abort();
  }

  /** The disk did not answer in time: others are not to wait for it. */
  giveUp(error: AppError, reason: GapReason): void {
    if (this.#run !== undefined) this.#deps.places.failed(this.#run.place, reason, error);
  }

  /** Lets files finish behind. */
  end(reason: RunEndReason): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    const ending = run.writer.end(reason).finally(() => {
      this.#ending.delete(ending);
      this.#writers.delete(run.writer);
    });
    this.#ending.add(ending);
    this.#deps.log.info('run ended', { runId: run.runId, reason });
  }

  /** Resolves when all files of ended runs are finished, or given up. */
  async ended(): Promise<void> {
    while (this.#ending.size > 0) await Promise.all(this.#ending);
  }

  #goodRun(mediaTimeMs: number): Run {
    const { clock, log } = this.#deps;
    if (this.#run !== undefined && this.#wallWatch.hasStepped(clock.wallMs(), clock.monotonicMs())) {
      log.warn('wall clock was set, another run begins');
      this.end('clock-step');
    }
    this.#run ??= this.#beginRun(mediaTimeMs);
    return this.#run;
  }

  #beginRun(mediaTimeMs: number): Run {
    const { clock, log, budget, places, createRunId, onHint, onFailed, files } = this.#deps;
    const { streamId, isRing } = this.#options;
    const { tracks, timecodeScaleNs, bytes } = must(this.#head, 'a head comes before the first cluster');
    const place = places.pick();
    if (place === undefined) throw mediaError('not-persisted', 'no journal directory takes writes');
    const runId = createRunId();
    const [beginWallMs, beginMonotonicMs] = [clock.wallMs(), clock.monotonicMs()];
    this.#wallWatch.reset(beginWallMs, beginMonotonicMs);
    this.#lastServerMs = Number.NEGATIVE_INFINITY;
    const writer = new SegmentWriter(
      {
        ...{
          clock,
          log: log.child({ runId }),
          budget,
          durability: place.durability,
          ...(files === undefined ? {} : { files }),
        },
        onHint: (hint) => {
          if (hint.kind === 'committed') places.succeeded(place);
          onHint(hint);
        },
        onFailed: (error, reason) => {
          // A mistake of ours over a producer's bytes says nothing of the disk, which cameras need too.
          if (error.code !== 'internal') places.failed(place, reason, error);
          onFailed(error);
        },
      },
      {
        ...{ streamId, runId, runReason, tracks, timecodeScaleNs, producerHead: bytes, segmentOffsetMs: 0 },
        openDirectory: place.openDirectory,
        finishedDirectory: place.finishedDirectory,
        isPlaceExpected: place.isPlaceExpected,
        // Media time is the producer's timecode: far from 0 where that is a time of day.
        runStartServerMs: beginWallMs - mediaTimeMs,
        durability: isRing ? 'shared' : 'each-fragment',
      },
    );
    this.#writers.add(writer);
    // Not waited for: the writer's queue does, and tells a failure by `onFailed`.
    writer.start().catch(() => {});
    log.info('run began', { runId, reason: runReason, tracks: tracks.map((track) => track.codecId) });
    return { runId, writer, place, beginWallMs, beginMonotonicMs };
  }
}

/** Nothing takes writes, as its sender is told. */
export function notPersisted(cause: AppError): AppError {
  return appError('unavailable', 'the journal does not take it', { cause, mediaError: 'not-persisted' });
}
