/** Moments and ranges as players write them: in the query of a URL and in the Range header (RFC 2326 3.6, 3.7, 12.29). Pure. */

/** Beyond it a `Date` cannot say which day it is. */
const timeMsMax = 8_640_000_000_000_000;
const isoWithZone = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})$/i;
const clockTime = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(\.\d{1,9})?Z$/i;
const nptClock = /^(\d{1,6}):(\d{1,2}):(\d{1,2}(?:\.\d{1,9})?)$/;
const nptSeconds = /^\d{1,10}(?:\.\d{0,9})?$/;

/** Milliseconds since 1970 UTC of ISO 8601 with a zone, of RTSP's own form (20260131T120000Z) or of plain milliseconds. */
export function parseMoment(text: string): number | undefined {
  if (/^\d{1,16}$/.test(text)) return inRange(Number(text));
  const match = clockTime.exec(text);
  if (match !== null) {
    const [, year, month, day, hour, minute, second, fraction = ''] = match;
    return inRange(Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) + Number(`0${fraction}`) * 1000);
  }
  return isoWithZone.test(text) ? inRange(Date.parse(text)) : undefined;
}

/** RTSP's own form: `20260131T120000.250Z`. */
export function formatMoment(timeMs: number): string {
  return new Date(Math.round(timeMs)).toISOString().replace(/[-:]/g, '');
}

/** What a Range header asks for. */
export type AskedRange =
  /** Normal play time: milliseconds from the beginning; `now` is the newest there is; undefined: where it stands. */
  | { readonly kind: 'npt'; readonly begin: number | 'now' | undefined; readonly end: number | undefined }
  /** Wall time, milliseconds since 1970 UTC. */
  | { readonly kind: 'clock'; readonly begin: number; readonly end: number | undefined };

/** Undefined for units that we do not know (smpte) and for nonsense. */
export function parseRange(value: string): AskedRange | undefined {
  const [range = ''] = value.split(';');
  const match = /^\s*(npt|clock)\s*=\s*([^-\s]*)\s*-\s*(\S*)\s*$/i.exec(range);
  if (match === null) return undefined;
  const [, unit = '', beginText = '', endText = ''] = match;
  if (unit.toLowerCase() === 'clock') {
    const begin = parseMoment(beginText);
    const end = endText === '' ? undefined : parseMoment(endText);
    if (begin === undefined || (endText !== '' && end === undefined)) return undefined;
    return { kind: 'clock', begin, end };
  }
  const begin = beginText === '' ? undefined : beginText.toLowerCase() === 'now' ? 'now' : parseNpt(beginText);
  const end = endText === '' ? undefined : parseNpt(endText);
  if ((beginText !== '' && begin === undefined) || (endText !== '' && end === undefined)) return undefined;
  if (beginText === '' && endText === '') return undefined;
  return { kind: 'npt', begin, end };
}

/** `12.345`, of milliseconds. */
export function formatNpt(durationMs: number): string {
  return (Math.max(0, durationMs) / 1000).toFixed(3);
}

function parseNpt(text: string): number | undefined {
  if (nptSeconds.test(text)) return Number(text) * 1000;
  const match = nptClock.exec(text);
  if (match === null) return undefined;
  const [, hours, minutes, seconds] = match;
  return ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
}

function inRange(ms: number): number | undefined {
  return Number.isFinite(ms) && ms >= 0 && ms <= timeMsMax ? ms : undefined;
}
