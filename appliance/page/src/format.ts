/** Times and amounts as people read them, in the browser's language and zone. */

const clockFormat = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});
const dayFormat = new Intl.DateTimeFormat(undefined, {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  year: 'numeric',
});

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const zoneFormat = new Intl.DateTimeFormat(undefined, { timeZoneName: 'short' });

/** `CET`, `GMT+1`: the zone as it is called at that time, since summer and winter differ. */
export function zoneText(atMs: number): string {
  return zoneFormat.formatToParts(atMs).find(({ type }) => type === 'timeZoneName')?.value ?? zone;
}

export function clockText(atMs: number): string {
  return clockFormat.format(atMs);
}

export function dayText(atMs: number): string {
  return dayFormat.format(atMs);
}

/** `45 s`, `3 min`, `2 h 5 min`: two units at most. */
export function durationText(durationMs: number): string {
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 1) return `${Math.round(durationMs)} ms`;
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Local midnight at or before a time; `days` later if given (days of 23 and 25 hours included). */
export function midnight(atMs: number, days = 0): number {
  const date = new Date(atMs);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days).getTime();
}

/** `2026-11-21`, local. */
export function dayName(atMs: number): string {
  const date = new Date(atMs);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

const dayTimeFormat = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});

/** Day of the month and time of day, without the year. */
export function dayTimeText(atMs: number): string {
  return dayTimeFormat.format(atMs);
}

const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** `1.4 GB`: decimal units, as disks are sold. */
export function bytesText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(byteUnits.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1_000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${byteUnits[power]}`;
}

/** `2.1 Mbit/s`. */
export function bitrateText(bitsPerSecond: number): string {
  if (bitsPerSecond >= 1e6) return `${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s`;
  return `${Math.round(bitsPerSecond / 1e3)} kbit/s`;
}

/** Days when there are several, else as `durationText` has it. */
export function longText(durationMs: number): string {
  const days = durationMs / 86_400_000;
  if (days < 2) return durationText(durationMs);
  const rounded = days < 10 ? Math.round(days * 10) / 10 : Math.round(days);
  return `${rounded.toLocaleString()} days`;
}

/** One unit: `8 min`, `5 h`. For columns. */
export function shortText(durationMs: number): string {
  if (durationMs < 60_000) return `${Math.round(durationMs / 1_000)} s`;
  if (durationMs < 3_600_000) return `${Math.floor(durationMs / 60_000)} min`;
  return durationMs < 48 * 3_600_000 ? `${Math.floor(durationMs / 3_600_000)} h` : longText(durationMs);
}
