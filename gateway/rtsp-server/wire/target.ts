/** What a request's URL names: a stream, one of its tracks, and a time in the past. Pure. */

import { parseRtspUrl } from '../../rtsp/index.ts';
import { rtspServerLimits } from '../limits.ts';
import { parseMoment } from './times.ts';

export type Target = {
  /** Name of a stream or camera as it was typed, percent signs resolved. */
  readonly name: string;
  /** Of a track's own URL. */
  readonly trackNumber: number | undefined;
  /** From `?start=`: recorded media from there; undefined is live. */
  readonly startMs: number | undefined;
  readonly endMs: number | undefined;
  /** The URL as it came, without the track and without user and password: what tracks are put behind. */
  readonly base: string;
};

/** Players put a track's control behind the path or behind the query; both are understood. */
const trackSuffix = /\/?trackID=(\d{1,3})\/?(?=$|\?)/i;

/** Undefined for what is no such URL, or has times that are none. */
export function parseTarget(uri: string): Target | undefined {
  if (uri.length > rtspServerLimits.targetCharactersMax) return undefined;
  const url = uri.startsWith('/') ? { path: uri } : parseRtspUrl(uri);
  if (url === undefined) return undefined;
  const track = trackSuffix.exec(url.path);
  const whole = url.path.replace(trackSuffix, '');
  const question = whole.indexOf('?');
  const path = question < 0 ? whole : whole.slice(0, question);
  const query = question < 0 ? '' : whole.slice(question + 1).replace(/\/+$/, '');
  const name = decoded(path.replace(/^\/+|\/+$/g, ''));
  const times = timesOf(query);
  if (name === undefined || name === '' || times === undefined) return undefined;
  // The host as the player wrote it: it may know us by another name than we do.
  const origin = uri.startsWith('/') ? '' : (/^[a-z]+:\/\/(?:[^/?#]*@)?([^/?#]*)/i.exec(uri)?.[1] ?? '');
  const scheme = /^rtsps:/i.test(uri) ? 'rtsps' : 'rtsp';
  const cleanPath = `/${path.replace(/^\/+|\/+$/g, '')}`;
  return {
    name,
    trackNumber: track === null ? undefined : Number(track[1]),
    ...times,
    base: `${origin === '' ? '' : `${scheme}://${origin}`}${cleanPath}${query === '' ? '' : `?${query}`}`,
  };
}

/** URL of a track: before the query, where players that resolve relative URLs would have put it. */
export function trackUrl(base: string, trackNumber: number): string {
  const question = base.indexOf('?');
  if (question < 0) return `${base}/trackID=${trackNumber}`;
  return `${base.slice(0, question)}/trackID=${trackNumber}${base.slice(question)}`;
}

function timesOf(query: string): { startMs: number | undefined; endMs: number | undefined } | undefined {
  let startMs: number | undefined;
  let endMs: number | undefined;
  for (const part of query.split('&')) {
    const equals = part.indexOf('=');
    const key = part.slice(0, Math.max(0, equals)).toLowerCase();
    if (key !== 'start' && key !== 'end') continue;
    // A plus stays one: it is the sign of a time zone.
    const moment = parseMoment(decoded(part.slice(equals + 1)) ?? '');
    if (moment === undefined) return undefined;
    if (key === 'start') startMs = moment;
    else endMs = moment;
  }
  const isBackwards = startMs !== undefined && endMs !== undefined && endMs <= startMs;
  return isBackwards || (startMs === undefined && endMs !== undefined) ? undefined : { startMs, endMs };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
