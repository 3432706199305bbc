/**
 * Media playlists of live sessions with parts, answered when there is what the player waits for, and the parts themselves.
 *
 *   window of segments up to the newest that has parts -> entries with parts -> open parts, hint, reports -> text
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import { limits } from '../../../storage/model/limits.ts';
import type { PlayableFragment } from '../fragment-source.ts';
import { type EntryContext, entryOf } from '../hls/entries.ts';
import type { LiveSession, LiveWindow, LiveWindows } from '../hls/live-window.ts';
import { type LowLatencyTags, type MediaEntry, type MediaPart, mediaPlaylistText } from '../hls/media-playlist.ts';
import { firstMediaSequence, type NumberedFragment } from '../hls/numbering.ts';
import { type HlsSession, type Query, queryText, sessionToQuery, shiftOfQuery, shiftQuery } from '../hls/session.ts';
import { trackChooser } from '../playable-tracks.ts';
import type { IndexedParts } from './kept-parts.ts';
import type { LowLatency } from './low-latency.ts';
import { type PartKind, partBytes, partDurationMs, silentPartBytes } from './part.ts';
import { isReached, type PlaylistEnd, reloadOfQuery, requireNear } from './reload.ts';
import type { PartsView, StreamParts } from './stream-parts.ts';

export type LowLatencyRequest = {
  readonly streamId: string;
  readonly session: HlsSession & { readonly range: { readonly kind: 'live' } };
  readonly kind: PartKind;
  /** Before every file name. */
  readonly prefix: string;
  readonly query: Query;
  readonly carried: Query;
  readonly signal: AbortSignal | undefined;
};

/** What a playlist shows: segments, and parts up to the newest of them and of the one after. */
type Shown = {
  readonly fragments: readonly NumberedFragment[];
  readonly firstOfRun: LiveWindow['firstOfRun'];
  readonly view: PartsView | undefined;
};

/** Parts that are later than so many segments have something wrong: segments play on. */
const newerMax = 2;

/** Whose parts stand in for a rendition: its own, or for silence those of the video. */
type PartNames = { readonly list: PartKind; readonly silence: string | undefined };

export class LowLatencyPlaylists {
  readonly #clock: Clock;
  readonly #windows: LiveWindows;
  readonly #lowLatency: LowLatency;
  /** By session: its window when the stream's newest fragment was that one. All requests between two fragments share it. */
  readonly #known = new Map<string, { readonly newest: string; readonly window: LiveWindow }>();

  constructor(dependencies: {
    readonly clock: Clock;
    readonly windows: LiveWindows;
    readonly lowLatency: LowLatency;
  }) {
    this.#clock = dependencies.clock;
    this.#windows = dependencies.windows;
    this.#lowLatency = dependencies.lowLatency;
  }

  /**
   * A media playlist, as soon as it has what the player waits for, or after a bounded time as it is.
   *
   * @throws AppError not_found         nothing of the session is left
   * @throws AppError invalid_argument  the player waits for what is far away
   */
  async media(request: LowLatencyRequest): Promise<string> {
    const { streamId, session, kind, signal } = request;
    const asked = reloadOfQuery(request.query);
    const waitMs = Math.min(limits.hlsBlockedMsMax, 3_000 * session.targetDurationS);
    const deadlineMs = this.#clock.monotonicMs() + waitMs;
    return this.#lowLatency.use(streamId, async (parts) => {
      for (let isFirst = true; ; isFirst = false) {
        const shown = await this.#shown(request, parts);
        const last = shown.fragments.at(-1);
        if (last === undefined) throw appError('not_found', 'nothing of the session is left', { streamId });
        const end = { mediaSequence: last.mediaSequence, parts: openOf(shown, kind, session)?.parts.length ?? 0 };
        const isAnswer = asked === undefined || isReached(asked, end);
        if (!isAnswer && isFirst) requireNear(asked, end, shown.view?.targetMs);
        // Not 503, which RFC 8216bis allows then: a camera that is away is no error of the playlist.
        if (isAnswer || parts === undefined || !(await this.#lowLatency.wait(parts, deadlineMs, signal))) {
          return this.#text(request, shown, { end, tag: parts?.tag ?? '' });
        }
      }
    });
  }

  /**
   * A part, or the one that comes next as soon as it is there.
   *
   * @throws AppError not_found         it is forgotten, or does not come
   * @throws AppError invalid_argument  its query is none of ours
   */
  async part(request: {
    readonly streamId: string;
    readonly file: string;
    readonly query: Query;
    readonly signal: AbortSignal | undefined;
  }): Promise<Uint8Array> {
    const { streamId, file, query, signal } = request;
    const [, tag, letter, number, silence] =
      /^part-([a-z0-9]{1,24})-([va])(\d{1,15})(?:-([a-z0-9.]{1,140}))?\.m4s$/.exec(file) ?? [];
    const gone = () => appError('not_found', 'the part is gone', { streamId, file: file.slice(0, 80) });
    const kind = letter === 'v' ? 'video' : 'audio';
    const index = Number(number);
    const options = { sequenceNumber: index + 1, shiftMs: shiftOfQuery(query).mediaMs };
    const deadlineMs = this.#clock.monotonicMs() + limits.hlsBlockedMsMax;
    return this.#lowLatency.use(streamId, async (parts) => {
      for (;;) {
        const part = parts?.tag === tag ? parts?.part(kind, index) : undefined;
        if (parts === undefined || part === undefined) throw gone();
        if (part !== 'next') {
          return silence === undefined ? partBytes(part, options) : silentPartBytes(part, silence, options);
        }
        if (!(await this.#lowLatency.wait(parts, deadlineMs, signal))) throw gone();
      }
    });
  }

  async #shown({ streamId, session }: LowLatencyRequest, parts: StreamParts | undefined): Promise<Shown> {
    const view = parts?.view();
    const { anchor } = session.range as Extract<HlsSession['range'], { kind: 'live' }>;
    const { video } = session;
    const numbers = { firstMediaSequence: firstMediaSequence({ isSub: false, video }) };
    const window = await this.#window({ streamId, anchor, video, ...numbers }, view?.newest);
    if (view === undefined) return { ...window, view };
    // What is newer than the parts is told when they are there, a moment later: nothing that was told goes away.
    const fragments = window.fragments.filter(({ reference }) => reference.fragment.number <= view.newest);
    const isLate = fragments.length === 0 || window.fragments.length - fragments.length > newerMax;
    return isLate ? { ...window, view: undefined } : { fragments, firstOfRun: window.firstOfRun, view };
  }

  async #window(session: LiveSession, newest: string | undefined): Promise<LiveWindow> {
    const key = `${session.streamId} ${session.anchor} ${session.video}`;
    const known = this.#known.get(key);
    if (known !== undefined && known.newest === newest) return known.window;
    const window = await this.#windows.window(session);
    const last = window.fragments.at(-1)?.reference.fragment.number;
    this.#known.delete(key);
    if (last !== undefined && last === newest) this.#known.set(key, { newest: last, window });
    const oldest = this.#known.keys().next();
    if (this.#known.size > limits.hlsSessionsMax && oldest.done !== true) this.#known.delete(oldest.value);
    return window;
  }

  #text(
    request: LowLatencyRequest,
    shown: Shown,
    { end, tag }: { readonly end: PlaylistEnd; readonly tag: string },
  ): string {
    const { kind, prefix, session, carried } = request;
    const { fragments, firstOfRun } = shown;
    const [first] = fragments;
    const choose = trackChooser();
    const context: EntryContext = { kind, prefix, session, carried, firstOfRun, choose };
    const parted = partedFrom(shown, kind, session);
    const entries = fragments.map((numbered, at): MediaEntry => {
      const entry = entryOf(numbered, context);
      if (at < parted) return entry;
      const { fragment } = numbered.reference;
      const indexed = shown.view?.closed.get(fragment.number);
      const names = partNames(numbered.reference, kind, session);
      return indexed === undefined || names === undefined
        ? entry
        : { ...entry, parts: mediaParts(indexed, names, { tag, context }) };
    });
    return mediaPlaylistText({
      type: 'live',
      targetDurationS: session.targetDurationS,
      mediaSequence: first?.mediaSequence ?? 0,
      discontinuitySequence: first?.discontinuitySequence ?? 0,
      isIndependent: kind === 'audio' || fragments.every(({ reference }) => reference.fragment.isKey),
      entries,
      lowLatency: {
        parts: partsTag(shown, { tag, context }),
        reports: reportsOf(request, shown, end.mediaSequence),
      },
    });
  }
}

/** The first entry of those to the end that all have parts: players do not expect any without between them. */
function partedFrom({ fragments, view }: Shown, kind: PartKind, session: HlsSession): number {
  const without = fragments.findLastIndex(({ reference }) => {
    const names = partNames(reference, kind, session);
    const indexed = view?.closed.get(reference.fragment.number);
    return names === undefined || indexed === undefined || indexed[names.list].parts.length === 0;
  });
  return without + 1;
}

function partNames({ segment }: PlayableFragment, kind: PartKind, session: HlsSession): PartNames | undefined {
  if (trackChooser()(segment.tracks)[kind] !== undefined) return { list: kind, silence: undefined };
  return kind === 'audio' && session.silence !== undefined ? { list: 'video', silence: session.silence } : undefined;
}

/** Parts of the segment after the last one. */
function openOf({ fragments, view }: Shown, kind: PartKind, session: HlsSession): IndexedParts[PartKind] | undefined {
  const last = fragments.at(-1);
  if (view === undefined || last === undefined || last.reference.fragment.number !== view.newest) return undefined;
  const names = partNames(last.reference, kind, session);
  return names === undefined ? undefined : view.open[names.list];
}

function partsTag(
  shown: Shown,
  { tag, context }: { readonly tag: string; readonly context: EntryContext },
): LowLatencyTags['parts'] {
  const last = shown.fragments.at(-1);
  const { kind, session } = context;
  const open = openOf(shown, kind, session);
  const names = last === undefined ? undefined : partNames(last.reference, kind, session);
  if (shown.view === undefined || open === undefined || names === undefined) return undefined;
  return {
    targetMs: shown.view.targetMs,
    open: mediaParts(shown.view.open, names, { tag, context }),
    hintUri: partUri(open.first + open.parts.length, names, { tag, context }),
  };
}

function mediaParts(
  indexed: IndexedParts,
  names: PartNames,
  place: { readonly tag: string; readonly context: EntryContext },
): MediaPart[] {
  const { first, parts } = indexed[names.list];
  return parts.map((part, at) => ({
    uri: partUri(first + at, names, place),
    durationMs: partDurationMs(part),
    isIndependent: part.isIndependent || names.silence !== undefined,
  }));
}

function partUri(
  index: number,
  { list, silence }: PartNames,
  { tag, context }: { readonly tag: string; readonly context: EntryContext },
): string {
  const { prefix, session, carried } = context;
  const suffix = queryText({ ...shiftQuery(session.shift), ...carried });
  return `${prefix}part-${tag}-${list[0]}${index}${silence === undefined ? '' : `-${silence}`}.m4s${suffix}`;
}

/** How far the video is, for who plays the sound, and the other way round. */
function reportsOf(request: LowLatencyRequest, shown: Shown, mediaSequence: number): LowLatencyTags['reports'] {
  const { prefix, session, carried } = request;
  const other = request.kind === 'video' ? 'audio' : 'video';
  const last = shown.fragments.at(-1);
  if (last === undefined || session.video === 'none') return [];
  const names = partNames(last.reference, other, session);
  if (names === undefined) return [];
  const uri = `${prefix}${other}.m3u8${queryText({ ...sessionToQuery(session), ...carried })}`;
  const open = openOf(shown, other, session)?.parts.length ?? 0;
  if (open > 0) return [{ uri, mediaSequence: mediaSequence + 1, part: open - 1 }];
  const closed = shown.view?.closed.get(last.reference.fragment.number)?.[names.list].parts.length ?? 0;
  return [{ uri, mediaSequence, part: closed > 0 ? closed - 1 : undefined }];
}
