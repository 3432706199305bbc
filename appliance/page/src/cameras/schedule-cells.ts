/** A weekly schedule as a table of half hours and back: what people paint and what is stored. Pure. */

import type { RecordingMode, WeeklySchedule } from '../api.ts';

export const cellMinutes = 30;
export const dayCells = 1_440 / cellMinutes;

/** Days from Monday, each of 48 half hours; null: the camera's own mode. */
export type WeekCells = readonly (readonly (RecordingMode | null)[])[];

type Spans = WeeklySchedule['spans'];

/** A half hour has the mode that it begins with. */
export function spansToCells(spans: Spans): WeekCells {
  return Array.from({ length: 7 }, (_, day) =>
    Array.from({ length: dayCells }, (_, cell) => {
      const minute = cell * cellMinutes;
      const span = spans.find(
        ({ weekday, beginMinute, endMinute }) => weekday === day + 1 && beginMinute <= minute && minute < endMinute,
      );
      return span?.mode ?? null;
    }),
  );
}

/** Neighbours of one mode are one span; a night is two, up to midnight and from there. */
export function cellsToSpans(cells: WeekCells): Spans {
  return cells.flatMap((row, day) => {
    const spans: { weekday: number; beginMinute: number; endMinute: number; mode: RecordingMode }[] = [];
    row.forEach((mode, cell) => {
      const last = spans.at(-1);
      const beginMinute = cell * cellMinutes;
      if (mode === null) return;
      if (last?.mode === mode && last.endMinute === beginMinute) last.endMinute += cellMinutes;
      else spans.push({ weekday: day + 1, beginMinute, endMinute: beginMinute + cellMinutes, mode });
    });
    return spans;
  });
}

/** The rectangle between two cells in another mode. */
export function paint(
  cells: WeekCells,
  corners: readonly [{ readonly day: number; readonly cell: number }, { readonly day: number; readonly cell: number }],
  mode: RecordingMode | null,
): WeekCells {
  const between = (value: number, one: number, other: number) =>
    value >= Math.min(one, other) && value <= Math.max(one, other);
  const [first, last] = corners;
  return cells.map((row, day) =>
    between(day, first.day, last.day)
      ? row.map((before, cell) => (between(cell, first.cell, last.cell) ? mode : before))
      : row,
  );
}

/** False for a schedule of a program whose edges lie between half hours: painting would move them. */
export function isInHalfHours(spans: Spans): boolean {
  return spans.every(({ beginMinute, endMinute }) => beginMinute % cellMinutes === 0 && endMinute % cellMinutes === 0);
}

/** `07:30` */
export function cellTime(cell: number): string {
  return minuteTime(cell * cellMinutes);
}

/** `07:30`; the end of a day is `24:00`. */
export function minuteTime(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
}
