/**
 * The keeper: finished files -> index rows -> object store, and everything that keeps them true: recovery of dead writers'
 * files, the gap ledger, retention, legal holds. The only writer of the index, and never on the path of a live fragment: two
 * loops look at directories and rows, hints only make them look sooner.
 *
 *   take-in loop   journal/open (dead) =recover=> journal/finished =read table=> index rows, gap rows
 *   store loop     rows not stored =put=> object store; rows due =garbage=> bytes deleted
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AssertionError } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { type AppError, appError, isAppError, toAppError } from '../base/errors.ts';
import { Lifetime } from '../base/lifecycle.ts';
import type { Log } from '../base/log.ts';
import { Backoff } from '../base/retry.ts';
import { IndexWriter, type StreamPolicy } from '../index/index.ts';
import { isRing, type Plan } from '../model/camera.ts';
import { limits } from '../model/limits.ts';
import { journalRoots, type Paths } from '../model/paths.ts';
import type { ObjectStore } from '../objects/index.ts';
import { ClockWatch } from './clock-watch.ts';
import { type Space, spaceOf } from './finished-files.ts';
import { GapLedger } from './gap-ledger.ts';
import { Holds } from './holds.ts';
import type { KeeperProblem, KeeperState } from './keeper-state.ts';
import { Problems } from './problems.ts';
import { type RebuildProgress, rebuildGaps, rebuildSegments } from './rebuild.ts';
import { Recovery } from './recovery.ts';
import { type DiskState, Retention } from './retention.ts';
import { StoreGate } from './store-gate.ts';
import { StoreOut } from './store-out.ts';
import { type RunPart, TakeIn, type TakeInResult } from './take-in.ts';
import { Wake } from './wake.ts';

export type KeeperOptions = {
  readonly paths: Paths;
  /** Local copies kept after the store has them; 0 (default) for a store on the same disk. */
  readonly hotBytesMax?: number;
  /** Files the store does not have yet: beyond it the oldest are given up so that recording goes on. Default: as the disk allows. */
  readonly localBytesMax?: number;
  /** All cameras together. Default: as the disk allows. */
  readonly bytesMax?: number;
  /** Room that disks keep free. Default: what open files may need and 2 %, at most `limits.diskReserveBytesMax`. */
  readonly diskReserveBytes?: number;
  /** How often directories are looked at without a hint. */
  readonly periodMs?: number;
  readonly storeTimeoutMs?: number;
};

export type KeeperDependencies = {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: ObjectStore;
  /** Called with what must not be survived: an assertion of ours. Without it the process ends. */
  readonly onFatal?: (error: unknown) => void;
};

const defaultPeriodMs = 5_000;
/** Dead writers are looked for, and old gaps forgotten, so often. */
const recoveryPeriodMs = 10_000;
const housekeepingPeriodMs = 600_000;
/** Removal waits so long for the store to take files: a store that is slower than the cameras must not fill the journal. */
const storeSoonMs = 5_000;

export class Keeper {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #store: ObjectStore;
  readonly #onFatal: (error: unknown) => void;
  readonly #options: KeeperOptions;
  readonly #lifetime = new Lifetime();
  readonly #takeInWake: Wake;
  readonly #storeWake: Wake;

  readonly index: IndexWriter;
  readonly holds: Holds;
  readonly gate: StoreGate;
  readonly #ledger: GapLedger;
  readonly #recovery: Recovery;
  readonly #takeIn: TakeIn;
  readonly #storeOut: StoreOut;
  readonly #retention: Retention;
  readonly #clockWatch: ClockWatch;
  readonly #problems: Problems;

  #policies = new Map<string, StreamPolicy>();
  #plan: Plan | undefined;
  #isOpen = false;
  #rebuild: RebuildProgress | undefined;
  #rebuildReason: string | undefined;
  #lastTakeIn: TakeInResult = { taken: 0, left: 0, ringFiles: 0, ringBytes: 0 };
  #journalSpace: Space | undefined;
  #storeSpace: Space | undefined;
  /** Files that were there when the index was opened have rows, as far as they can. */
  #isTakenIn = false;
  #dueRecoveryMs = Number.NEGATIVE_INFINITY;
  #dueHousekeepingMs = Number.NEGATIVE_INFINITY;

  constructor(dependencies: KeeperDependencies, options: KeeperOptions) {
    const { clock, log, store } = dependencies;
    const { paths } = options;
    this.#clock = clock;
    this.#log = log;
    this.#store = store;
    this.#onFatal = dependencies.onFatal ?? throwUncaught;
    this.#options = options;
    this.#takeInWake = new Wake({ clock });
    this.#storeWake = new Wake({ clock });
    this.index = new IndexWriter({ clock, log }, { path: paths.index });
    this.gate = new StoreGate({ clock, log, store }, { timeoutMs: options.storeTimeoutMs ?? limits.storeTimeoutMs });
    const index = this.index;
    this.#problems = new Problems({ clock, log });
    this.#clockWatch = new ClockWatch({ clock, log, index });
    const isInRing = (streamId: string, part: RunPart) =>
      !(this.#ledger.wasWanted(streamId, part) ?? !this.#isRing(streamId));
    const onLocalGone = (fileName: string) => this.#takeIn.forget(fileName);
    const finishedDirectories = journalRoots(paths).map((root) => root.finished);
    const isClockTrusted = () => this.#clockWatch.isTrusted();
    this.holds = new Holds({ clock, log, index, isClockTrusted }, { path: join(paths.state, 'keeper', 'holds.json') });
    this.#ledger = new GapLedger({ clock, log, index }, { stateDirectory: paths.state });
    this.#recovery = new Recovery({ log, index, ledger: this.#ledger }, paths);
    this.#takeIn = new TakeIn({ clock, log, index, ledger: this.#ledger, isRing: isInRing }, { finishedDirectories });
    this.#storeOut = new StoreOut({ clock, log, index, gate: this.gate, onLocalGone }, { finishedDirectories });
    this.#retention = new Retention(
      { clock, log, index, gate: this.gate, onLocalGone, isInSpare: (name) => this.#takeIn.isInSpare(name) },
      {
        finishedDirectories,
        bytesMax: options.bytesMax,
        localBytesMax: options.localBytesMax,
        diskReserveBytes: options.diskReserveBytes,
      },
    );
  }

  /** Begins at once, whatever state index and store are in: they are waited for by the loops. */
  async start(): Promise<void> {
    await mkdir(this.#options.paths.journalFinished, { recursive: true }).catch(() => {});
    this.#lifetime.defer(() => this.index.close());
    this.#lifetime.loop((signal) => this.#takeInLoop(signal));
    this.#lifetime.loop((signal) => this.#storeLoop(signal));
  }

  /** Ends both loops after the step they are in; every step may be interrupted, so a kill does no harm either. */
  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /** A writer died: look at once, also for what it left open. */
  lookNow(): void {
    this.#dueRecoveryMs = Number.NEGATIVE_INFINITY;
    this.#takeInWake.wake();
  }

  /** What cameras may hold. Streams that a plan no longer names keep their last policy. */
  setPlan(plan: Plan): void {
    this.#plan = plan;
    if (this.#isOpen) this.#writePlan();
    this.#storeWake.wake();
  }

  /** A person says that the clock is right: age retention goes on. @throws AppError unavailable  the index is not open */
  confirmClock(): void {
    this.assertOpen();
    this.#clockWatch.confirm();
    this.#log.info('clock confirmed', {});
    this.#storeWake.wake();
  }

  /** From now on this store holds our objects. @throws AppError unavailable  it does not answer */
  async adoptStore(): Promise<void> {
    this.assertOpen();
    this.#storeOut.adopt(await this.gate.ask((store) => store.identity()));
    this.#storeWake.wake();
  }

  /** Removes footage of a span that no hold protects. Its bytes go after the garbage delay. */
  removeRange(request: {
    readonly streamId: string;
    readonly beginMs: number;
    readonly endMs: number;
    readonly who: string;
  }) {
    this.assertOpen();
    if (this.#rebuildReason !== undefined)
      throw appError('unavailable', 'the index is being rebuilt', { hint: 'Try again when it is done.' });
    this.holds.assertReadable();
    return this.#retention.removeRange({ ...request, isClockTrusted: this.#clockWatch.isTrusted() });
  }

  /** @throws AppError unavailable  the index is not open */
  assertOpen(): void {
    if (this.#isOpen) return;
    throw appError('unavailable', 'the index is not open', {
      reason: this.#problems.messageOf('index-unavailable'),
    });
  }

  get isIndexOpen(): boolean {
    return this.#isOpen;
  }

  /** Everything people see of the keeper; cheap enough for a request a second. */
  get state(): KeeperState {
    const { segments } = this.#isOpen ? this.index.queries : { segments: undefined };
    const nothing = { segments: 0, bytes: 0 };
    const doubt = this.#clockWatch.doubt;
    return {
      isIndexOpen: this.#isOpen,
      rebuild:
        this.#rebuildReason === undefined
          ? undefined
          : {
              reason: this.#rebuildReason,
              objects: this.#rebuild?.objects ?? 0,
              segments: this.#rebuild?.segments ?? 0,
            },
      store: this.gate.health,
      clock: { isTrusted: doubt === undefined, reason: doubt?.reason, stepMs: doubt?.stepMs },
      backlog: segments?.backlog() ?? nothing,
      localFiles: segments?.localFiles() ?? nothing,
      garbage: this.#isOpen ? this.index.garbage.garbageTotals() : nothing,
      ring: { files: this.#lastTakeIn.ringFiles, bytes: this.#lastTakeIn.ringBytes },
      untaken: this.#lastTakeIn.left,
      journalSpace: this.#journalSpace,
      storeSpace: this.#storeSpace,
      problems: this.#problems.all({
        store: this.gate.health,
        rebuildReason: this.#rebuildReason,
        clockDoubt: doubt,
        shortBytes: this.#retention.shortBytes,
        lostSegments: this.#storeOut.lost,
        refused: [this.#takeIn.refused, this.#storeOut.refused, this.#retention.refused].map(({ problem }) => problem),
      }),
    };
  }

  async #takeInLoop(signal: AbortSignal): Promise<void> {
    await this.#loop(signal, { name: 'taking in', wake: this.#takeInWake, problem: 'taking-in-fails' }, () =>
      this.#takeInTick(signal),
    );
  }

  async #storeLoop(signal: AbortSignal): Promise<void> {
    await this.#loop(signal, { name: 'storing', wake: this.#storeWake, problem: 'storing-fails' }, () =>
      this.#storeTick(signal),
    );
  }

  async #loop(
    signal: AbortSignal,
    kind: { readonly name: string; readonly wake: Wake; readonly problem: KeeperProblem['code'] },
    tick: () => Promise<void>,
  ): Promise<void> {
    const periodMs = this.#options.periodMs ?? defaultPeriodMs;
    const backoff = new Backoff({ firstDelayMs: periodMs, delayMsMax: 60_000 });
    while (!signal.aborted) {
      let delayMs = periodMs;
      try {
        await tick();
        backoff.reset();
        this.#problems.end(kind.problem);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof AssertionError) return this.#onFatal(error);
        delayMs = backoff.nextDelayMs();
        await this.#onFailure(error, kind);
      }
      await kind.wake.sleep(delayMs, signal);
    }
  }

  async #onFailure(
    error: unknown,
    kind: { readonly name: string; readonly problem: KeeperProblem['code'] },
  ): Promise<void> {
    const failure = toAppError(error);
    if (this.#isOpen && isIndexDamage(failure)) {
      await this.#replaceIndex(failure.message);
      return;
    }
    if (kind.problem === 'storing-fails' && !('sqlite' in failure.context)) this.gate.away(failure);
    else this.#problems.begin(kind.problem, failure);
    this.#log.counted(`${kind.name} failed`, 1, { reason: failure.message, code: failure.code, cause: failure.cause });
  }

  async #takeInTick(signal: AbortSignal): Promise<void> {
    if (!this.#isOpen) await this.#openIndex();
    try {
      await this.#takeInDue(signal);
    } finally {
      this.#isTakenIn = true;
    }
  }

  async #takeInDue(signal: AbortSignal): Promise<void> {
    this.#clockWatch.observe();
    await this.#ledger.read();
    if (this.#clock.monotonicMs() >= this.#dueRecoveryMs) {
      this.#dueRecoveryMs = this.#clock.monotonicMs() + recoveryPeriodMs;
      await this.#recovery.tick();
    }
    do {
      this.#lastTakeIn = await this.#takeIn.tick();
      if (this.#lastTakeIn.taken > 0) this.#storeWake.wake();
    } while (this.#lastTakeIn.left > 0 && this.#lastTakeIn.taken > 0 && !signal.aborted);
    this.#ledger.update();
  }

  async #storeTick(signal: AbortSignal): Promise<void> {
    if (!this.#isOpen) return;
    const isReady = await this.#storeOut.isReady();
    // What can leave the journal leaves before anything is removed to make room there.
    const failure = isReady && this.#rebuildReason === undefined ? await this.#storeSoon(signal) : undefined;
    this.#journalSpace = await spaceOf(this.#options.paths.journalFinished);
    this.#storeSpace = isReady ? await this.gate.ask((store) => store.space()) : undefined;
    if (this.#problems.has('holds-unreadable')) await this.#restoreHolds();
    await this.#releaseHot();
    if (!this.#problems.has('holds-unreadable')) this.#removeDue();
    if (!isReady) {
      await this.#retention.deleteDueLocal();
      return;
    }
    if (this.#rebuildReason !== undefined && this.#isTakenIn) await this.#fillIndex(signal);
    await this.#retention.deleteDue();
    if (failure !== undefined) throw failure;
    await this.#storeAll(signal);
    this.gate.well();
    if (this.#clock.monotonicMs() >= this.#dueHousekeepingMs) {
      this.#dueHousekeepingMs = this.#clock.monotonicMs() + housekeepingPeriodMs;
      if (this.#clockWatch.isTrusted()) this.#retention.forgetOldGaps();
      this.index.checkpoint();
    }
  }

  /** As `#storeAll`, but not for long. A failure is answered: a full disk takes nothing before something was removed. */
  async #storeSoon(signal: AbortSignal): Promise<AppError | undefined> {
    const untilMs = this.#clock.monotonicMs() + storeSoonMs;
    const hotBytesMax = this.#options.hotBytesMax ?? 0;
    try {
      while (!signal.aborted && this.#clock.monotonicMs() < untilMs && (await this.#storeOut.storeSome()) > 0) {
        await this.#storeOut.releaseLocal(hotBytesMax);
      }
      return undefined;
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      return toAppError(error);
    }
  }

  async #storeAll(signal: AbortSignal): Promise<void> {
    const hotBytesMax = this.#options.hotBytesMax ?? 0;
    await this.#storeOut.releaseLocal(hotBytesMax);
    while (!signal.aborted && (await this.#storeOut.storeSome()) > 0) await this.#storeOut.releaseLocal(hotBytesMax);
  }

  /** On a full journal disk copies of what the store has go before anything that is nowhere else, even while the store is away. */
  async #releaseHot(): Promise<void> {
    const disk = this.#disk();
    const shortBytes = disk === undefined ? 0 : this.#retention.journalShortBytes(disk);
    const { hotBytes } = this.#storeOut;
    if (shortBytes === 0 || hotBytes === 0) return;
    await this.#storeOut.releaseLocal(Math.max(0, hotBytes - shortBytes));
    this.#journalSpace = await spaceOf(this.#options.paths.journalFinished);
  }

  #disk(): DiskState | undefined {
    if (this.#journalSpace === undefined) return undefined;
    return {
      isClockTrusted: this.#clockWatch.isTrusted(),
      isIndexWhole: this.#rebuildReason === undefined,
      openFiles: this.#recovery.openFiles,
      journal: this.#journalSpace,
      store: this.#storeSpace,
    };
  }

  #removeDue(): void {
    const disk = this.#disk();
    if (disk === undefined) return;
    // More than one plan a tick only when it was cut off: each frees what it can, and garbage is deleted in between.
    if (this.#retention.removeDue(disk).isMore) this.#storeWake.wake();
  }

  async #openIndex(): Promise<void> {
    try {
      const start = await this.index.start();
      if (start.kind !== 'opened')
        this.#beginRebuild(start.kind === 'replaced' ? start : { reason: 'there was no index' });
      this.#problems.end('index-unavailable');
    } catch (error) {
      this.#problems.begin('index-unavailable', toAppError(error));
      throw error;
    }
    await this.#onIndexOpen();
  }

  async #replaceIndex(reason: string): Promise<void> {
    this.#isOpen = false;
    try {
      const start = await this.index.replace(reason);
      this.#beginRebuild(start.kind === 'replaced' ? start : { reason });
      await this.#onIndexOpen();
    } catch (error) {
      this.#problems.begin('index-unavailable', toAppError(error));
    }
  }

  #beginRebuild(start: { readonly reason: string; readonly movedTo?: string }): void {
    if (start.movedTo !== undefined) {
      const rows = this.index.salvage(start.movedTo);
      this.#log.warn('rows were taken over from the damaged index', rows);
    }
    const { reason, movedTo = null } = start;
    const { state } = this.index;
    const unfinished = state.get('rebuild') ?? {};
    const isDoubtLost = state.get('clock-doubt') === undefined;
    const rebuild = { isDoubtLost, ...unfinished, reason, movedTo, sinceMs: this.#clock.wallMs() };
    this.index.transaction((change) => {
      change.state.set('rebuild', rebuild);
      // It names a row of the lost index.
      change.state.set('clock-confirmed', null);
    });
  }

  async #onIndexOpen(): Promise<void> {
    this.#isTakenIn = false;
    this.#takeIn.forgetAll();
    this.#storeOut.forgetAll();
    this.#retention.forgetAll();
    this.#rebuildReason = this.index.state.get('rebuild')?.reason;
    this.#rebuild = undefined;
    await this.#restoreHolds();
    this.#clockWatch.onIndexOpen();
    this.#ledger.onStart(this.#clockWatch.offSpan());
    this.#isOpen = true;
    this.#writePlan();
    this.#storeWake.wake();
  }

  async #restoreHolds(): Promise<void> {
    await this.holds.restore().then(
      () => this.#problems.end('holds-unreadable'),
      (error: unknown) => this.#problems.begin('holds-unreadable', toAppError(error)),
    );
  }

  /** What the plan says now, or last said of a stream that it names no more. */
  #isRing(streamId: string): boolean {
    const planned = this.#plan?.sources.find((source) => source.streamId === streamId);
    if (planned !== undefined) return isRing(planned.recording);
    return this.#policies.get(streamId)?.retentionHours === 0;
  }

  #writePlan(): void {
    if (this.#plan !== undefined) {
      const { sources } = this.#plan;
      this.index.transaction((change) => {
        for (const { streamId, cameraId, recording } of sources) {
          change.state.setPolicy({
            streamId,
            cameraId,
            retentionHours: recording.retentionHours,
            cameraBytesMax: recording.bytesMax,
          });
        }
      });
    }
    this.#policies = new Map(this.index.state.policies().map((policy) => [policy.streamId, policy]));
  }

  async #fillIndex(signal: AbortSignal): Promise<void> {
    const log = this.#log;
    const onProgress = async (progress: RebuildProgress) => {
      this.#rebuild = progress;
      // New footage doesn't wait for old rows.
      await this.#storeAll(signal);
    };
    const options = { nowMs: this.#clock.wallMs(), signal, onProgress };
    const found = await rebuildSegments({ log, index: this.index, store: this.#store }, options);
    this.#clockWatch.onRebuilt();
    const gaps = this.index.transaction((change) => {
      const streams = change.queries.streams.totalsOfAll().map((each) => rebuildGaps(change, each.streamId));
      change.state.set('rebuild', null);
      return streams.reduce((sum, count) => sum + count, 0);
    });
    this.#rebuildReason = undefined;
    this.#rebuild = undefined;
    if (found.objects > 0) log.warn('index is rebuilt', { ...found, gaps });
    this.#storeWake.wake();
  }
}

function isIndexDamage(error: unknown): boolean {
  return isAppError(error, 'data_loss') && 'sqlite' in error.context;
}

/** Out of every promise, so that the process ends and its supervisor starts it again. */
function throwUncaught(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
