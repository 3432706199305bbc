/**
 * How much a stream adds to what is kept: by the wall time in which it came, each part with the age at which that part goes.
 * Values in, values out.
 *
 * What came in the last seven days is told by what it is kept for (`GET /api/streams/lately`). A camera that records eight hours a
 * day adds a third of one that always does: bytes are put against the hours in which its schedule wants them, and a week has so
 * many of those.
 */

import type { RecordingMode as Mode, WeeklySchedule } from '../../../../storage/model/camera.ts';
import { modesWithin } from '../../../../storage/model/kept-mode.ts';
import type { Recording } from '../api.ts';
import type { LatelyStream, StoredStream } from './system.ts';

const minuteMs = 60_000;
const hourMs = 3_600_000;
const dayMs = 86_400_000;
const weekMs = 7 * dayMs;
/** Below that a rate says more of the first seconds than of the camera. */
const continuousMsMin = 10 * minuteMs;
/** Below that one event more or less is all the difference. */
const eventsMsMin = hourMs;

/** What is known of a stream. */
export type StreamFacts = {
  readonly stored: Pick<StoredStream, 'totals' | 'createdMs'>;
  /** Undefined: not answered yet. */
  readonly lately: Pick<LatelyStream, 'days' | 'completeSinceMs' | 'heldSegments' | 'isHeldOnAndOn'> | undefined;
  /** Undefined: nothing more is to come, since its camera is off or removed. */
  readonly recording: Recording | undefined;
  /** We fetch it: a day without footage is one on which it was away. What others send comes when they like. */
  readonly isFetched: boolean;
  readonly nowMs: number;
};

/** A part of what a stream adds, by the age at which it goes. */
export type Part = {
  readonly bytesPerDay: number;
  /** Infinity: a hold keeps all that comes. */
  readonly days: number;
  /** What no event marks (yet) of a camera that keeps events: it goes before it counts as added. */
  readonly isPreRoll: boolean;
};

export type StreamRate = {
  readonly storedBytes: number;
  /** Of that, kept by holds. */
  readonly heldBytes: number;
  readonly parts: readonly Part[];
  /** False: it records, but how much is not known yet; it has no parts then. */
  readonly isKnown: boolean;
  /** What it keeps is as old as it gets: its bytes change with its rate only. */
  readonly isOfAge: boolean;
};

/** Ages in hours at which footage goes by what it is kept for: as the keeper has it. */
export function agesOf({ retentionHours, eventRetentionHours, preRollMinutes }: Recording) {
  const eventHours = eventRetentionHours ?? retentionHours;
  return {
    continuous: retentionHours,
    continuousMarked: Math.max(retentionHours, eventHours),
    unmarked: preRollMinutes / 60,
    marked: Math.max(preRollMinutes / 60, eventHours),
  };
}

/** Modes that hold at some hour of the week. */
export function modesOf({ mode, schedule }: Recording): ReadonlySet<Mode> {
  const spans = schedule?.spans ?? [];
  const minutes = spans.reduce((sum, { beginMinute, endMinute }) => sum + endMinute - beginMinute, 0);
  return new Set([...(minutes < weekMs / minuteMs ? [mode] : []), ...spans.map((span) => span.mode)]);
}

export function streamRate(facts: StreamFacts): StreamRate {
  const { totals } = facts.stored;
  const storedBytes = totals?.bytes ?? 0;
  const meanBytes = totals === null || totals.segments === 0 ? 0 : totals.bytes / totals.segments;
  const heldBytes = Math.min(storedBytes, (facts.lately?.heldSegments ?? 0) * meanBytes);
  const parts = partsOf(facts, meanBytes);
  const days = Math.max(0, ...(parts ?? []).map((part) => part.days));
  const reachMs = totals?.beginMs == null ? 0 : facts.nowMs - totals.beginMs;
  return {
    storedBytes,
    heldBytes,
    parts: parts ?? [],
    isKnown: parts !== undefined,
    // A segment goes when the whole of it is of age, and the keeper looks once in a while. Old holds would say it of a young camera.
    isOfAge: heldBytes === 0 && days > 0 && reachMs > 0.98 * days * dayMs,
  };
}

/** Undefined: not known yet. */
function partsOf(facts: StreamFacts, meanBytes: number): readonly Part[] | undefined {
  const { recording, lately, stored } = facts;
  if (recording === undefined) return [];
  const modes = modesOf(recording);
  if (!modes.has('continuous') && !modes.has('events')) return [];
  if (lately === undefined || stored.totals === null || stored.totals.durationMs === 0) return undefined;
  const week = wantedMs(recording, { beginMs: facts.nowMs - weekMs, endMs: facts.nowMs });
  const ages = agesOf(recording);
  const bytesPerMs = stored.totals.bytes / stored.totals.durationMs;
  /** Bytes of a day, of segments that came in so many of the hours in which the mode holds. */
  const perDay = (segments: number, ms: number, mode: 'continuous' | 'events') =>
    ms === 0 ? 0 : ((segments * meanBytes) / ms) * (week[mode] / 7);
  const parts: Part[] = [];
  if (week.continuous > 0) {
    const spans = facts.isFetched ? spansThere(facts, lately) : [spanSinceBegin(facts, lately)];
    const ms = sumOf(spans, (span) => wantedMs(recording, span).continuous);
    if (ms < continuousMsMin) return undefined;
    const segments = countsOf(lately);
    const marked = perDay(segments.continuousMarked, ms, 'continuous');
    parts.push({
      bytesPerDay: perDay(segments.continuous, ms, 'continuous'),
      days: ages.continuous / 24,
      isPreRoll: false,
    });
    parts.push({ bytesPerDay: marked, days: ages.continuousMarked / 24, isPreRoll: false });
  }
  if (week.events > 0) {
    const ms = wantedMs(recording, spanSinceBegin(facts, lately)).events;
    if (ms < eventsMsMin) return undefined;
    const all = bytesPerMs * (week.events / 7);
    // An endless hold keeps what no event marks too.
    const marked = lately.isHeldOnAndOn ? all : Math.min(all, perDay(countsOf(lately).marked, ms, 'events'));
    parts.push({ bytesPerDay: marked, days: ages.marked / 24, isPreRoll: false });
    const days = ages.unmarked / 24;
    // Pre-roll is there in full whenever the mode holds, so the hours of the week do not thin it.
    if (!lately.isHeldOnAndOn) parts.push({ bytesPerDay: bytesPerMs * dayMs, days, isPreRoll: true });
  }
  return lately.isHeldOnAndOn ? parts.map((part) => ({ ...part, days: Infinity })) : parts;
}

type Lately = NonNullable<StreamFacts['lately']>;
type Span = { readonly beginMs: number; readonly endMs: number };

/** The parts of the last days on which a stream was there at all: from the first of its footage that is all there to the last. */
function spansThere({ stored }: StreamFacts, lately: Lately): Span[] {
  const there = lately.days.filter(({ firstMs }) => firstMs !== null);
  const firstMs = Math.max(there[0]?.firstMs ?? 0, lately.completeSinceMs ?? 0);
  const lastMs = stored.totals?.endMs ?? Infinity;
  return there
    .map(({ beginMs, endMs }) => ({ beginMs: Math.max(beginMs, firstMs), endMs: Math.min(endMs, lastMs) }))
    .filter(({ beginMs, endMs }) => beginMs < endMs);
}

/** Since when all that was to be kept is there: where the oldest is young, at least a day, if the stream is as old as that. */
function spanSinceBegin({ stored, nowMs }: StreamFacts, lately: Lately): Span {
  const sinceMs = Math.max(lately.days[0]?.beginMs ?? nowMs, lately.completeSinceMs ?? 0, stored.createdMs);
  const firstMs = stored.totals?.beginMs ?? nowMs;
  return { beginMs: Math.max(sinceMs, Math.min(firstMs, nowMs - dayMs)), endMs: nowMs };
}

function countsOf({ days }: Lately) {
  return {
    continuous: sumOf(days, ({ counts }) => counts.continuous),
    continuousMarked: sumOf(days, ({ counts }) => counts.continuousMarked),
    marked: sumOf(days, ({ counts }) => counts.marked),
  };
}

/** How much of a span each mode holds. */
function wantedMs({ mode, schedule }: Recording, span: Span): Readonly<Record<Mode, number>> {
  const ms = { continuous: 0, events: 0, live: 0 };
  const policy = schedule === null ? { mode } : { mode, schedule: schedule as WeeklySchedule };
  for (const part of modesWithin(policy, span)) ms[part.mode] += part.endMs - part.beginMs;
  return ms;
}

function sumOf<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0);
}
