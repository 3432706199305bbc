/**
 * Removes footage as the planner says: its row becomes garbage, in one transaction with the record of why. Bytes go later
 * (`garbage-removal.ts`).
 */

import { must } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { type Hold, type IndexWriter, isHoldActive, type RemovalReason, type StoredSegment } from '../index/index.ts';
import { limits } from '../model/limits.ts';
import { segmentFileName } from '../model/segment.ts';
import type { MeasuredSpace, Space, StoreRoom } from './finished-files.ts';
import type { GarbageRemoval } from './garbage-removal.ts';
import type { KeeperProblem } from './keeper-state.ts';
import type { LocalFiles } from './local-files.ts';
import { planRemovals, type QuotaPlace, type QuotaPlan, type QuotaStream, reserveBytesOf } from './quota-planner.ts';

export type RetentionOptions = {
  /** All cameras together; undefined: as much as the disks take. */
  readonly bytesMax: number | undefined;
  /** Files that the store does not have yet. */
  readonly localBytesMax: number | undefined;
  /** Room that disks keep; undefined: what open files may need and 2 %. */
  readonly diskReserveBytes: number | undefined;
  /** How long after the start nothing goes for want of an event. */
  readonly eventGraceMs: number;
};

export type DiskState = {
  readonly isClockTrusted: boolean;
  /** False while rows are still missing: then only full disks are a reason to remove. */
  readonly isIndexWhole: boolean;
  /** Files of the journal move to other disks: as long as they do, nothing that is nowhere else is given up. */
  readonly isRelieving: boolean;
  /** The store takes files, however slowly. */
  readonly isStoreTaking: boolean;
  /** Files being written, by stream. */
  readonly openFiles: ReadonlyMap<string, number>;
  /** Undefined: it is not there. */
  readonly journal: MeasuredSpace | undefined;
  /** Of those that have a bound and are there: the only one, or several in their order. */
  readonly stores: readonly StoreRoom[];
};

/** Segments of one transaction, and of one page of the planner. */
const removalsAtOnce = 500;
const pageRows = 200;
/** Of a disk's reserve, what is kept free even of footage that is nowhere else: 30 s of cameras at 4 Mb/s. */
const unstoredReservePart = 0.25;
/** People are told of footage that was given up for so long. */
const givenUpToldMs = 3_600_000;

export class Retention {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #index: IndexWriter;
  readonly #garbage: GarbageRemoval;
  readonly #options: RetentionOptions;
  readonly #files: LocalFiles;
  /** When events that waited for the keeper have arrived, monotonic; undefined before the first look. */
  #eventsKnownMs: number | undefined;
  #lastPlan: Pick<QuotaPlan<StoredSegment>, 'shortBytes'> = { shortBytes: {} };
  /** Footage that was stored nowhere and had to go. */
  #givenUp: { readonly segments: number; readonly sinceMs: number; readonly lastMonotonicMs: number } | undefined;

  constructor(
    dependencies: {
      readonly clock: Clock;
      readonly log: Log;
      readonly index: IndexWriter;
      readonly garbage: GarbageRemoval;
      readonly files: LocalFiles;
    },
    options: RetentionOptions,
  ) {
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#index = dependencies.index;
    this.#garbage = dependencies.garbage;
    this.#files = dependencies.files;
    this.#options = options;
  }

  /** Bytes that limits still lack although everything that may go is gone. */
  get shortBytes(): QuotaPlan<StoredSegment>['shortBytes'] {
    return this.#lastPlan.shortBytes;
  }

  /** Bytes that the journal's disk lacks, counting what is on its way out: of its reserve, and of that for recorders alone. */
  journalNeeds(disk: DiskState): { readonly shortBytes: number; readonly unstoredShortBytes: number } {
    const journal = this.#places(disk).find(({ locations }) => locations.includes('local'));
    const { reserveBytes = 0, unstoredReserveBytes = 0, freeBytes = 0 } = journal ?? {};
    return {
      shortBytes: Math.max(0, reserveBytes - freeBytes),
      unstoredShortBytes: Math.max(0, unstoredReserveBytes - freeBytes),
    };
  }

  /** Told for an hour after the last time. */
  get givenUp(): KeeperProblem | undefined {
    const givenUp = this.#givenUp;
    if (givenUp === undefined || this.#clock.monotonicMs() - givenUp.lastMonotonicMs > givenUpToldMs) return undefined;
    return {
      code: 'footage-given-up',
      message: `${givenUp.segments} segments were removed before they could be stored`,
      hint: givenUpHint,
      sinceMs: givenUp.sinceMs,
    };
  }

  /** Plans and removes rows. Returns how many, and whether there is more to do at once. */
  removeDue(disk: DiskState): { readonly removed: number; readonly isMore: boolean } {
    const nowMs = this.#clock.wallMs();
    const monotonicMs = this.#clock.monotonicMs();
    this.#eventsKnownMs ??= monotonicMs + this.#options.eventGraceMs;
    const plan = planRemovals(
      {
        nowMs,
        isClockTrusted: disk.isClockTrusted && disk.isIndexWhole,
        areEventsKnown: monotonicMs >= this.#eventsKnownMs,
        streams: this.#streams(disk),
        holds: this.#holds(undefined, disk),
        bytesMax: disk.isIndexWhole ? this.#options.bytesMax : undefined,
        localBytes: this.#index.queries.segments.backlog().bytes,
        // What the store takes sooner or later is not removed for its place in a queue.
        localBytesMax: disk.isStoreTaking ? undefined : this.#options.localBytesMax,
        places: this.#places(disk),
        removalsMax: removalsAtOnce,
      },
      (streamId, fromMs, kind) => {
        const { segments } = this.#index.queries;
        if (kind === undefined) return segments.oldestFrom(streamId, fromMs, pageRows);
        return segments.oldestOfKind(streamId, { ...kind, fromMs }, pageRows);
      },
      {
        isInSpare: (segment) => this.#files.isInSpare(segmentFileName(segment)),
        storeOf: ({ objectKey }) => this.#index.queries.places.storeOf(objectKey),
        oldestUnstored: (after) => this.#index.queries.segments.notStoredRows(after, pageRows),
        oldestIn: (store, fromMs) => this.#index.queries.segments.oldestInStore(store, fromMs, pageRows),
      },
    );
    this.#sayShort(plan.shortBytes);
    if (plan.removals.length === 0) return { removed: 0, isMore: false };
    this.#index.transaction((change) => {
      for (const { segment, reason } of plan.removals) {
        change.segments.remove(segment, { reason, isUrgent: isUrgent(reason), nowMs });
      }
      // Whatever waits already comes before footage that nobody asked to remove yet.
      if (plan.removals.some(({ reason }) => isUrgent(reason))) change.segments.hurryGarbage();
    });
    this.#log.info('footage removed', { segments: plan.removals.length, reasons: countReasons(plan.removals) });
    this.#sayGivenUp(plan.removals.filter(({ segment, reason }) => segment.location === 'local' && isUrgent(reason)));
    return { removed: plan.removals.length, isMore: plan.isCutOff };
  }

  /** Removes all footage of a span that no hold protects: a person asked for it. */
  removeRange(request: {
    readonly streamId: string;
    readonly beginMs: number;
    readonly endMs: number;
    readonly who: string;
    readonly isClockTrusted: boolean;
  }): { readonly removed: number; readonly held: number } {
    const { streamId, beginMs, endMs, who } = request;
    const nowMs = this.#clock.wallMs();
    const holds = this.#holds(streamId, request);
    let removed = 0;
    let held = 0;
    for (let fromMs = beginMs; fromMs < endMs; ) {
      const page = this.#index.queries.segments.between(
        streamId,
        { beginMs: fromMs, endMs },
        'server',
        limits.indexRowsMax,
      );
      // Only whole segments go: a segment that reaches beyond the span keeps its other seconds.
      const inside = page.filter((segment) => segment.beginServerMs >= beginMs && segment.endServerMs <= endMs);
      const free = inside.filter(
        (segment) =>
          !holds.some(
            (hold) =>
              segment.endServerMs > hold.beginMs && (hold.endMs === undefined || segment.beginServerMs < hold.endMs),
          ),
      );
      this.#index.transaction((change) => {
        for (const segment of free) change.segments.remove(segment, { reason: 'request', who, isUrgent: false, nowMs });
      });
      removed += free.length;
      held += inside.length - free.length;
      if (page.length < limits.indexRowsMax) break;
      fromMs = page.at(-1)?.endServerMs ?? endMs;
    }
    this.#log.info('footage removed on request', { streamId, beginMs, endMs, who, removed, held });
    return { removed, held };
  }

  /** Gaps and events of a time whose footage is gone by age say nothing any more. */
  forgetOld(): void {
    const nowMs = this.#clock.wallMs();
    this.#index.transaction((change) => {
      for (const { streamId, retentionHours, eventRetentionHours = 0 } of change.state.policies()) {
        if (retentionHours === undefined) continue;
        const oldestMs =
          change.queries.segments.oldestFrom(streamId, Number.MIN_SAFE_INTEGER, 1)[0]?.beginServerMs ?? nowMs;
        const horizonMs = Math.min(oldestMs, nowMs - Math.max(retentionHours, eventRetentionHours) * 3_600_000);
        change.gaps.removeBefore(change.segments.streamKey(streamId), horizonMs);
        change.events.forgetBefore(streamId, horizonMs - limits.eventMarginAfterMs);
      }
    });
  }

  /** A hold that lapsed by a clock that may be wrong protects its footage, whatever else asks for room. */
  #holds(streamId: string | undefined, { isClockTrusted }: { readonly isClockTrusted: boolean }): Hold[] {
    const nowMs = isClockTrusted ? this.#clock.wallMs() : undefined;
    return this.#index.queries.streams.holds(streamId).filter((hold) => isHoldActive(hold, nowMs));
  }

  #streams(disk: DiskState): QuotaStream[] {
    const totals = new Map(this.#index.queries.streams.totalsOfAll().map((each) => [each.streamId, each]));
    return this.#index.state.policies().map((policy) => ({
      ...policy,
      cameraBytesMax: disk.isIndexWhole ? policy.cameraBytesMax : undefined,
      bytes: totals.get(policy.streamId)?.bytes ?? 0,
      openFiles: disk.openFiles.get(policy.streamId) ?? 0,
    }));
  }

  /** What shares a disk shares its room; a store without a bound, or that is away, has no say. */
  #places({ journal, stores, openFiles, isRelieving }: DiskState): QuotaPlace[] {
    const open = [...openFiles.values()].reduce((sum, count) => sum + count, 0);
    const beside = stores.filter(({ device }) => device === journal?.device);
    const apart = [...Map.groupBy(stores, ({ device }) => device).values()].filter(
      ([room]) => !beside.includes(must(room, 'no group is empty')),
    );
    const onTheWay = apart.filter(isOnTheWay).map((rooms) => this.#storePlace(rooms));
    const last = apart.filter((rooms) => !isOnTheWay(rooms)).map((rooms) => this.#storePlace(rooms));
    if (journal === undefined) return last;
    const place = {
      ...this.#journalPlace(journal, { beside, open }),
      ...(isRelieving ? { unstoredReserveBytes: 0 } : {}),
    };
    // Segments move on by themselves; where they cannot, what is stored goes only before what is not.
    const isShort = place.freeBytes < place.reserveBytes;
    return [...(isShort ? onTheWay : []), place, ...last];
  }

  #journalPlace(
    journal: MeasuredSpace,
    { beside, open }: { readonly beside: readonly StoreRoom[]; readonly open: number },
  ): QuotaPlace {
    const reserves = this.#reservesOf(journal, open);
    if (beside.length === 0) {
      return { name: 'journal', freeBytes: journal.freeBytes, ...reserves, locations: ['local'] };
    }
    const freeBytes = journal.freeBytes + this.#leavingBytes(journal, beside);
    const place = {
      name: 'journal',
      freeBytes,
      ...reserves,
      locations: ['local', 'stored'] as const,
      ...namesOf(beside),
    };
    return isOnTheWay(beside) ? { ...place, storedReserveBytes: reserves.unstoredReserveBytes } : place;
  }

  #storePlace(rooms: readonly StoreRoom[]): QuotaPlace {
    const room = must(rooms[0], 'no group is empty');
    const freeBytes = room.freeBytes + this.#leavingBytes(room, rooms);
    return {
      name: room.store ?? 'store',
      freeBytes,
      ...this.#reservesOf(room, 0),
      locations: ['stored'],
      ...namesOf(rooms),
    };
  }

  #reservesOf(space: Space, openFiles: number): Pick<QuotaPlace, 'reserveBytes' | 'unstoredReserveBytes'> {
    const { totalBytes } = space;
    const reserveBytes = this.#options.diskReserveBytes ?? reserveBytesOf({ totalBytes, openFiles });
    return { reserveBytes, unstoredReserveBytes: Math.floor(reserveBytes * unstoredReservePart) };
  }

  /** Most of what leaves, leaves the last store, and takes its time: a store before it has no use for that. */
  #leavingBytes({ measuredMs }: MeasuredSpace, rooms: readonly StoreRoom[]): number {
    const { leavingBytes, urgentBytes } = this.#garbage;
    return (isOnTheWay(rooms) ? urgentBytes : leavingBytes) + this.#garbage.deletedBytesSince(measuredMs);
  }

  #sayGivenUp(removals: readonly { readonly segment: StoredSegment; readonly reason: RemovalReason }[]): void {
    if (removals.length === 0) return;
    const lastMonotonicMs = this.#clock.monotonicMs();
    const { segments = 0, sinceMs = this.#clock.wallMs() } = this.givenUp === undefined ? {} : (this.#givenUp ?? {});
    this.#givenUp = { segments: segments + removals.length, sinceMs, lastMonotonicMs };
    this.#log.error('footage was removed that was stored nowhere else', {
      segments: removals.length,
      reasons: countReasons(removals),
      hint: givenUpHint,
    });
  }

  #sayShort(shortBytes: QuotaPlan<StoredSegment>['shortBytes']): void {
    const before = Object.keys(this.#lastPlan.shortBytes).sort().join();
    const now = Object.keys(shortBytes).sort().join();
    this.#lastPlan = { shortBytes };
    if (before === now) return;
    if (now === '') this.#log.info('all limits are kept again', {});
    else {
      this.#log.error('a limit cannot be kept', {
        shortBytes,
        hint: 'What is left is under legal hold, or the limit is too small. Release holds or give more room.',
      });
    }
  }
}

const givenUpHint =
  'The object store is away, or slower than the cameras, and no journal directory has room. Look at the store; give more room.';

function countReasons(removals: readonly { readonly reason: RemovalReason }[]): Partial<Record<RemovalReason, number>> {
  const counts: Partial<Record<RemovalReason, number>> = {};
  for (const { reason } of removals) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}

/** All of it moves on to another disk. */
function isOnTheWay(rooms: readonly StoreRoom[]): boolean {
  return rooms.every(({ isLast }) => !isLast);
}

function namesOf(rooms: readonly StoreRoom[]): Pick<QuotaPlace, 'stores' | 'isOnTheWay'> {
  const stores = rooms.flatMap(({ store }) => store ?? []);
  return stores.length === 0 ? {} : { stores, isOnTheWay: isOnTheWay(rooms) };
}

function isUrgent(reason: RemovalReason): boolean {
  return reason === 'disk-full' || reason === 'local-bytes';
}
