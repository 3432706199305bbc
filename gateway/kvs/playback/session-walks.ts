/**
 * Where each session stands: the fragments that it has come to, with their numbers. What is remembered only saves counting from the
 * session's beginning again.
 */

import type { Fragment } from '../../../storage/model/fragment.ts';
import { type FragmentNumber, numberBefore } from '../../../storage/model/fragment-number.ts';
import { limits } from '../../../storage/model/limits.ts';
import { isImported } from '../../../storage/model/run.ts';
import { fragmentEnd, type PlayableFragment } from '../../playback/index.ts';
import type { PlaybackSession } from './session.ts';
import { axisTime, entryAfter, type SessionEntry } from './session-entry.ts';
import type { SessionSource } from './source.ts';

/** What is true of a request, beside its session. */
export type WalkMoment = { readonly nowMs: number; readonly floorMs: number };

export type SessionWindow = {
  /** What a playlist shows now, oldest first. */
  readonly entries: readonly SessionEntry[];
  /** Nothing will be added any more. */
  readonly isEnded: boolean;
};

type Walk = {
  entries: SessionEntry[];
  /** By set-up, the first entry that had it. */
  readonly setUps: Map<number, SessionEntry>;
  /** The last fragment that was looked at, and its time on the axis. */
  last: { readonly atMs: number; readonly number: FragmentNumber } | undefined;
  isComplete: boolean;
  /** Requests of one session take turns. */
  turn: Promise<unknown>;
};

/** Entries of a session that are kept behind its playlist: players that are late ask for them. */
const keptBehind = 256;
/** AWS: codec private data may change so often in a session. */
const setUpsMax = 500;
/** All sessions together; one has about 300 bytes. */
const entriesMax = 200_000;
/** So old may the newest fragment of a live stream be, by its end. */
export const liveAgeMsMax = 30_000;
/** Fragments of one page of a stream's tables. */
const pageFragments = 500;
const dayMs = 24 * 3_600_000;

export class SessionWalks {
  readonly #source: SessionSource;
  /** Least recently asked for first. */
  readonly #walks = new Map<string, Walk>();

  constructor({ source }: { readonly source: SessionSource }) {
    this.#source = source;
  }

  /** What a playlist of the session shows now. @param key  the session's own, such as its token */
  async window(key: string, session: PlaybackSession, moment: WalkMoment): Promise<SessionWindow> {
    const walk = await this.#walked(key, session, moment);
    const revealed = walk.entries.filter((entry) => isShown(entry, session, moment));
    const { mode, resultsMax, range } = session;
    if (mode === 'on-demand') return { entries: revealed.slice(0, resultsMax), isEnded: true };
    const isPast = range?.endMs !== undefined && range.endMs + limits.liveAgeMsMax < moment.nowMs;
    const isEnded = mode === 'live-replay' && isPast && walk.entries.at(-1) === revealed.at(-1);
    return { entries: fromKey(revealed.slice(-resultsMax)), isEnded };
  }

  /** What a session that is asked for now begins with; nothing is remembered. */
  async beginning(session: PlaybackSession, moment: WalkMoment): Promise<readonly SessionEntry[]> {
    if (session.mode === 'live') return this.#newest(session, moment);
    const walk = newWalk();
    await this.#advance(walk, session, moment);
    return walk.entries.filter((entry) => isShown(entry, session, moment)).slice(0, session.resultsMax);
  }

  /** An entry by its number; undefined when it was not shown, or so long ago that it is no longer kept. */
  async entry(
    key: string,
    session: PlaybackSession,
    moment: WalkMoment & { readonly mediaSequence: number },
  ): Promise<SessionEntry | undefined> {
    const { mediaSequence } = moment;
    // Most are known: a player asks for what a manifest just showed.
    const known = this.#walks.get(key)?.entries.find((entry) => entry.mediaSequence === mediaSequence);
    const walked = known === undefined ? (await this.#walked(key, session, moment)).entries : [known];
    const found = walked.find((entry) => entry.mediaSequence === mediaSequence);
    return found !== undefined && isShown(found, session, moment) ? found : undefined;
  }

  /** The first entry of a set-up, or of the one before where it is lost. */
  async setUp(
    key: string,
    session: PlaybackSession,
    moment: WalkMoment & { readonly setUp: number },
  ): Promise<SessionEntry | undefined> {
    const { setUp } = moment;
    const known = this.#walks.get(key)?.setUps.get(setUp);
    if (known !== undefined) return known;
    const { setUps } = await this.#walked(key, session, moment);
    const before = [...setUps.keys()].filter((one) => one <= setUp).sort((a, b) => b - a);
    return setUps.get(before[0] ?? [...setUps.keys()][0] ?? 0);
  }

  /**
   * The newest entries of a live stream, of which the first is to be a session's anchor: at most as many as a playlist shows.
   * Empty when it is not live.
   */
  async #newest(session: PlaybackSession, { nowMs, floorMs }: WalkMoment): Promise<readonly SessionEntry[]> {
    const { streamId, resultsMax } = session;
    const latest = await this.#source.latest(streamId);
    if (latest === undefined || fragmentEnd(latest) < nowMs - liveAgeMsMax) return [];
    const endMs = latest.fragment.serverTimestampMs + 1;
    for (let spanMs = 60_000; ; spanMs *= 4) {
      const beginMs = Math.max(floorMs, endMs - spanMs);
      const found = await this.#source.fragmentsBetween(streamId, { beginMs: Math.min(beginMs, endMs - 1), endMs });
      const references = found.filter((one) => !isImported(one.segment) && one.fragment.serverTimestampMs >= floorMs);
      const entries = entriesOf(session, references);
      if (entries.length >= resultsMax || beginMs <= floorMs || spanMs > dayMs) {
        return fromKey(entries.slice(-resultsMax));
      }
    }
  }

  async #walked(key: string, session: PlaybackSession, moment: WalkMoment): Promise<Walk> {
    const walk = this.#walks.get(key) ?? newWalk();
    this.#walks.delete(key);
    this.#walks.set(key, walk);
    const turn = walk.turn.then(() => this.#advance(walk, session, moment));
    walk.turn = turn.catch(() => {});
    await turn;
    this.#forget(key);
    return walk;
  }

  async #advance(walk: Walk, session: PlaybackSession, moment: WalkMoment): Promise<void> {
    while (!walk.isComplete && !isFarEnough(walk, session, moment)) {
      const page = await this.#page(walk, session, moment);
      for (const reference of page.references) {
        const entry = entryAfter(session, walk.entries.at(-1), reference);
        if (entry === undefined) continue;
        if (walk.setUps.size < setUpsMax && !walk.setUps.has(entry.setUp)) walk.setUps.set(entry.setUp, entry);
        walk.entries.push(entry);
        if (session.mode === 'on-demand' && walk.entries.length >= session.resultsMax) break;
      }
      if (session.mode === 'live') walk.entries.splice(0, walk.entries.length - session.resultsMax - keptBehind);
      if (!page.isLast) continue;
      const endMs = session.range?.endMs;
      walk.isComplete =
        session.mode === 'on-demand' && endMs !== undefined && endMs + limits.liveAgeMsMax < moment.nowMs;
      break;
    }
    if (session.mode === 'live-replay') {
      const behind = walk.entries.findIndex(({ revealMs }) => revealMs > moment.nowMs);
      const shown = behind < 0 ? walk.entries.length : behind;
      walk.entries.splice(0, Math.max(0, shown - session.resultsMax - keptBehind));
    }
  }

  /** Live sessions go by arrival, whatever the axis; all others by the time on it. */
  async #page(
    walk: Walk,
    session: PlaybackSession,
    moment: WalkMoment,
  ): Promise<{ readonly references: readonly PlayableFragment[]; readonly isLast: boolean }> {
    const { streamId, anchor, axis, range, mode } = session;
    const isKept = ({ serverTimestampMs }: Fragment) => serverTimestampMs >= moment.floorMs;
    const isLive = mode === 'live' && anchor !== undefined;
    const found = isLive
      ? await this.#source.fragmentsAfter(streamId, walk.last?.number ?? numberBefore(anchor), pageFragments, {
          isWhole: true,
        })
      : await this.#source.fragmentsByTime(streamId, {
          ...{ axis, after: walk.last, isWanted: isKept, limit: pageFragments },
          beginMs: range?.beginMs ?? 0,
          endMs: range?.endMs === undefined ? moment.nowMs + dayMs : range.endMs + 1,
        });
    const last = found.at(-1);
    if (last !== undefined) walk.last = { atMs: axisTime(last, axis), number: last.fragment.number };
    const isLast = found.length < pageFragments;
    if (!isLive) return { references: oncePerTime(found, session), isLast };
    // What is brought in from a file meanwhile is old footage, and would change the numbers of a live session.
    const references = found.filter(({ fragment, segment }) => isKept(fragment) && !isImported(segment));
    return { references, isLast };
  }

  #forget(key: string): void {
    let entries = 0;
    for (const walk of this.#walks.values()) entries += walk.entries.length;
    for (const [oldest, walk] of this.#walks) {
      if (this.#walks.size <= limits.hlsSessionsMax && entries <= entriesMax) return;
      if (oldest === key) continue;
      this.#walks.delete(oldest);
      entries -= walk.entries.length;
    }
  }
}

/** Entries of fragments that are given in their order. */
export function entriesOf(session: PlaybackSession, references: readonly PlayableFragment[]): SessionEntry[] {
  const entries: SessionEntry[] = [];
  for (const reference of references) {
    const entry = entryAfter(session, entries.at(-1), reference);
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

function newWalk(): Walk {
  return { entries: [], setUps: new Map(), last: undefined, isComplete: false, turn: Promise.resolve() };
}

/** Of fragments that begin at the same time HLS takes the newest, and DASH the first that came. */
function oncePerTime(
  references: readonly PlayableFragment[],
  { axis, protocol }: PlaybackSession,
): readonly PlayableFragment[] {
  const isSame = (a: PlayableFragment | undefined, b: PlayableFragment) =>
    a !== undefined && axisTime(a, axis) === axisTime(b, axis);
  return references.filter((one, at) => !isSame(references[protocol === 'hls' ? at + 1 : at - 1], one));
}

/** Nothing further is wanted now. */
function isFarEnough({ entries }: Walk, { mode, resultsMax }: PlaybackSession, { nowMs }: WalkMoment): boolean {
  if (mode === 'on-demand') return entries.length >= resultsMax;
  return mode === 'live-replay' && (entries.at(-1)?.revealMs ?? Number.NEGATIVE_INFINITY) > nowMs;
}

function isShown({ reference, revealMs }: SessionEntry, { mode }: PlaybackSession, moment: WalkMoment): boolean {
  if (reference.fragment.serverTimestampMs < moment.floorMs) return false;
  return mode !== 'live-replay' || revealMs <= moment.nowMs;
}

/** Players begin anywhere in what they see: without its key frame the beginning of a GOP's rest is of no use. */
function fromKey(entries: readonly SessionEntry[]): readonly SessionEntry[] {
  const at = entries.findIndex(({ tracks, reference }) => tracks.video === undefined || reference.fragment.isKey);
  return at < 0 ? [] : entries.slice(at);
}
