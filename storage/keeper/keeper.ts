/**
 * The keeper: finished files -> index rows -> object store, and everything that keeps them true: recovery of dead writers'
 * files, the gap ledger, retention, legal holds. The only writer of the index, and never on the path of a live fragment: three
 * loops look at directories and rows, hints only make them look sooner.
 *
 *   take-in loop   journal/open (dead) =recover=> journal/finished =read table=> index rows, gap rows
 *   store loop     rows not stored =put=> object store; garbage that is due =delete=> gone
 *   room loop      rows that are too many =garbage=> files of a full journal go, or move to spare directories
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AssertionError } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { isAppError, toAppError } from '../base/errors.ts';
import { Lifetime } from '../base/lifecycle.ts';
import type { Log } from '../base/log.ts';
import { IndexWriter, type Span } from '../index/index.ts';
import type { Plan } from '../model/camera.ts';
import { limits } from '../model/limits.ts';
import { journalRoots, type Paths } from '../model/paths.ts';
import { isImported } from '../model/run.ts';
import type { Segment } from '../model/segment.ts';
import type { ObjectStore } from '../objects/index.ts';
import { ClockWatch } from './clock-watch.ts';
import { EventRanges } from './event-ranges.ts';
import { GapLedger } from './gap-ledger.ts';
import { GarbageRemoval } from './garbage-removal.ts';
import { Holds } from './holds.ts';
import { IndexLife } from './index-life.ts';
import { JournalRelief } from './journal-relief.ts';
import { runKeeperLoop } from './keeper-loop.ts';
import type { KeeperProblem, KeeperState } from './keeper-state.ts';
import { LocalFiles } from './local-files.ts';
import { Policies } from './policies.ts';
import { Problems } from './problems.ts';
import { Recovery } from './recovery.ts';
import { Retention } from './retention.ts';
import { RoomLoop } from './room-loop.ts';
import { StoreGate } from './store-gate.ts';
import { StoreLoop } from './store-loop.ts';
import { StoreOut } from './store-out.ts';
import { type RunPart, TakeIn } from './take-in.ts';
import { TakeInLoop } from './take-in-loop.ts';
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
  /** How long after the start nothing goes for want of an event. Default: `limits.eventGraceMs`. */
  readonly eventGraceMs?: number;
  /** Begin with another index although the one that is there is well: why, for people. */
  readonly rebuildReason?: string;
};

export type KeeperDependencies = {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: ObjectStore;
  /** Of those who work with its rows beside it: told with its own. */
  readonly furtherProblems?: () => readonly KeeperProblem[];
  /** Called with what must not be survived: an assertion of ours. Without it the process ends. */
  readonly onFatal?: (error: unknown) => void;
};

const defaultPeriodMs = 5_000;

type LoopKind = { readonly name: string; readonly problem: KeeperProblem['code']; readonly wake: Wake };

export class Keeper {
  readonly #log: Log;
  readonly #onFatal: (error: unknown) => void;
  readonly #furtherProblems: () => readonly KeeperProblem[];
  readonly #options: KeeperOptions;
  readonly #lifetime = new Lifetime();
  readonly #takingIn: LoopKind;
  readonly #storing: LoopKind;
  readonly #makingRoom: LoopKind;

  readonly index: IndexWriter;
  readonly holds: Holds;
  readonly events: EventRanges;
  readonly gate: StoreGate;
  readonly #policies: Policies;
  readonly #ledger: GapLedger;
  readonly #files: LocalFiles;
  readonly #takeIn: TakeIn;
  readonly #storeOut: StoreOut;
  readonly #retention: Retention;
  readonly #garbage: GarbageRemoval;
  readonly #clockWatch: ClockWatch;
  readonly #problems: Problems;
  readonly #life: IndexLife;
  readonly #takeInLoop: TakeInLoop;
  readonly #storeLoop: StoreLoop;
  readonly #roomLoop: RoomLoop;

  constructor(dependencies: KeeperDependencies, options: KeeperOptions) {
    const { clock, log, store } = dependencies;
    const { paths, bytesMax, localBytesMax, diskReserveBytes, hotBytesMax = 0 } = options;
    const roots = journalRoots(paths);
    this.#log = log;
    this.#onFatal = dependencies.onFatal ?? throwUncaught;
    this.#furtherProblems = dependencies.furtherProblems ?? (() => []);
    this.#options = options;
    this.#takingIn = { name: 'taking in', problem: 'taking-in-fails', wake: new Wake({ clock }) };
    this.#storing = { name: 'storing', problem: 'storing-fails', wake: new Wake({ clock }) };
    this.#makingRoom = { name: 'making room', problem: 'making-room-fails', wake: new Wake({ clock }) };

    this.index = new IndexWriter({ clock, log }, { path: paths.index });
    const index = this.index;
    this.gate = new StoreGate({ clock, log, store }, { timeoutMs: options.storeTimeoutMs ?? limits.storeTimeoutMs });
    const gate = this.gate;
    const problems = new Problems({ clock, log });
    const clockWatch = new ClockWatch({ clock, log, index });
    const isClockTrusted = () => clockWatch.isTrusted();
    this.holds = new Holds({ clock, log, index, isClockTrusted }, { path: join(paths.state, 'keeper', 'holds.json') });
    this.events = new EventRanges({ clock, log, index });
    const policies = new Policies({ clock, index });
    const files = new LocalFiles({ directories: roots.map((root) => root.finished) });
    const edgesWithin = policies.edgesWithin.bind(policies);
    const ledger = new GapLedger({ clock, log, index, edgesWithin }, { stateDirectory: paths.state });
    // Whoever says that any moment was wanted is believed: a line may be late, or lost with a crash.
    const isRing = (streamId: string, part: RunPart) => {
      const isLive = policies.isLive(streamId, part);
      if (isLive === false) return false;
      if (policies.isPushed(streamId)) return isLive === true;
      // Lines that cannot be read, or understood, may say the contrary: only the plan proves then that nobody wanted it.
      if (!ledger.isRead) return isLive === true;
      try {
        return !(ledger.wasWanted(streamId, part) ?? !policies.isRing(streamId));
      } catch (error) {
        if (error instanceof AssertionError || isAppError(error)) throw error;
        return isLive === true;
      }
    };
    const modeOf = (segment: Segment, span: Span) =>
      isImported(segment) ? policies.modeOfImport(segment.streamId, span) : policies.modeOf(segment.streamId, span);
    const recovery = new Recovery({ log, index, ledger }, paths);
    const takeIn = new TakeIn({ clock, log, index, ledger, files, isRing, modeOf });
    const storeOut = new StoreOut({ clock, log, index, gate, files }, { hotBytesMax });
    const garbage = new GarbageRemoval({ clock, log, index, gate, files });
    const { eventGraceMs = limits.eventGraceMs } = options;
    const limitsOfDisks = { bytesMax, localBytesMax, diskReserveBytes, eventGraceMs };
    const retention = new Retention({ clock, log, index, files, garbage }, limitsOfDisks);
    const relief = new JournalRelief({ log }, { roots, diskReserveBytes });

    const onOpened = () => this.#onIndexOpened();
    const life = new IndexLife({
      ...{ clock, log, index, store, ledger, clockWatch, problems, onOpened },
      holds: this.holds,
    });
    const onTaken = () => this.#storing.wake.wake();
    this.#takeInLoop = new TakeInLoop({ clock, clockWatch, ledger, recovery, takeIn, onTaken });
    const isTakenIn = () => this.#takeInLoop.isTakenIn;
    const onStored = () => this.#makingRoom.wake.wake();
    const storing = { clock, index, life, clockWatch, gate, storeOut, retention, garbage, isTakenIn, onStored };
    this.#storeLoop = new StoreLoop(storing);
    const onRemoved = ({ isMore }: { readonly isMore: boolean }) => {
      this.#storing.wake.wake();
      if (isMore) this.#makingRoom.wake.wake();
    };
    const { events } = this;
    const makingRoom = {
      clock,
      life,
      events,
      clockWatch,
      gate,
      recovery,
      relief,
      storeOut,
      retention,
      garbage,
      problems,
      onRemoved,
    };
    this.#roomLoop = new RoomLoop(
      { ...makingRoom, storeRooms: () => this.#storeLoop.rooms },
      { journal: paths.journalFinished },
    );

    this.#problems = problems;
    this.#clockWatch = clockWatch;
    this.#policies = policies;
    this.#files = files;
    this.#ledger = ledger;
    this.#takeIn = takeIn;
    this.#storeOut = storeOut;
    this.#retention = retention;
    this.#garbage = garbage;
    this.#life = life;
  }

  /** Begins at once, whatever state index and store are in: they are waited for by the loops. */
  async start(): Promise<void> {
    await mkdir(this.#options.paths.journalFinished, { recursive: true }).catch(() => {});
    this.#lifetime.defer(() => this.index.close());
    this.#loop(this.#takingIn, async (signal) => {
      if (!this.#life.isOpen) await this.#life.open(this.#options.rebuildReason);
      await this.#takeInLoop.tick(signal);
    });
    this.#loop(this.#storing, (signal) => this.#storeLoop.tick(signal));
    this.#loop(this.#makingRoom, () => this.#roomLoop.tick());
  }

  /** Ends all loops after the step they are in; every step may be interrupted, so a kill does no harm either. */
  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /** A writer died: look at once, also for what it left open. */
  lookNow(): void {
    this.#takeInLoop.recoverSoon();
    this.#takingIn.wake.wake();
  }

  /** What cameras may hold. Streams that a plan no longer names keep their last policy. */
  setPlan(plan: Plan): void {
    this.#policies.setPlan(plan);
    if (this.#life.isOpen) this.#policies.write();
    this.#makingRoom.wake.wake();
  }

  /** Streams whose segments the first of several stores passes on at once. */
  get warmStreams(): readonly string[] {
    return this.#policies.warmStreams;
  }

  /** A person says that the clock is right: age retention goes on. @throws AppError unavailable  the index is not open */
  confirmClock(): void {
    this.assertOpen();
    this.#clockWatch.confirm();
    this.#log.info('clock confirmed', {});
    this.#makingRoom.wake.wake();
  }

  /** From now on this store holds our objects. @throws AppError unavailable  it does not answer */
  async adoptStore(): Promise<void> {
    this.assertOpen();
    this.#storeOut.adopt(await this.gate.ask((store) => store.identity()));
    this.#storing.wake.wake();
  }

  /** Removes footage of a span that no hold protects. Its bytes go after the garbage delay. */
  removeRange(request: {
    readonly streamId: string;
    readonly beginMs: number;
    readonly endMs: number;
    readonly who: string;
  }) {
    this.assertOpen();
    this.#life.assertWhole();
    this.holds.assertReadable();
    return this.#retention.removeRange({ ...request, isClockTrusted: this.#clockWatch.isTrusted() });
  }

  /** @throws AppError unavailable  the index is not open */
  assertOpen(): void {
    this.#life.assertOpen();
  }

  get isIndexOpen(): boolean {
    return this.#life.isOpen;
  }

  /** What the last rebuild of the index could not read, and the gaps it found. */
  get rebuilt(): { readonly unreadable: number; readonly gaps: number } | undefined {
    return this.#life.rebuilt;
  }

  /** Everything people see of the keeper; cheap enough for a request a second. */
  get state(): KeeperState {
    const { isOpen, rebuild } = this.#life;
    const { segments } = isOpen ? this.index.queries : { segments: undefined };
    const nothing = { segments: 0, bytes: 0 };
    const doubt = this.#clockWatch.doubt;
    const { ringFiles, ringBytes, left } = this.#takeInLoop.last;
    const { lost, refused } = this.#storeOut;
    const refusals = [lost, this.#takeIn.refused, refused, this.#garbage.refused].map(({ problem }) => problem);
    return {
      isIndexOpen: isOpen,
      rebuild,
      store: this.gate.health,
      clock: { isTrusted: doubt === undefined, reason: doubt?.reason, stepMs: doubt?.stepMs },
      backlog: segments?.backlog() ?? nothing,
      localFiles: segments?.localFiles() ?? nothing,
      garbage: isOpen ? this.index.garbage.garbageTotals() : nothing,
      ring: { files: ringFiles, bytes: ringBytes },
      untaken: left,
      journalSpace: this.#roomLoop.space,
      storeSpace: this.#storeLoop.rooms.find(({ isLast }) => isLast),
      problems: [
        ...this.#problems.all({
          store: this.gate.health,
          rebuildReason: rebuild?.reason,
          clockDoubt: doubt,
          shortBytes: this.#retention.shortBytes,
          refused: [...refusals, this.#retention.givenUp],
        }),
        ...this.#furtherProblems(),
      ],
    };
  }

  #loop(kind: LoopKind, tick: (signal: AbortSignal) => Promise<void>): void {
    const { wake, problem } = kind;
    this.#lifetime.loop((signal) =>
      runKeeperLoop(
        {
          wake,
          periodMs: this.#options.periodMs ?? defaultPeriodMs,
          tick: () => tick(signal),
          onDone: () => this.#problems.end(problem),
          onFailure: (error) => this.#onFailure(error, kind),
          onFatal: this.#onFatal,
        },
        signal,
      ),
    );
  }

  async #onFailure(error: unknown, { name, problem }: LoopKind): Promise<void> {
    if (await this.#life.replaceIfDamaged(error)) return;
    const failure = toAppError(error);
    if (problem === 'storing-fails' && !('sqlite' in failure.context)) this.gate.away(failure);
    else this.#problems.begin(problem, failure);
    this.#log.counted(`${name} failed`, 1, { reason: failure.message, code: failure.code, cause: failure.cause });
  }

  #onIndexOpened(): void {
    this.#files.forgetAll();
    this.#takeInLoop.forgetAll();
    this.#storeOut.forgetAll();
    this.#garbage.forgetAll();
    this.#ledger.onStart(this.#clockWatch.offSpan());
    this.#policies.write();
    this.#storing.wake.wake();
    this.#makingRoom.wake.wake();
  }
}

/** Out of every promise, so that the process ends and its supervisor starts it again. */
function throwUncaught(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
