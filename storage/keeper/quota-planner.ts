/**
 * Decides what to remove: a pure function of totals, policies, holds and free room. Age first, then the limits of cameras, of
 * all together, of local files while the store is away, and of disks. Where bytes are short, what no event marks goes first, but
 * for its newest (`limits.unmarkedSpareMs`, or the pre-roll); then everything, oldest first. It frees before anything is full, since each open file
 * is charged the whole size it may reach, and it cannot dead-lock: what it could not free it says, and recording goes on.
 */

import type { Hold, RemovalReason, SegmentKind, StoredSegment } from '../index/index.ts';
import { limits } from '../model/limits.ts';

/** What the planner needs to know of a segment. */
export type Candidate = Pick<
  StoredSegment,
  | 'segmentId'
  | 'streamId'
  | 'beginServerMs'
  | 'endServerMs'
  | 'byteLength'
  | 'location'
  | 'recordingClass'
  | 'recordingMode'
>;

export type QuotaStream = {
  readonly streamId: string;
  readonly cameraId: string | undefined;
  /** Undefined: nothing is removed by age. */
  readonly retentionHours: number | undefined;
  /** Of what an event marks; undefined, or less than the rest has: as long as the rest. */
  readonly eventRetentionHours?: number | undefined;
  /** How long mode `events` keeps what no event marks; undefined: as long as the rest. */
  readonly preRollMinutes?: number | undefined;
  readonly cameraBytesMax: number | undefined;
  readonly bytes: number;
  /** Files being written: each is charged `limits.segmentBytes`. */
  readonly openFiles: number;
};

/** A file system that segments lie on. */
export type QuotaPlace = {
  readonly name: string;
  /** Which segments free room here when they go. */
  readonly locations: readonly StoredSegment['location'][];
  /** Of several stores those that lie here; undefined: the only one does, as far as `locations` says so. */
  readonly stores?: readonly string[];
  /** What is stored here moves on to another disk: few rows of the index are of these stores, and mostly its newest. */
  readonly isOnTheWay?: boolean;
  /** Room now plus what is already on its way out. */
  readonly freeBytes: number;
  readonly reserveBytes: number;
  /** Up to which stored footage goes; undefined: all of the reserve. */
  readonly storedReserveBytes?: number;
  /** Footage that is nowhere else goes only when less than this is free: what recorders need until the next look. */
  readonly unstoredReserveBytes: number;
};

export type QuotaInput = {
  readonly nowMs: number;
  /** False: age says nothing, since the clock may be wrong. */
  readonly isClockTrusted: boolean;
  /** False: events may still be on their way that mark what waits for one. */
  readonly areEventsKnown?: boolean;
  readonly streams: readonly QuotaStream[];
  /** Active ones only. */
  readonly holds: readonly Hold[];
  readonly bytesMax: number | undefined;
  /** Files that the store does not have yet: their bytes and their limit. */
  readonly localBytes: number;
  readonly localBytesMax: number | undefined;
  readonly places: readonly QuotaPlace[];
  /** Most removals of one plan. */
  readonly removalsMax: number;
};

export type PlannedRemoval<Segment extends Candidate> = { readonly segment: Segment; readonly reason: RemovalReason };

export type QuotaPlan<Segment extends Candidate> = {
  /** In this order. */
  readonly removals: readonly PlannedRemoval<Segment>[];
  /** Bytes that a limit still lacks although everything that may go went: held, or simply too small a limit. */
  readonly shortBytes: Readonly<Partial<Record<RemovalReason, number>>>;
  /** There is more to do than `removalsMax`: plan again at once. */
  readonly isCutOff: boolean;
};

/** Segments of one kind alone, that begin before a moment. */
export type KindBefore = SegmentKind & { readonly beforeMs: number };

/** Segments of a stream that begin at or after a moment, oldest first, a page at a time; an empty page is the end. */
export type OldestOf<Segment extends Candidate> = (
  streamId: string,
  fromMs: number,
  kind: KindBefore | undefined,
) => readonly Segment[];

/** Where segments are. */
export type Whereabouts<Segment extends Candidate> = {
  /** Of a local segment: it lies on another disk than the journal, so that its removal gives that one no room. */
  isInSpare?(segment: Segment): boolean;
  /** Of several stores the one that has it; undefined: nobody knows yet. */
  storeOf?(segment: Segment): string | undefined;
  /** Segments of one of several stores that end at or after a moment, oldest end first, a page at a time; an empty page is the end. */
  oldestIn?(store: string, fromMs: number): readonly Segment[];
  /** Segments of all streams that are stored nowhere, oldest begin first, after one of them; an empty page is the end. */
  oldestUnstored(after: Segment | undefined): readonly Segment[];
};

const hourMs = 3_600_000;

const modes = ['continuous', 'events', 'unknown'] as const;
const kinds: readonly SegmentKind[] = (['continuous', 'event'] as const).flatMap((recordingClass) =>
  modes.map((recordingMode) => ({ recordingClass, recordingMode })),
);

/** The removals that bring everything under its limits, oldest first, and never anything under hold. */
export function planRemovals<Segment extends Candidate>(
  input: QuotaInput,
  oldest: OldestOf<Segment>,
  whereabouts: Whereabouts<Segment>,
): QuotaPlan<Segment> {
  const plan = new Plan(input, oldest, whereabouts);
  if (input.isClockTrusted) for (const stream of input.streams) plan.removeByAge(stream);
  for (const streams of byCamera(input.streams).values()) {
    const bytesMax = streams[0]?.cameraBytesMax;
    if (bytesMax !== undefined)
      plan.removeOver('camera-bytes', streams, { bytes: chargedBytes(streams, bytesMax), bytesMax });
  }
  if (input.bytesMax !== undefined) {
    const { bytesMax, streams } = input;
    plan.removeOver('total-bytes', streams, { bytes: chargedBytes(streams, bytesMax), bytesMax });
  }
  if (input.localBytesMax !== undefined) {
    const over = { bytes: input.localBytes, bytesMax: input.localBytesMax };
    plan.removeOver('local-bytes', input.streams, over, { counts: isUnstored, mayGo: isUnstored, among: 'unstored' });
  }
  for (const place of input.places) {
    const counts = (segment: Segment) => isAt(place, segment, whereabouts);
    const { reserveBytes, storedReserveBytes = reserveBytes, unstoredReserveBytes, freeBytes: bytesMax } = place;
    if (place.locations.includes('stored')) {
      const mayGo = (segment: Segment) => counts(segment) && !isUnstored(segment);
      const among = (place.isOnTheWay ? place.stores : undefined) ?? 'all';
      plan.removeOver('disk-full', input.streams, { bytes: storedReserveBytes, bytesMax }, { counts, mayGo, among });
    }
    if (place.locations.includes('local')) {
      // What is stored here went before, as far as it may: only what is nowhere else is left to be looked through.
      const mayGo = (segment: Segment) => counts(segment) && isUnstored(segment);
      const over = { bytes: unstoredReserveBytes, bytesMax };
      plan.removeOver('disk-full', input.streams, over, { counts, mayGo, among: 'unstored' });
    }
  }
  return plan.result();
}

/** Its removal gives room there. */
function isAt<Segment extends Candidate>(
  place: QuotaPlace,
  segment: Segment,
  { isInSpare, storeOf }: Whereabouts<Segment>,
): boolean {
  if (!place.locations.includes(segment.location)) return false;
  if (isUnstored(segment)) return isInSpare?.(segment) !== true;
  const store = place.stores === undefined ? undefined : storeOf?.(segment);
  return place.stores === undefined || (store !== undefined && place.stores.includes(store));
}

const everything = { counts: () => true, mayGo: () => true, among: 'all' } as const;

function isUnstored(segment: Candidate): boolean {
  return segment.location === 'local';
}

/** Room a disk should keep: every open file may still grow to its full size, and a part of the disk is never ours. */
export function reserveBytesOf(place: { readonly totalBytes: number; readonly openFiles: number }): number {
  return (
    place.openFiles * limits.segmentBytes + Math.min(limits.diskReserveBytesMax, Math.floor(place.totalBytes / 50))
  );
}

/** Stored bytes and open files; but a limit smaller than its open files still keeps half of it for what is finished. */
function chargedBytes(streams: readonly QuotaStream[], bytesMax: number): number {
  const openBytes = streams.reduce((sum, stream) => sum + stream.openFiles * limits.segmentBytes, 0);
  return streams.reduce((sum, stream) => sum + stream.bytes, 0) + Math.min(openBytes, Math.floor(bytesMax / 2));
}

function byCamera(streams: readonly QuotaStream[]): Map<string, QuotaStream[]> {
  const cameras = new Map<string, QuotaStream[]>();
  for (const stream of streams) {
    const camera = stream.cameraId ?? `stream ${stream.streamId}`;
    cameras.set(camera, [...(cameras.get(camera) ?? []), stream]);
  }
  return cameras;
}

type Scope<Segment extends Candidate> = {
  /** Its removal counts. */
  counts(segment: Segment): boolean;
  mayGo(segment: Segment): boolean;
  /** Which rows are looked through: all, those of some stores, or those that are stored nowhere. A site has millions of the first. */
  readonly among: 'all' | 'unstored' | readonly string[];
};

class Plan<Segment extends Candidate> {
  readonly #input: QuotaInput;
  readonly #oldest: OldestOf<Segment>;
  readonly #whereabouts: Whereabouts<Segment>;
  readonly #removals: PlannedRemoval<Segment>[] = [];
  readonly #removed = new Set<number>();
  readonly #shortBytes: Partial<Record<RemovalReason, number>> = {};
  #isCutOff = false;

  constructor(input: QuotaInput, oldest: OldestOf<Segment>, whereabouts: Whereabouts<Segment>) {
    this.#input = input;
    this.#oldest = oldest;
    this.#whereabouts = whereabouts;
  }

  result(): QuotaPlan<Segment> {
    return { removals: this.#removals, shortBytes: this.#shortBytes, isCutOff: this.#isCutOff };
  }

  removeByAge(stream: QuotaStream): void {
    for (const kind of kinds) {
      const keptMs = keptMsOf(stream, kind);
      if (keptMs === undefined) return;
      const isForLackOfEvent = kind.recordingClass === 'continuous' && kind.recordingMode === 'events';
      if (isForLackOfEvent && this.#input.areEventsKnown === false) continue;
      const beforeMs = this.#input.nowMs - keptMs;
      for (const segment of this.#walk(stream.streamId, { ...kind, beforeMs })) {
        if (segment.endServerMs > beforeMs) continue;
        if (!this.#remove(segment, isForLackOfEvent ? 'unmarked' : 'age')) return;
      }
    }
  }

  /** Removes until `bytes` is at most `bytesMax`: the unmarked first, then the oldest. What this plan removed already counts. */
  removeOver(
    reason: RemovalReason,
    streams: readonly QuotaStream[],
    over: { readonly bytes: number; readonly bytesMax: number },
    { counts, mayGo, among }: Scope<Segment> = everything,
  ): void {
    const streamIds = new Set(streams.map((stream) => stream.streamId));
    let excess = over.bytes - over.bytesMax;
    for (const { segment } of this.#removals) {
      if (streamIds.has(segment.streamId) && counts(segment)) excess -= segment.byteLength;
    }
    if (excess <= 0) return;
    for (const isUnmarked of [true, false]) {
      for (const segment of merged(this.#walksOf(streams, { among, isUnmarked }))) {
        if (!mayGo(segment)) continue;
        if (!this.#remove(segment, reason)) return;
        excess -= segment.byteLength;
        if (excess <= 0) return;
      }
    }
    this.#shortBytes[reason] = Math.max(this.#shortBytes[reason] ?? 0, excess);
  }

  /** False when the plan is as long as it may be. */
  #remove(segment: Segment, reason: RemovalReason): boolean {
    if (this.#removals.length >= this.#input.removalsMax) {
      this.#isCutOff = true;
      return false;
    }
    this.#removed.add(segment.segmentId);
    this.#removals.push({ segment, reason });
    return true;
  }

  #walksOf(
    streams: readonly QuotaStream[],
    { among, isUnmarked }: Pick<Scope<Segment>, 'among'> & { readonly isUnmarked: boolean },
  ): Generator<Segment>[] {
    if (among === 'unstored') return [this.#walkUnstored(streams, { isUnmarked })];
    if (among !== 'all') return among.map((store) => this.#walkStore(store, streams, { isUnmarked }));
    if (isUnmarked) return streams.flatMap((stream) => this.#unmarked(stream));
    return streams.map(({ streamId }) => this.#walk(streamId));
  }

  /** What no event marks and no event to come is likely to. */
  #unmarked({ streamId, preRollMinutes = 0 }: QuotaStream): Generator<Segment>[] {
    const beforeMs = this.#input.nowMs - unmarkedSpareMs(preRollMinutes);
    return modes.map((recordingMode) =>
      this.#walk(streamId, { recordingClass: 'continuous', recordingMode, beforeMs }),
    );
  }

  /** As `#walk`, of one store and streams; with `isUnmarked`, only what no event marks and no event to come is likely to. */
  *#walkStore(
    store: string,
    streams: readonly QuotaStream[],
    { isUnmarked }: { readonly isUnmarked: boolean },
  ): Generator<Segment> {
    const mayGo = this.#goingOf(streams, { isUnmarked });
    let seen = new Set<number>();
    for (let fromMs = Number.MIN_SAFE_INTEGER; ; ) {
      const page = this.#whereabouts.oldestIn?.(store, fromMs) ?? [];
      const fresh = page.filter(({ segmentId }) => !seen.has(segmentId));
      if (page.length === 0) return;
      yield* fresh.filter(mayGo);
      fromMs = (page.at(-1)?.endServerMs ?? fromMs) + (fresh.length === 0 ? 1 : 0);
      seen = new Set(page.map(({ segmentId }) => segmentId));
    }
  }

  /** As `#walkStore`, of what is stored nowhere. */
  *#walkUnstored(
    streams: readonly QuotaStream[],
    { isUnmarked }: { readonly isUnmarked: boolean },
  ): Generator<Segment> {
    const mayGo = this.#goingOf(streams, { isUnmarked });
    for (let after: Segment | undefined; ; ) {
      const page = this.#whereabouts.oldestUnstored(after);
      yield* page.filter(mayGo);
      after = page.at(-1);
      if (after === undefined) return;
      if (isUnmarked && after.beginServerMs >= this.#input.nowMs - unmarkedSpareMs(0)) return;
    }
  }

  /** Whether a segment may go: of these streams, not gone yet, under no hold; with `isUnmarked`, no event marks it or is likely to. */
  #goingOf(streams: readonly QuotaStream[], { isUnmarked }: { readonly isUnmarked: boolean }) {
    const spareMs = new Map(streams.map((each) => [each.streamId, unmarkedSpareMs(each.preRollMinutes ?? 0)]));
    const { holds, nowMs } = this.#input;
    return (segment: Segment): boolean => {
      const ownMs = spareMs.get(segment.streamId);
      if (ownMs === undefined || this.#removed.has(segment.segmentId)) return false;
      if (isUnmarked && (segment.recordingClass === 'event' || segment.beginServerMs >= nowMs - ownMs)) return false;
      return !holds.some((hold) => isOfHold(segment, hold));
    };
  }

  /** Oldest first, without what is removed already or under hold; a hold is jumped over, not walked through. */
  *#walk(streamId: string, kind?: KindBefore): Generator<Segment> {
    const holds = this.#input.holds.filter((hold) => hold.streamId === undefined || hold.streamId === streamId);
    const seen = new Set<number>();
    for (let fromMs = Number.MIN_SAFE_INTEGER; ; ) {
      const page = this.#oldest(streamId, fromMs, kind);
      const fresh = page.filter((segment) => !seen.has(segment.segmentId));
      if (page.length === 0) return;
      let nextMs = (page.at(-1)?.beginServerMs ?? fromMs) + (fresh.length === 0 ? 1 : 0);
      for (const segment of fresh) {
        seen.add(segment.segmentId);
        const hold = holds.find((each) => isHeld(segment, each));
        if (hold !== undefined) {
          if (hold.endMs === undefined) return;
          if (hold.endMs > nextMs) {
            nextMs = hold.endMs;
            break;
          }
        } else if (!this.#removed.has(segment.segmentId)) {
          yield segment;
        }
      }
      fromMs = nextMs;
    }
  }
}

/** How long a segment stays; undefined: no age. An event never shortens it, and what is not known is decided for the footage. */
function keptMsOf(stream: QuotaStream, kind: SegmentKind): number | undefined {
  const { retentionHours, eventRetentionHours = retentionHours, preRollMinutes } = stream;
  if (retentionHours === undefined || eventRetentionHours === undefined) return undefined;
  const isPreRoll = kind.recordingMode === 'events' && preRollMinutes !== undefined;
  const unmarkedMs = isPreRoll ? preRollMinutes * 60_000 : retentionHours * hourMs;
  const isEvent = kind.recordingClass === 'event' || kind.recordingMode === 'unknown';
  return isEvent ? Math.max(unmarkedMs, eventRetentionHours * hourMs) : unmarkedMs;
}

function isOfHold(segment: Candidate, hold: Hold): boolean {
  return (hold.streamId === undefined || hold.streamId === segment.streamId) && isHeld(segment, hold);
}

/** The newest of what no event marks stays for events to come. */
function unmarkedSpareMs(preRollMinutes: number): number {
  return Math.max(preRollMinutes * 60_000, limits.unmarkedSpareMs);
}

/** Footage that overlaps the hold's span stays. */
function isHeld(segment: Candidate, hold: Hold): boolean {
  return segment.endServerMs > hold.beginMs && (hold.endMs === undefined || segment.beginServerMs < hold.endMs);
}

/** Several walks as one, oldest first. */
function* merged<Segment extends Candidate>(walks: readonly Generator<Segment>[]): Generator<Segment> {
  const heads = walks.flatMap((walk) => {
    const { value, done } = walk.next();
    return done ? [] : [{ walk, segment: value as Segment }];
  });
  while (heads.length > 0) {
    let first = 0;
    for (let i = 1; i < heads.length; i++) if (beginOf(heads[i]) < beginOf(heads[first])) first = i;
    const head = heads[first];
    if (head === undefined) return;
    yield head.segment;
    const { value, done } = head.walk.next();
    if (done) heads.splice(first, 1);
    else head.segment = value as Segment;
  }
}

function beginOf(head: { readonly segment: Candidate } | undefined): number {
  return head?.segment.beginServerMs ?? Number.POSITIVE_INFINITY;
}
