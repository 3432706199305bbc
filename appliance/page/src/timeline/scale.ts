/** Where on the timeline what lies: views, ticks and their words. Values in, values out. */

import type { Span } from '../api.ts';

export const secondMs = 1_000;
export const minuteMs = 60 * secondMs;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

/** From a glance at one incident to a year. */
export const viewMsMin = minuteMs;
export const viewMsMax = 366 * dayMs;
/** Longer views show days with how much of each is there, since a second of a gap would be lost between two pixels. */
export const spansMsMax = 10 * dayMs;

export function lengthOf({ beginMs, endMs }: Span): number {
  return endMs - beginMs;
}

/** Zooms by a factor, so that what lies at `atMs` stays where it is. */
export function zoomed(view: Span, { atMs, factor, lastMs }: { atMs: number; factor: number; lastMs: number }): Span {
  const length = Math.min(viewMsMax, Math.max(viewMsMin, lengthOf(view) * factor));
  const share = (atMs - view.beginMs) / lengthOf(view);
  return bounded({ beginMs: atMs - share * length, endMs: atMs + (1 - share) * length }, lastMs);
}

export function moved(view: Span, { byMs, lastMs }: { byMs: number; lastMs: number }): Span {
  return bounded({ beginMs: view.beginMs + byMs, endMs: view.endMs + byMs }, lastMs);
}

/** So much of time around an instant, which comes to stand at a share of the width. */
export function around(
  atMs: number,
  { lengthMs, share, lastMs }: { lengthMs: number; share: number; lastMs: number },
): Span {
  const beginMs = atMs - share * lengthMs;
  return bounded({ beginMs, endMs: beginMs + lengthMs }, lastMs);
}

/** A fifth of a view may lie in the future: what is live is seen coming. */
function bounded(view: Span, lastMs: number): Span {
  const excessMs = view.endMs - (lastMs + lengthOf(view) / 5);
  return excessMs > 0 ? { beginMs: view.beginMs - excessMs, endMs: view.endMs - excessMs } : view;
}

/**
 * What to ask the API for: half a view more at each side, on a grid, so that small movements ask for nothing new.
 * `resolutionMs` is below a pixel.
 */
export function windowOf(view: Span): Span & { readonly resolutionMs: number } {
  // Powers of two: zooming a little keeps the window.
  const gridMs = 2 ** Math.ceil(Math.log2(lengthOf(view) / 2));
  return {
    beginMs: Math.max(0, Math.floor(view.beginMs / gridMs - 0.5) * gridMs),
    endMs: Math.ceil(view.endMs / gridMs + 0.5) * gridMs,
    resolutionMs: Math.floor(Math.min(dayMs, gridMs / 1_500)),
  };
}

export type Tick = { readonly atMs: number; readonly text: string; readonly isMajor: boolean };

const stepsMs = [
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * secondMs),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * minuteMs),
  ...[1, 2, 3, 6, 12].map((hours) => hours * hourMs),
];
const stepsDays = [1, 2, 7, 14];
const stepsMonths = [1, 2, 3, 6];
const monthMs = 30 * dayMs;

/** Ticks at whole local times; those that begin a day, or a month in long views, are major. */
export function ticksOf(view: Span, ticksMax: number): Tick[] {
  const wantedMs = lengthOf(view) / ticksMax;
  const stepMs = stepsMs.find((step) => step >= wantedMs);
  if (stepMs !== undefined) return clockTicks(view, stepMs);
  const stepDays = stepsDays.find((days) => days * dayMs >= wantedMs);
  return stepDays === undefined ? monthTicks(view, wantedMs) : dayTicks(view, stepDays);
}

function clockTicks(view: Span, stepMs: number): Tick[] {
  const ticks: Tick[] = [];
  for (let day = midnightOf(view.beginMs); day < view.endMs; day = midnightOf(day, 1)) {
    const next = midnightOf(day, 1);
    const first = Math.max(0, Math.ceil((view.beginMs - day) / stepMs));
    for (let atMs = day + first * stepMs; atMs < Math.min(next, view.endMs); atMs += stepMs) {
      const isMajor = atMs === day;
      ticks.push({ atMs, isMajor, text: isMajor ? dayWords.format(atMs) : clockWords(stepMs).format(atMs) });
    }
  }
  return ticks;
}

function dayTicks(view: Span, stepDays: number): Tick[] {
  const ticks: Tick[] = [];
  for (let atMs = midnightOf(view.beginMs, 1); atMs < view.endMs; atMs = midnightOf(atMs, 1)) {
    const date = new Date(atMs).getDate();
    const isMajor = date === 1;
    // Within a month: the last ones too near to the next first are left out.
    if (isMajor || ((date - 1) % stepDays === 0 && (stepDays === 1 || date < 30 - stepDays / 2))) {
      ticks.push({ atMs, isMajor, text: (isMajor ? monthWords : dayWords).format(atMs) });
    }
  }
  return ticks;
}

function monthTicks(view: Span, wantedMs: number): Tick[] {
  const step = stepsMonths.find((months) => months * monthMs >= wantedMs) ?? 12;
  const first = new Date(view.beginMs);
  const ticks: Tick[] = [];
  for (let month = first.getMonth() + 1; ; month++) {
    const date = new Date(first.getFullYear(), month, 1);
    if (date.getTime() >= view.endMs) return ticks;
    const isMajor = date.getMonth() === 0;
    if (month % step === 0) ticks.push({ atMs: date.getTime(), isMajor, text: monthWords.format(date) });
  }
}

/** Local midnight at or before a time, days of 23 and 25 hours included. */
function midnightOf(atMs: number, days = 0): number {
  const date = new Date(atMs);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days).getTime();
}

const dayWords = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric', month: 'short' });
const monthWords = new Intl.DateTimeFormat(undefined, { month: 'short', year: 'numeric' });
const minuteWords = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const secondWords = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});

function clockWords(stepMs: number): Intl.DateTimeFormat {
  return stepMs < minuteMs ? secondWords : minuteWords;
}
