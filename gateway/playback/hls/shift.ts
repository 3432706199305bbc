/**
 * How the sub source of a camera lies beside its main one. Both have our server time, but their packets took ways of different
 * length; where the camera's sender reports tell producer times, the same instant of both is found by these. Pure.
 */

import type { PlayableFragment } from '../fragment-source.ts';

/** What is taken from the sub stream's times so that they are those of the main one. Milliseconds, whole. */
export type Shift = {
  /** From server timestamps, which are shown as dates. */
  readonly dateMs: number;
  /** From the timestamps inside of media segments, which are a run's begin plus media time and follow no clock afterwards. */
  readonly mediaMs: number;
};

export const noShift: Shift = { dateMs: 0, mediaMs: 0 };

/** Ways that differ by more are none: the camera's two sources tell producer times of clocks that have nothing in common. */
const dateMsMax = 2_000;
/** A run that began behind a backlog has moved by so much at most; runs of days drift in both streams alike. */
const mediaMsMax = 60_000;
/** Smaller differences are the jitter of one packet; a shift that stays the same keeps URIs the same. */
const stepMs = 5;

/** The shift of a sub stream's fragments against those of the main one at about the same time. */
export function shiftBetween(main: readonly PlayableFragment[], sub: readonly PlayableFragment[]): Shift {
  const date = difference(main, sub, wayMs) ?? 0;
  const dateMs = Math.abs(date) <= dateMsMax ? stepped(date) : 0;
  const media = stepped(dateMs + (difference(main, sub, mediaAheadMs) ?? 0));
  return { dateMs, mediaMs: Math.abs(media) <= mediaMsMax ? media : dateMs };
}

/** `-120~35`: part of a URI. */
export function shiftToText(shift: Shift): string | undefined {
  return shift.dateMs === 0 && shift.mediaMs === 0 ? undefined : `${shift.dateMs}~${shift.mediaMs}`;
}

/** Undefined when it is none of ours; `noShift` for an absent one. */
export function parseShift(text: string | undefined): Shift | undefined {
  if (text === undefined) return noShift;
  const [, date, media] = /^(-?\d{1,4})~(-?\d{1,5})$/.exec(text) ?? [];
  return date === undefined || media === undefined ? undefined : { dateMs: Number(date), mediaMs: Number(media) };
}

/** How long media took from the camera to us by its own clock; undefined where it does not tell the time. */
function wayMs({ fragment }: PlayableFragment): number | undefined {
  const ms = fragment.serverTimestampMs - fragment.producerTimestampMs;
  // Without sender reports the producer timestamp is ours.
  return ms === 0 ? undefined : ms;
}

/** How far media time, counted from the run's begin, is ahead of server time by now. */
function mediaAheadMs({ fragment, segment }: PlayableFragment): number {
  return segment.runStartServerMs + fragment.mediaTimeMs - fragment.serverTimestampMs;
}

function difference(
  main: readonly PlayableFragment[],
  sub: readonly PlayableFragment[],
  of: (reference: PlayableFragment) => number | undefined,
): number | undefined {
  const ofMain = median(main.map(of));
  const ofSub = median(sub.map(of));
  return ofMain === undefined || ofSub === undefined ? undefined : ofSub - ofMain;
}

function median(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  return known[Math.floor(known.length / 2)];
}

function stepped(ms: number): number {
  // Without the 0 it may be a negative zero.
  return Math.round(ms / stepMs) * stepMs + 0;
}
