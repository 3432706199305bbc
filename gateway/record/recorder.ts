/**
 * Records one stream: sessions and units in, runs of segments out. It never waits: the fragmenter decides, `SegmentWriter`
 * copies into memory and writes behind. What goes wrong ends the run with a reason; the next one begins with the next key frame
 * as soon as a place takes writes.
 *
 *   session, unit -> Fragmenter -> number, server time -> SegmentWriter begin, writeBlock, commit -> journal
 */

import { must } from '../../storage/base/assert.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { type AppError, appError, isAppError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import type { ByteBudget, NumberAllocator } from '../../storage/journal/index.ts';
import { SegmentWriter } from '../../storage/journal/index.ts';
import type { LaneJoin } from '../../storage/lane/index.ts';
import type { AccessUnit } from '../../storage/model/access-unit.ts';
import type { Hint, OpenSegment } from '../../storage/model/hint.ts';
import { limits } from '../../storage/model/limits.ts';
import { type GapReason, type RunEndReason, runEndReasons } from '../../storage/model/run.ts';
import type { Track } from '../../storage/model/track.ts';
import type { DropReason, FragmentEnd, FragmentSink, FragmentStart, RunBegin } from './fragment-sink.ts';
import { Fragmenter } from './fragmenter.ts';
import type { JournalPlace, JournalPlaces } from './journal-places.ts';
import type { Ledger } from './ledger-file.ts';
import { RunClock, WallWatch } from './run-clock.ts';

export type RecorderDeps = {
  readonly clock: Clock;
  readonly log: Log;
  /** Of all recorders: this one takes a share of it. */
  readonly budget: ByteBudget;
  readonly numbers: Pick<NumberAllocator, 'next'>;
  readonly places: Pick<JournalPlaces, 'pick' | 'failed' | 'succeeded' | 'hasBetterThan'>;
  readonly ledger: Ledger;
  readonly onHint: (hint: Hint) => void;
  /** What people see of the recorder changed: a run began or ended. */
  readonly onChange: () => void;
  /** 32 lower-case hexadecimal digits, never the same twice. */
  readonly createRunId: () => string;
};

export type RecorderOptions = {
  readonly streamId: string;
  /** The first segment of each run is so much shorter: spreads a hundred cameras. */
  readonly segmentOffsetMs: number;
};

type Run = {
  readonly runId: string;
  readonly writer: SegmentWriter;
  readonly place: JournalPlace;
  readonly clock: RunClock;
  readonly offsetUs: number;
};

/** After a run could not begin, the next try waits so long. */
const retryMs = 500;
const timecodeScaleNs = 1_000_000;
const hourMs = 3_600_000;

export class Recorder {
  readonly #deps: RecorderDeps;
  readonly #options: RecorderOptions;
  /** Of all its runs: those that ended may still be writing. */
  readonly #budget: ByteBudget;
  readonly #sink: FragmentSink;
  readonly #wallWatch = new WallWatch();
  readonly #ending = new Set<Promise<void>>();
  readonly #dropped = new Map<DropReason, number>();
  /** When runs began, monotonic, within the last hour. */
  #runsBeganMs: number[] = [];
  #runsBegan = 0;
  #fragmenter: Fragmenter | undefined;
  #run: Run | undefined;
  /** Why the last run ended, and so why the next one begins. */
  #lastReason: GapReason = 'connecting';
  #failure: { readonly reason: GapReason; readonly message: string } | undefined;
  /** The last error that a writer gave. */
  #writerError: unknown;
  #blockedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(deps: RecorderDeps, options: RecorderOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#budget = deps.budget.share(limits.recorderShareBytesMax);
    this.#sink = {
      beginRun: (run) => this.#beginRun(run),
      beginFragment: (start) => this.#beginFragment(start),
      block: (trackNumber, relativeMs, isKey, bytes) =>
        this.#write((writer) => writer.writeBlock(trackNumber, relativeMs, isKey, bytes)),
      commitFragment: (end) => this.#commitFragment(end),
      endRun: (reason) => this.#endRun(reason),
      dropped: (_unit, reason) => this.#count(reason),
    };
  }

  get isRunning(): boolean {
    return this.#run !== undefined;
  }

  /** The run that is written now. */
  get runId(): string | undefined {
    return this.#run?.runId;
  }

  /** The journal directory that the run is written to. */
  get root(): string | undefined {
    return this.#run?.place.root;
  }

  /** Why nothing is written although units come, or undefined when all is well. */
  get failure(): { readonly reason: GapReason; readonly message: string } | undefined {
    return this.#failure;
  }

  get runsBegan(): number {
    return this.#runsBegan;
  }

  get runsLastHour(): number {
    const sinceMs = this.#deps.clock.monotonicMs() - hourMs;
    this.#runsBeganMs = this.#runsBeganMs.filter((beganMs) => beganMs > sinceMs);
    return this.#runsBeganMs.length;
  }

  /** Units that were not recorded, by reason, since the start. */
  get dropped(): ReadonlyMap<DropReason, number> {
    return this.#dropped;
  }

  get openSegments(): readonly OpenSegment[] {
    return this.#run?.writer.snapshot() ?? [];
  }

  /** A new media timeline begins; a run of the old one ends with the reason. */
  session(tracks: readonly Track[], endOfLast: RunEndReason): void {
    this.#endSession(endOfLast);
    this.#fragmenter = new Fragmenter({ sink: this.#sink, budget: this.#budget }, { tracks });
  }

  /**
   * Records a unit or counts it as dropped. What the disk does wrong is dealt with here.
   *
   * @param unit  borrowed until return
   * @throws AssertionError  our own mistake: `abandon()` and begin anew
   */
  unit(unit: AccessUnit): void {
    this.#guarded((fragmenter) => {
      if (this.#deps.clock.monotonicMs() < this.#blockedUntilMs) this.#count('not-writable');
      else fragmenter.push(unit);
    });
  }

  /** The source is gone. */
  sessionEnded(reason: RunEndReason): void {
    this.#endSession(reason);
    this.#fragmenter = undefined;
  }

  /** To be called about twice a second: closes fragments that wait for a silent track, watches the wall clock. */
  tick(): void {
    this.#guarded((fragmenter) => {
      const { clock, log, places } = this.#deps;
      if (this.#run !== undefined && this.#wallWatch.hasStepped(clock.wallMs(), clock.monotonicMs())) {
        log.warn('wall clock was set, another run begins at the next key frame');
        fragmenter.changeRunAtKey('clock-step');
      } else if (this.#run !== undefined && places.hasBetterThan(this.#run.place)) {
        fragmenter.changeRunAtKey('journal-moved');
      }
      fragmenter.tick(clock.monotonicMs());
    });
  }

  /** Drops everything open after one of our assertions failed: what is committed stays. */
  abandon(): void {
    this.#fragmenter = undefined;
    this.#closeRun('source-error', { detail: 'internal error' });
  }

  /** Ends the session, if any, and resolves when all files are finished. */
  async close(reason: RunEndReason): Promise<void> {
    this.sessionEnded(reason);
    while (this.#ending.size > 0) await Promise.all(this.#ending);
  }

  /** Where a lane that is opened now begins, and the units that come before the next one. Views, for this moment. */
  join(): { readonly from: LaneJoin['from']; readonly held: readonly AccessUnit[] } {
    const run = this.#run;
    const open = run?.writer.openFragment();
    const held = this.#fragmenter?.held ?? [];
    if (run === undefined || open === undefined) return { from: undefined, held };
    const { path, clusterOffset, joinOffset, tail, serverTimestampMs } = open;
    const { runId, offsetUs: sessionOffsetUs } = run;
    return { from: { path, clusterOffset, joinOffset, tail, serverTimestampMs, runId, sessionOffsetUs }, held };
  }

  /** Our time of a unit: the run's while there is one, else that of its arrival. */
  serverTimestampMs(unit: AccessUnit): number {
    const run = this.#run;
    if (run !== undefined) return run.clock.toServerMs((unit.presentationTimeUs - run.offsetUs) / 1_000);
    return this.#arrivalMs(unit);
  }

  #endSession(reason: RunEndReason): void {
    if (this.#fragmenter === undefined) return;
    this.#guarded((fragmenter) => fragmenter.end(reason));
    this.#setReason(reason);
  }

  /** Runs the fragmenter; an error of the disk ends the run, one of ours goes on to the owner. */
  #guarded(use: (fragmenter: Fragmenter) => void): void {
    const fragmenter = this.#fragmenter;
    if (fragmenter === undefined) return;
    try {
      use(fragmenter);
    } catch (error) {
      if (!isAppError(error)) throw error;
      this.#fail(error, error.code === 'resource_exhausted' ? 'disk-stalled' : 'write-failed');
    }
  }

  #beginRun({ tracks, offsetUs, first }: RunBegin): void {
    const { clock, log, places, ledger, createRunId, onHint } = this.#deps;
    const { streamId, segmentOffsetMs } = this.#options;
    const nowMs = clock.monotonicMs();
    const place = places.pick();
    if (place === undefined) throw appError('unavailable', 'no journal directory takes writes');
    if (this.#runsBeganMs.filter((beganMs) => beganMs > nowMs - 60_000).length >= limits.runsPerMinuteMax) {
      throw appError('unavailable', 'the source begins a new run again and again');
    }
    const runId = createRunId();
    const startServerMs = Math.round(this.#arrivalMs(first));
    const runReason = this.#lastReason;
    const runDeps = { clock, log: log.child({ runId }), budget: this.#budget, durability: place.durability };
    const writer: SegmentWriter = new SegmentWriter(
      {
        ...runDeps,
        onHint: (hint) => {
          if (hint.kind === 'committed') this.#onWritten(place);
          onHint(hint);
        },
        onFailed: (error, reason) => this.#onWriterFailed(writer, { error, reason, place }),
      },
      {
        ...{ streamId, runId, runReason, tracks, timecodeScaleNs, segmentOffsetMs },
        openDirectory: place.openDirectory,
        finishedDirectory: place.finishedDirectory,
        isPlaceExpected: place.isPlaceExpected,
        runStartServerMs: startServerMs,
        durability: 'shared',
      },
    );
    // Not waited for: the writer's queue does, and tells a failure by `onFailed`.
    writer.start().catch(() => {});
    this.#wallWatch.reset(clock.wallMs(), nowMs);
    this.#run = {
      ...{ runId, writer, place, offsetUs },
      clock: new RunClock({ startServerMs, startMonotonicMs: first.receivedMonotonicMs }),
    };
    this.#runsBeganMs.push(nowMs);
    this.#runsBegan++;
    ledger.add({ kind: 'run-began', streamId, runId, atMs: startServerMs });
    log.info('run began', { runId, reason: runReason, tracks: tracks.map((track) => track.codec) });
    this.#deps.onChange();
  }

  #beginFragment({ mediaTimeMs, first }: FragmentStart): void {
    const run = must(this.#run, 'a fragment is of a run');
    run.clock.follow(mediaTimeMs, this.#arrivalMs(first));
    const serverTimestampMs = Math.round(run.clock.toServerMs(mediaTimeMs));
    const producerTimestampMs = Math.round(first.producerTimestampMs ?? serverTimestampMs);
    const { number, counter } = this.#deps.numbers.next(serverTimestampMs);
    this.#write((writer) => writer.begin({ number, counter, serverTimestampMs, producerTimestampMs, mediaTimeMs }));
  }

  #commitFragment({ losses, ...facts }: FragmentEnd): void {
    const run = must(this.#run, 'a fragment is of a run');
    this.#write((writer) => writer.commit(facts));
    for (const { beginMs, endMs, reason } of losses) {
      const span = { beginMs: run.clock.toServerMs(beginMs), endMs: run.clock.toServerMs(endMs) };
      this.#deps.ledger.add({ kind: 'loss', streamId: this.#options.streamId, runId: run.runId, ...span, reason });
    }
  }

  /** What fails in here is the fault of the run's place. */
  #write(use: (writer: SegmentWriter) => void): void {
    const { writer } = must(this.#run, 'what is written is of a run');
    try {
      use(writer);
    } catch (error) {
      this.#writerError = error;
      throw error;
    }
  }

  #endRun(reason: RunEndReason): void {
    this.#closeRun(reason);
  }

  /** Takes the run away and lets its writer finish behind. */
  #closeRun(reason: GapReason, options: { readonly detail?: string } = {}): void {
    const run = this.#run;
    this.#setReason(reason);
    if (run === undefined) return;
    this.#run = undefined;
    const { clock, log, ledger, onChange } = this.#deps;
    const { runId } = run;
    const atMs = run.clock.serverMsAt(clock.monotonicMs());
    ledger.add({ kind: 'run-ended', streamId: this.#options.streamId, runId, atMs, reason, ...options });
    log.info('run ended', { runId, reason, ...options });
    const ending = run.writer.end(isRunEndReason(reason) ? reason : 'write-failed').finally(() => {
      this.#ending.delete(ending);
    });
    this.#ending.add(ending);
    onChange();
  }

  /** Whatever happens before the first run: it begins because the source was connected to. */
  #setReason(reason: GapReason): void {
    if (this.#runsBegan > 0) this.#lastReason = reason;
  }

  /** Nothing more of this run can be written. */
  #fail(error: AppError, reason: GapReason): void {
    const { clock, ledger, places, log } = this.#deps;
    const run = this.#run;
    const isNew = this.#failure === undefined;
    this.#failure = { reason, message: error.message };
    this.#blockedUntilMs = clock.monotonicMs() + retryMs;
    this.#fragmenter?.restart();
    if (run !== undefined) {
      // A stream without a number, or out of memory, says nothing of the disk, and other cameras begin runs there.
      if (error === this.#writerError) places.failed(run.place, reason, error);
      this.#closeRun(reason, { detail: error.message });
    } else if (isNew) {
      const { streamId } = this.#options;
      ledger.add({ kind: 'waiting', streamId, atMs: clock.wallMs(), reason, detail: error.message });
      this.#deps.onChange();
    }
    if (isNew) log.error('recording interrupted', { reason, error });
  }

  #onWriterFailed(
    writer: SegmentWriter,
    { error, reason, place }: { readonly error: AppError; readonly reason: GapReason; readonly place: JournalPlace },
  ): void {
    if (this.#run?.writer === writer) {
      this.#writerError = error;
      this.#fail(error, reason);
      return;
    }
    // A run that had ended already: its last seconds are the keeper's to find, the place is to be left alone for a while.
    this.#deps.places.failed(place, reason, error);
    this.#deps.log.error('end of a run could not be written', { reason, error });
  }

  #onWritten(place: JournalPlace): void {
    this.#deps.places.succeeded(place);
    if (this.#failure === undefined || this.#run?.place !== place) return;
    this.#failure = undefined;
    this.#deps.log.info('recording goes on', { root: place.root });
    this.#deps.onChange();
  }

  #arrivalMs(unit: AccessUnit): number {
    const { clock } = this.#deps;
    return clock.wallMs() - (clock.monotonicMs() - unit.receivedMonotonicMs);
  }

  #count(reason: DropReason): void {
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + 1);
  }
}

function isRunEndReason(reason: GapReason): reason is RunEndReason {
  return Object.hasOwn(runEndReasons, reason);
}
