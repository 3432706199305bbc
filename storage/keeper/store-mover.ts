/**
 * Moves stored segments on from store to store: oldest first when they have the age for it, earlier where a store has no room
 * left, and at once out of the first one where their stream's tier is WARM. Copy -> every hash read back from the copy -> row -> old copy deleted. A kill between any two steps leaves two
 * copies or one, never none: the row says which counts and whether an old one is still to go. A loop of its own, which nothing
 * else waits for.
 */

import { AssertionError } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { type AppError, appError, isAppError, toAppError } from '../base/errors.ts';
import { Lifetime } from '../base/lifecycle.ts';
import type { Log } from '../base/log.ts';
import { Backoff } from '../base/retry.ts';
import type { IndexWriter, PlacedSegment } from '../index/index.ts';
import { readSegment, verifySegment } from '../journal/index.ts';
import { limits } from '../model/limits.ts';
import type { ObjectStore, OrderedStores } from '../objects/index.ts';
import type { KeeperProblem } from './keeper-state.ts';
import { type CopyPlace, removeLeftCopies, withObjectFile } from './object-file.ts';
import { reserveBytesOf } from './quota-planner.ts';
import { Refusals } from './refusals.ts';
import { StoreGate } from './store-gate.ts';

export type StorePlan = {
  readonly name: string;
  /** Age at which segments leave for the next store; undefined: only when there is no room. */
  readonly moveOnAfterHours: number | undefined;
  /** What is waited for one call. */
  readonly timeoutMs: number;
};

type Dependencies = {
  readonly clock: Clock;
  readonly log: Log;
  /** Its index is open now and then only: whoever asks looks first. */
  readonly keeper: {
    readonly isIndexOpen: boolean;
    readonly index: IndexWriter;
    readonly warmStreams: readonly string[];
  };
  readonly stores: OrderedStores;
};

type Store = StorePlan & { readonly gate: StoreGate; readonly store: ObjectStore };

const periodMs = 10_000;
const batchSegments = 16;
const pageRows = 500;
/** Rows that are not stored yet when they are met, and are looked at again: a backlog of hours of 100 cameras. */
const waitingMax = 50_000;
/** Rows whose objects are in none of the stores, and are looked for again: a store that lost more has other worries. */
const unplacedMax = 10_000;
const hourMs = 3_600_000;
/** Segments of WARM streams that are stored later than this after their end are found by the look at all, each hour. */
const warmLateMs = 15 * 60_000;

export class StoreMover {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #keeper: Dependencies['keeper'];
  readonly #all: OrderedStores;
  readonly #stores: readonly Store[];
  readonly #periodMs: number;
  /** One copy at a time, so at most one segment; recorders on that disk keep as much again. */
  readonly #copies: CopyPlace;
  readonly #lifetime = new Lifetime();
  /** Segments that cannot move for themselves alone, by key. */
  readonly refused: Refusals<string>;
  #moved = 0;
  #failing: KeeperProblem | undefined;
  /** The row up to which places are known, but for those that wait to be stored. */
  #placedTo = 0;
  #waiting = new Map<number, string>();
  /** Stored, and in none of the stores when they were looked for: a bucket may be restored, a disk repaired. */
  #unplaced = new Map<number, string>();
  /** When all segments of which WARM streams were looked at. */
  #warmLook = { streams: '', atMs: 0 };

  /** @param options.directory  its own, for the copy of what is read from a store elsewhere; old ones are removed */
  constructor(
    dependencies: Dependencies,
    options: { readonly plans: readonly StorePlan[]; readonly directory: string; readonly periodMs?: number },
  ) {
    const { clock, log, stores } = dependencies;
    this.#clock = clock;
    this.#log = log;
    this.#keeper = dependencies.keeper;
    this.#periodMs = options.periodMs ?? periodMs;
    this.#copies = { directory: options.directory, reserveBytes: limits.segmentBytes };
    this.#all = stores;
    this.#stores = stores.stores.map(({ name, store }, i) => {
      const plan = options.plans[i] ?? { name, moveOnAfterHours: undefined, timeoutMs: 0 };
      const named = log.child({ store: name });
      return { ...plan, store, gate: new StoreGate({ clock, log: named, store }, { timeoutMs: plan.timeoutMs }) };
    });
    this.refused = new Refusals<string>(dependencies, {
      code: 'segments-unmovable',
      what: 'segments cannot move to the next store',
      hint: 'They stay where they are and are tried again. Run `weir check --level hash`.',
    });
  }

  async start(): Promise<void> {
    this.#lifetime.loop(async (signal) => {
      // One that cannot be removed now is in nobody's way.
      await removeLeftCopies(this.#copies.directory).catch(() => {});
      await this.#run(signal);
    });
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /** What people should know of it; beside those of the keeper. */
  get problems(): readonly KeeperProblem[] {
    const refused = this.refused.problem;
    return [...(this.#failing === undefined ? [] : [this.#failing]), ...(refused === undefined ? [] : [refused])];
  }

  /** Segments moved since the start. */
  get moved(): number {
    return this.#moved;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({ firstDelayMs: this.#periodMs, delayMsMax: 60_000 });
    while (!signal.aborted) {
      let delayMs = this.#periodMs;
      try {
        if (this.#keeper.isIndexOpen) await this.#tick(signal);
        backoff.reset();
        this.#failing = undefined;
      } catch (error) {
        if (signal.aborted) return;
        // The index may be replaced under any step; that its rows are gone is no mistake of ours.
        if (error instanceof AssertionError && this.#keeper.isIndexOpen) throw error;
        delayMs = backoff.nextDelayMs();
        this.#fail(toAppError(error));
      }
      await this.#clock.sleep(delayMs, signal);
    }
  }

  #fail({ message, hint, context }: AppError): void {
    const store = typeof context.store === 'string' ? ` (${context.store})` : '';
    const sinceMs = this.#failing?.sinceMs ?? this.#clock.wallMs();
    this.#failing = { code: 'moving-fails', message: `segments cannot move on${store}: ${message}`, hint, sinceMs };
    this.#log.counted('segments cannot move on', 1, { reason: message });
  }

  /** A store that is away keeps nothing from the others. @throws AppError  the first failure, after all was tried */
  async #tick(signal: AbortSignal): Promise<void> {
    let failure: unknown;
    const attempt = async (step: () => Promise<void>): Promise<boolean> => {
      try {
        await step();
        return true;
      } catch (error) {
        if (error instanceof AssertionError) throw error;
        failure ??= error;
        return false;
      }
    };
    const [, ...later] = this.#stores;
    for (const store of this.#stores) await attempt(() => this.#noteSpace(store));
    const ready = new Set<Store>();
    for (const store of later) if (await attempt(() => this.#assertSame(store))) ready.add(store);
    await attempt(() => this.#placeAll(signal));
    await attempt(() => this.#placeAgain(signal));
    await attempt(() => this.#deleteOldCopies(ready, signal));
    for (const [i, from] of this.#stores.entries()) {
      const to = this.#stores[i + 1];
      if (to === undefined || !ready.has(to)) continue;
      if (i === 0) await attempt(() => this.#moveWarm(from, to, signal));
      await attempt(() => this.#moveOn(from, to, signal));
    }
    if (failure !== undefined) throw toAppError(failure);
  }

  /** Looks up in which store each segment is that was stored since: nearly always the first one asked. */
  async #placeAll(signal: AbortSignal): Promise<void> {
    for (const [segmentId, objectKey] of this.#waiting) {
      const row = this.#index.queries.segments.byId(segmentId);
      if (row?.objectKey === objectKey && row.location === 'local') continue;
      if (row?.objectKey === objectKey) await this.#place(segmentId, objectKey);
      this.#waiting.delete(segmentId);
    }
    while (!signal.aborted) {
      const newestId = this.#index.queries.segments.lastTakenIn()?.segmentId ?? 0;
      // An index that was replaced counts anew.
      if (newestId < this.#placedTo) this.#forget();
      const page = this.#index.queries.places.pageAfter(this.#placedTo, pageRows);
      for (const { segmentId, objectKey, isStored, isPlaced } of page) {
        if (!isStored && this.#waiting.size >= waitingMax) return;
        if (!isStored) this.#waiting.set(segmentId, objectKey);
        else if (!isPlaced) await this.#place(segmentId, objectKey);
        this.#placedTo = segmentId;
      }
      if (page.length < pageRows) return;
    }
  }

  /** Last, and slowly: what was in none of the stores keeps nothing else from its place. */
  async #placeAgain(signal: AbortSignal): Promise<void> {
    for (const [segmentId, objectKey] of this.#unplaced) {
      if (signal.aborted) return;
      if (!this.refused.isDue(objectKey)) continue;
      if (this.#index.queries.segments.byId(segmentId)?.objectKey === objectKey)
        await this.#place(segmentId, objectKey);
      else this.#settlePlace(segmentId, objectKey);
    }
  }

  /** One that is in none of the stores is told, and looked for again. */
  async #place(segmentId: number, objectKey: string): Promise<void> {
    for (const { name, gate } of this.#stores) {
      if ((await gate.ask((store) => store.stat(objectKey))) === undefined) continue;
      this.#index.transaction((change) => change.places.place(objectKey, name));
      return this.#settlePlace(segmentId, objectKey);
    }
    if (this.#unplaced.size >= unplacedMax && !this.#unplaced.has(segmentId)) return;
    this.#unplaced.set(segmentId, objectKey);
    this.refused.add(objectKey, objectKey, appError('not_found', 'it is in none of the stores', { objectKey }));
  }

  #settlePlace(segmentId: number, objectKey: string): void {
    if (this.#unplaced.delete(segmentId)) this.refused.delete(objectKey);
  }

  /** Ends what an earlier process began, or what the old store refused; never while one of both stores is in doubt. */
  async #deleteOldCopies(ready: ReadonlySet<Store>, signal: AbortSignal): Promise<void> {
    const names = new Set([...ready].map(({ name }) => name));
    const doubtful = new Set(this.#stores.slice(1).flatMap(({ name }) => (names.has(name) ? [] : [name])));
    for (const segment of this.#index.queries.places.movedSome(pageRows)) {
      if (signal.aborted) return;
      if (!names.has(segment.store) || doubtful.has(segment.movedFrom ?? '')) continue;
      await this.#deleteOldCopy(segment.objectKey, segment.movedFrom);
    }
  }

  async #deleteOldCopy(objectKey: string, from: string | undefined): Promise<void> {
    const old = this.#stores.find(({ name }) => name === from);
    // A store that the settings name no more keeps its copy.
    if (old !== undefined) await old.gate.ask((store) => store.delete(objectKey));
    this.#index.transaction((change) => change.places.settle(objectKey));
  }

  async #moveWarm(from: Store, to: Store, signal: AbortSignal): Promise<void> {
    const streamIds = this.#keeper.warmStreams;
    if (streamIds.length === 0) return;
    const look = { streams: streamIds.join(' '), atMs: this.#clock.monotonicMs() };
    const isAll = look.streams !== this.#warmLook.streams || look.atMs - this.#warmLook.atMs >= hourMs;
    const fromMs = isAll ? Number.MIN_SAFE_INTEGER : this.#clock.wallMs() - warmLateMs;
    await this.#moveAll(from, to, {
      due: async (limit) => this.#index.queries.places.oldestOfStreams(from.name, { streamIds, fromMs }, limit),
      signal,
    });
    if (isAll && !signal.aborted) this.#warmLook = look;
  }

  async #moveOn(from: Store, to: Store, signal: AbortSignal): Promise<void> {
    const due = async (limit: number) => {
      const ageMs = from.moveOnAfterHours === undefined ? undefined : from.moveOnAfterHours * hourMs;
      const byAge = ageMs === undefined ? Number.MIN_SAFE_INTEGER : this.#clock.wallMs() - ageMs;
      const endBeforeMs = (await isShort(from)) ? Number.MAX_SAFE_INTEGER : byAge;
      return this.#index.queries.places.oldestOf(from.name, endBeforeMs, limit);
    };
    await this.#moveAll(from, to, { due, signal });
  }

  /** @param work.due  the next segments to move, oldest first, so many at most */
  async #moveAll(
    from: Store,
    to: Store,
    work: { readonly due: (limit: number) => Promise<readonly PlacedSegment[]>; readonly signal: AbortSignal },
  ): Promise<void> {
    const { signal } = work;
    while (!signal.aborted) {
      const due = (await work.due(batchSegments + this.refused.size))
        .filter(({ objectKey }) => this.refused.isDue(objectKey))
        .slice(0, batchSegments);
      if (due.length === 0) return;
      for (const segment of due) {
        if (signal.aborted) return;
        await this.#move(segment, from, to);
      }
      // All that is due may take hours. A store that is away is told by the next look at all.
      for (const store of this.#stores) {
        await this.#noteSpace(store).catch((error: unknown) => {
          if (error instanceof AssertionError) throw error;
        });
      }
    }
  }

  /** Retention removes for their room. @throws AppError  it is away */
  async #noteSpace({ name, gate }: Store): Promise<void> {
    const measuredMs = this.#clock.monotonicMs();
    try {
      const space = await gate.ask((store) => store.space());
      this.#all.noteSpace(name, space === undefined ? undefined : { measuredMs, ...space });
    } catch (error) {
      this.#all.noteSpace(name, undefined);
      throw error;
    }
  }

  /** @throws AppError  as `OrderedStores.assertSame`, in the gate's time */
  async #assertSame({ name, gate, store }: Store): Promise<void> {
    await gate.ask(() => this.#all.assertSame({ name, store }));
    gate.well();
  }

  async #move(segment: PlacedSegment, from: Store, to: Store): Promise<void> {
    const { objectKey } = segment;
    try {
      await this.#copy(segment, from, to);
    } catch (error) {
      if (!isOfSegment(error)) throw error;
      this.refused.add(objectKey, objectKey, error);
      return;
    }
    const way = { from: from.name, to: to.name };
    const isMoved = this.#index.transaction((change) => change.places.move(objectKey, way));
    // Retention was faster: nothing shows the copy that was just made.
    if (!isMoved) return void (await to.gate.ask((store) => store.delete(objectKey)));
    this.refused.delete(objectKey);
    await this.#deleteOldCopy(objectKey, from.name);
    this.#moved++;
  }

  async #copy(segment: PlacedSegment, from: Store, to: Store): Promise<void> {
    const object = { key: segment.objectKey, byteLength: segment.byteLength };
    const copyOn = async (path: string) => {
      await assertWhole(path, segment, from.name);
      await to.gate.ask((store) => store.putFile(object.key, path));
    };
    await withObjectFile(storeBehind(from), object, copyOn, this.#copies);
    await to.gate.ask(async (store) => store.sync?.());
    await withObjectFile(storeBehind(to), object, (path) => assertWhole(path, segment, to.name), this.#copies);
  }

  #forget(): void {
    this.#placedTo = 0;
    this.#waiting = new Map();
    for (const objectKey of this.#unplaced.values()) this.refused.delete(objectKey);
    this.#unplaced = new Map();
  }

  get #index(): IndexWriter {
    if (!this.#keeper.isIndexOpen) throw appError('unavailable', 'the index is not open');
    return this.#keeper.index;
  }
}

/** Reads every byte. @throws AppError data_loss  they are not those of the row */
async function assertWhole(path: string, segment: PlacedSegment, store: string): Promise<void> {
  const { digest } = await readSegment(path);
  const { damaged, isDigestWrong } = await verifySegment(path);
  if (damaged.length === 0 && !isDigestWrong && Buffer.compare(digest, segment.digest) === 0) return;
  throw appError('data_loss', 'the bytes of a segment are not what was recorded', {
    store,
    objectKey: segment.objectKey,
    damagedFragments: damaged.length,
  });
}

/** Room for as much again as a disk keeps free: retention removes only when moving did not help. */
async function isShort({ gate }: Store): Promise<boolean> {
  const space = await gate.ask((store) => store.space());
  return space !== undefined && space.freeBytes < 2 * reserveBytesOf({ totalBytes: space.totalBytes, openFiles: 0 });
}

/** Its calls one by one under the gate's time. */
function storeBehind({ gate, store: direct }: Store): Pick<ObjectStore, 'localPath' | 'getRange'> {
  return {
    localPath: (key) => direct.localPath(key),
    getRange: (key, offset, length) => gate.ask((store) => store.getRange(key, offset, length)),
  };
}

/** What is wrong with one segment, while its stores are well. */
function isOfSegment(error: unknown): error is AppError {
  return isAppError(error, 'data_loss') || isAppError(error, 'not_found') || isAppError(error, 'failed_precondition');
}
