/**
 * A playlist session: everything that must stay the same while a player reloads its playlists. It stands in the URIs that
 * the master playlist gives out, so `serve` keeps no state about players and may restart between two requests.
 */

import { appError } from '../../../storage/base/errors.ts';
import { type FragmentNumber, parseFragmentNumber } from '../../../storage/model/fragment-number.ts';
import { limits } from '../../../storage/model/limits.ts';
import { parseShift, type Shift, shiftToText } from './shift.ts';

/** What a session plays: the sliding end of a stream, or a range of server time that may still be growing. */
export type HlsRange = { readonly kind: 'live' } | RecordedRange;

export type RecordedRange = {
  readonly kind: 'recorded';
  readonly beginMs: number;
  readonly endMs: number | undefined;
  /** Where players begin, when playlists begin earlier. */
  readonly startMs?: number;
};

/** Video codecs of a rendition: all that the stream has, one of them, or no video at all. */
export type VideoSelection = 'any' | 'h264' | 'h265' | 'none';

export type HlsSession = {
  readonly range: { readonly kind: 'live'; readonly anchor: FragmentNumber } | RecordedRange;
  /** EXT-X-TARGETDURATION, whole seconds. */
  readonly targetDurationS: number;
  readonly video: VideoSelection;
  /** Format of silence for runs without an audio track; undefined when the session has no audio rendition. */
  readonly silence: string | undefined;
  /** Of a sub stream played live beside the main one. */
  readonly shift: Shift;
  /** Its playlists have parts, and wait where they are asked to. Live alone. */
  readonly isLowLatency?: boolean;
};

/** A URI's query, each name at most once. */
export type Query = Readonly<Record<string, string | undefined>>;

/** Latest time that a `Date` can be: what lies beyond is no time. */
const timeMsMax = 8.64e15;

/** What a master playlist is asked for: `begin` and `end` in milliseconds since 1970 UTC, or nothing for live. @throws AppError invalid_argument */
export function rangeOfQuery(query: Query): HlsRange {
  if (query.begin === undefined) {
    if (query.end !== undefined) throw appError('invalid_argument', 'a range has an end and no beginning');
    return { kind: 'live' };
  }
  const beginMs = parseTime(query.begin, 'begin');
  const endMs = query.end === undefined ? undefined : parseTime(query.end, 'end');
  if (endMs !== undefined && endMs <= beginMs) {
    throw appError('invalid_argument', 'the range ends before it begins', { beginMs, endMs });
  }
  return { kind: 'recorded', beginMs, endMs };
}

/** The query of a media playlist's URI. */
export function sessionToQuery(session: HlsSession): Record<string, string> {
  const { range } = session;
  return {
    ...(range.kind === 'live' ? { from: range.anchor } : { begin: String(range.beginMs) }),
    ...(range.kind === 'recorded' && range.endMs !== undefined ? { end: String(range.endMs) } : {}),
    ...(range.kind === 'recorded' && range.startMs !== undefined ? { start: String(range.startMs) } : {}),
    target: String(session.targetDurationS),
    video: session.video,
    ...(session.silence === undefined ? {} : { silence: session.silence }),
    ...shiftQuery(session.shift),
    ...(session.isLowLatency === true ? { latency: 'low' } : {}),
  };
}

/** Reads a session back. @throws AppError invalid_argument  the URI is not one of ours */
export function sessionOfQuery(query: Query): HlsSession {
  const range = query.from === undefined ? rangeOfQuery(query) : ({ kind: 'live' } as const);
  if (range.kind === 'live' && query.from === undefined) {
    throw appError('invalid_argument', 'media playlist without a session', { hint: 'load master.m3u8 first' });
  }
  const targetDurationS = Number(query.target);
  const targetDurationMaxS = Math.ceil(limits.fragmentDurationMsMax / 1000);
  if (!Number.isInteger(targetDurationS) || targetDurationS < 1 || targetDurationS > targetDurationMaxS) {
    throw appError('invalid_argument', 'target duration is not a number of seconds', { target: query.target });
  }
  return {
    range:
      range.kind === 'recorded'
        ? withStart(range, query.start)
        : { kind: 'live', anchor: parseFragmentNumber(query.from ?? '') },
    targetDurationS,
    video: parseVideoSelection(query.video),
    silence: query.silence,
    shift: shiftOfQuery(query),
    isLowLatency: range.kind === 'live' && isLowLatencyAsked(query),
  };
}

/** True when a query asks for low latency. @throws AppError invalid_argument  it asks for something else */
export function isLowLatencyAsked({ latency }: Query): boolean {
  if (latency === undefined || latency === 'low') return latency === 'low';
  throw appError('invalid_argument', 'the only latency to ask for is low', { latency: latency.slice(0, 40) });
}

/** The part of a query that says how a sub stream is shifted; nothing for no shift. */
export function shiftQuery(shift: Shift): Record<string, string> {
  const text = shiftToText(shift);
  return text === undefined ? {} : { shift: text };
}

/** @throws AppError invalid_argument  it is none of ours */
export function shiftOfQuery(query: Query): Shift {
  const shift = parseShift(query.shift);
  if (shift === undefined)
    throw appError('invalid_argument', 'not a shift of times', { shift: query.shift?.slice(0, 40) });
  return shift;
}

/** `?a=b&c=d`, or nothing for an empty query. */
export function queryText(query: Query): string {
  const pairs = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs).toString()}`;
}

function withStart(range: RecordedRange, start: string | undefined): RecordedRange {
  return start === undefined ? range : { ...range, startMs: parseTime(start, 'start') };
}

function parseTime(text: string, name: string): number {
  const timeMs = Number(text);
  if (!/^\d{1,16}$/.test(text) || timeMs > timeMsMax) {
    throw appError('invalid_argument', `${name} is not milliseconds since 1970`, { [name]: text.slice(0, 40) });
  }
  return timeMs;
}

function parseVideoSelection(text: string | undefined): VideoSelection {
  if (text === 'any' || text === 'h264' || text === 'h265' || text === 'none') return text;
  throw appError('invalid_argument', 'not a selection of video', { video: text?.slice(0, 40) });
}
