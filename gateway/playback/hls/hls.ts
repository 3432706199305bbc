/**
 * HLS with fMP4 of a stream, live or of any recorded range. Every answer follows from the URI and the stored fragments alone:
 *
 *   master.m3u8 -> {video,audio}.m3u8?<session> -> init-*.mp4, media-*.m4s, silence-*.m4s
 *
 * Live with `latency=low`, playlists have parts and wait where they are asked to: `../low-latency`.
 * Files of the camera's sub stream, where it is offered beside its main one, are called the same with `sub-` before them.
 * One file name below a stream is one answer, so a server needs one route. Nothing here knows HTTP.
 */

import { must } from '../../../storage/base/assert.ts';
import type { Clock } from '../../../storage/base/clock.ts';
import { appError, isAppError } from '../../../storage/base/errors.ts';
import { limits } from '../../../storage/model/limits.ts';
import { type FragmentSource, fragmentEnd, type PlayableFragment } from '../fragment-source.ts';
import { keyAlignedFragments } from '../key-aligned.ts';
import type { LowLatency } from '../low-latency/low-latency.ts';
import { LowLatencyPlaylists } from '../low-latency/low-latency-playlists.ts';
import { nothingRecorded } from '../nothing-recorded.ts';
import { type LeftOutTrack, playedCodecString, trackChooser } from '../playable-tracks.ts';
import { silenceFormatOf, silentTrack } from '../silence.ts';
import { isBeside, layBeside, withSoundOfMain } from './beside-main.ts';
import { besideEntryOf, entryOf } from './entries.ts';
import { FragmentFiles, silentTrackNumber } from './fragment-files.ts';
import { LiveWindows, windowOf } from './live-window.ts';
import { masterPlaylistText } from './master-playlist.ts';
import { mediaPlaylistText } from './media-playlist.ts';
import { firstMediaSequence, type NumberedFragment, numberFragments } from './numbering.ts';
import { isSelected, type Renditions, renditionsOf, type Variant } from './renditions.ts';
import {
  type HlsRange,
  type HlsSession,
  isLowLatencyAsked,
  type Query,
  queryText,
  rangeOfQuery,
  sessionOfQuery,
  sessionToQuery,
} from './session.ts';
import { noShift, type Shift, shiftBetween } from './shift.ts';
import { waitForLive } from './wait-for-live.ts';

export type HlsRequest = {
  readonly streamId: string;
  /** Last part of the path, `master.m3u8` for a start. */
  readonly file: string;
  /** `begin` and `end` (milliseconds since 1970 UTC) make `master.m3u8` one of recorded media; without them it is live. */
  readonly query: Query;
  /** Appended to every URI in playlists, such as a token; its names must differ from ours. */
  readonly carried?: Query;
  /** The camera's sub stream, to be offered beside this one; absent where this one is played alone. */
  readonly sub?: SubStream | undefined;
  /** Aborts when the player is gone: what waits for its low latency does so no more. */
  readonly signal?: AbortSignal | undefined;
};

export type SubStream = {
  readonly streamId: string;
  /** It is kept as long as the main one, so that it can be offered for recorded ranges too. */
  readonly isRecorded: boolean;
};

export type HlsAnswer = {
  readonly contentType: string;
  /** Bytes are shared with the cache: do not write into them. */
  readonly body: string | Uint8Array;
  /** The same URI will give the same bytes for ever; otherwise it must not be kept at all. */
  readonly isImmutable: boolean;
};

const subPrefix = 'sub-';
/** By how many of the newest fragments a live sub stream is laid beside its main one. */
const shiftFragments = 10;

/** The window or range that a media playlist shows. */
type Shown = {
  readonly fragments: readonly NumberedFragment[];
  readonly firstOfRun: ReadonlyMap<string, PlayableFragment>;
  readonly type: 'live' | 'event' | 'vod';
};

/** One stream of a master playlist: what it offers, the fragments that said so, and how it is shifted. */
type Offer = {
  readonly prefix: string;
  readonly renditions: Renditions;
  readonly references: readonly PlayableFragment[];
  readonly shift: Shift;
};

export class Hls {
  readonly #source: FragmentSource;
  readonly #clock: Clock;
  readonly #windows: LiveWindows;
  readonly #files: FragmentFiles;
  readonly #lowLatency: { readonly streams: LowLatency; readonly playlists: LowLatencyPlaylists } | undefined;

  /** @param dependencies.lowLatency  absent: who asks for low latency gets what everybody gets */
  constructor(
    {
      source,
      clock,
      lowLatency,
    }: { readonly source: FragmentSource; readonly clock: Clock; readonly lowLatency?: LowLatency },
    options: { readonly cacheBytesMax?: number } = {},
  ) {
    this.#source = source;
    this.#clock = clock;
    this.#windows = new LiveWindows({ source });
    this.#files = new FragmentFiles({ source }, options);
    this.#lowLatency =
      lowLatency === undefined
        ? undefined
        : {
            streams: lowLatency,
            playlists: new LowLatencyPlaylists({ clock, windows: this.#windows, lowLatency }),
          };
  }

  /**
   * Answers one request.
   *
   * @throws AppError not_found         nothing recorded then, or the fragment is gone
   * @throws AppError unavailable       the stream is not live
   * @throws AppError invalid_argument  not one of our URIs
   * @throws AppError data_loss         the stored fragment is damaged
   */
  async get(request: HlsRequest): Promise<HlsAnswer> {
    const { query } = request;
    if (request.file === 'master.m3u8') return playlist((await this.master(request)).text);
    const isSub = request.file.startsWith(subPrefix);
    const file = isSub ? request.file.slice(subPrefix.length) : request.file;
    const streamId = isSub ? request.sub?.streamId : request.streamId;
    if (streamId === undefined) throw appError('not_found', 'the stream has no sub stream beside it');
    if (file === 'video.m3u8' || file === 'audio.m3u8') {
      const kind = file === 'video.m3u8' ? 'video' : 'audio';
      return playlist(await this.#media(request, { kind, streamId, isSub }));
    }
    if (file.startsWith('part-') && this.#lowLatency !== undefined) {
      const body = await this.#lowLatency.playlists.part({ streamId, file, query, signal: request.signal });
      return { contentType: 'video/iso.segment', body, isImmutable: true };
    }
    return { ...(await this.#files.get({ streamId, file, query })), isImmutable: true };
  }

  /** The master playlist, and which tracks it leaves out and why. @throws AppError  as `get` */
  async master(request: Omit<HlsRequest, 'file'>): Promise<{ text: string; leftOut: readonly LeftOutTrack[] }> {
    const { streamId, query, carried = {} } = request;
    const range = rangeOfQuery(query);
    const isLowLatency = isLowLatencyAsked(query) && range.kind === 'live' && this.#lowLatency !== undefined;
    const references = await this.#beginning(streamId, range);
    if (isLowLatency) await this.#lowLatency?.streams.prepare(streamId, request.signal);
    const renditions = renditionsOf(references);
    if (renditions.variants.length === 0) {
      throw appError('failed_precondition', 'the stream has no track that can be played', {
        streamId,
        hint: renditions.leftOut.map(({ trackNumber, reason }) => `track ${trackNumber}: ${reason}`).join('; '),
      });
    }
    const main: Offer = { prefix: '', renditions, references, shift: noShift };
    // Whatever is wrong with the sub stream: the main one plays.
    const beside = isLowLatency ? undefined : request.sub;
    const sub = beside === undefined ? undefined : await this.#subOffer(beside, range, main).catch(undefinedForWorld);
    const offers = sub === undefined ? [main] : [main, sub];
    const shown = sub === undefined ? range : rangeWithLead(range, main.references, sub.references);
    const longestMs = Math.max(...offers.map((offer) => offer.renditions.longestMs));
    const text = masterPlaylistText(
      offers.map((offer) => {
        const uri = (file: string, variant: Variant) => {
          const session = { ...sessionFor(shown, variant, { ...offer, longestMs }), isLowLatency };
          return `${offer.prefix}${file}${queryText({ ...sessionToQuery(session), ...carried })}`;
        };
        return {
          prefix: offer.prefix,
          renditions: offer.renditions,
          video: (variant) => uri('video.m3u8', variant),
          audio: (variant) => uri('audio.m3u8', variant),
        };
      }),
    );
    return { text, leftOut: renditions.leftOut };
  }

  /** What the sub stream can offer beside the main one; undefined when a player could not go over to it. */
  async #subOffer(sub: SubStream, range: HlsRange, main: Offer): Promise<Offer | undefined> {
    if (main.renditions.variants.some((variant) => variant.video === 'none')) return undefined;
    const references = await this.#subReferences(sub, range, main.references);
    const { audio } = main.renditions;
    const own = renditionsOf(references, { isMute: audio === undefined });
    if (!own.variants.some((variant) => variant.video === 'any')) return undefined;
    const renditions = withSound(own, audio);
    if (renditions === undefined) return undefined;
    const newest = (of: readonly PlayableFragment[]) => of.slice(-shiftFragments);
    const shift = range.kind === 'live' ? shiftBetween(newest(main.references), newest(references)) : noShift;
    return { prefix: subPrefix, renditions, references, shift };
  }

  async #subReferences(
    sub: SubStream,
    range: HlsRange,
    main: readonly PlayableFragment[],
  ): Promise<readonly PlayableFragment[]> {
    if (range.kind === 'live') {
      const newest = await this.#source.latest(sub.streamId);
      const isLive = newest !== undefined && fragmentEnd(newest) > this.#clock.wallMs() - limits.liveAgeMsMax;
      return isLive ? this.#liveWindow(sub.streamId, newest) : [];
    }
    if (!sub.isRecorded) return [];
    const found = await this.#recorded(sub.streamId, range);
    return isBeside(main, found) ? found : [];
  }

  /** The fragments that a master playlist describes: the live window, or the range; waits for the first of a growing one. */
  async #beginning(streamId: string, range: HlsRange): Promise<readonly PlayableFragment[]> {
    const dependencies = { source: this.#source, clock: this.#clock };
    if (range.kind === 'live') {
      return this.#liveWindow(streamId, await waitForLive(dependencies, streamId));
    }
    const found = await this.#recorded(streamId, range);
    if (found.length > 0) return found;
    const isGrowing = range.endMs === undefined || range.endMs > this.#clock.wallMs();
    if (!isGrowing) {
      const whole = { beginMs: range.beginMs, endMs: range.endMs ?? range.beginMs + 1 };
      throw await nothingRecorded(this.#source, streamId, whole);
    }
    await waitForLive(dependencies, streamId, range.beginMs);
    return this.#recorded(streamId, range);
  }

  async #liveWindow(streamId: string, newest: PlayableFragment): Promise<readonly PlayableFragment[]> {
    const endMs = fragmentEnd(newest);
    const found = await keyAlignedFragments(this.#source, streamId, {
      beginMs: Math.max(0, endMs - limits.hlsWindowMs - limits.fragmentDurationMsMax),
      endMs,
    });
    return windowOf(found, (reference) => reference);
  }

  /** What there is of a range now. */
  async #recorded(streamId: string, range: HlsRange & { kind: 'recorded' }): Promise<readonly PlayableFragment[]> {
    const newest = await this.#source.latest(streamId);
    const endMs = Math.min(range.endMs ?? Number.POSITIVE_INFINITY, newest === undefined ? 0 : fragmentEnd(newest));
    return endMs <= range.beginMs ? [] : keyAlignedFragments(this.#source, streamId, { beginMs: range.beginMs, endMs });
  }

  async #media(
    request: HlsRequest,
    { kind, streamId, isSub }: { readonly kind: 'video' | 'audio'; readonly streamId: string; readonly isSub: boolean },
  ): Promise<string> {
    const { query, carried = {} } = request;
    const session = sessionOfQuery(query);
    if (isSub && session.range.kind === 'recorded') return this.#mediaBeside(request, { kind, session, streamId });
    const prefix = isSub ? subPrefix : '';
    const { range } = session;
    if (session.isLowLatency === true && range.kind === 'live' && this.#lowLatency !== undefined) {
      const live = { ...session, range };
      const { signal } = request;
      return this.#lowLatency.playlists.media({ streamId, session: live, kind, prefix, query, carried, signal });
    }
    const shown = await this.#shown(streamId, session, isSub);
    const [first] = shown.fragments;
    if (first === undefined) throw appError('not_found', 'nothing of the session is left', { streamId });
    const context = { kind, prefix, session, carried, firstOfRun: shown.firstOfRun, choose: trackChooser() };
    const entries = shown.fragments.map((numbered) => entryOf(numbered, context));
    const offsetMs = startOffsetMs(session, first);
    return mediaPlaylistText({
      type: shown.type,
      targetDurationS: session.targetDurationS,
      mediaSequence: first.mediaSequence,
      discontinuitySequence: first.discontinuitySequence,
      isIndependent: kind === 'audio' || shown.fragments.every(({ reference }) => reference.fragment.isKey),
      ...(offsetMs > 0 && shown.type !== 'live' ? { startOffsetMs: offsetMs } : {}),
      entries,
    });
  }

  /** The sub stream on the timeline of the main one. */
  async #mediaBeside(
    request: HlsRequest,
    {
      kind,
      session,
      streamId,
    }: { readonly kind: 'video' | 'audio'; readonly session: HlsSession; readonly streamId: string },
  ): Promise<string> {
    const { carried = {} } = request;
    const main = await this.#shown(request.streamId, { ...session, video: 'any' }, false);
    const [first] = main.fragments;
    const last = main.fragments.at(-1);
    if (first === undefined || last === undefined)
      throw appError('not_found', 'nothing of the range is left', { streamId });
    const span = { beginMs: first.reference.fragment.serverTimestampMs, endMs: fragmentEnd(last.reference) };
    const choose = trackChooser();
    const found = await keyAlignedFragments(this.#source, streamId, span);
    const pictures = layBeside(
      main.fragments,
      found.filter((reference) => isSelected(reference, session.video, choose)),
      { isWhole: main.type === 'vod', pieceMs: session.targetDurationS * 1000 },
    );
    const laid = kind === 'audio' ? withSoundOfMain(pictures, main.fragments) : pictures;
    const context = { kind, prefix: subPrefix, session, carried, firstOfRun: firstOfRuns(found), choose };
    const contexts = {
      sub: context,
      main: { ...context, prefix: '', firstOfRun: main.firstOfRun, choose: soundIn(session.silence) },
    };
    const offsetMs = startOffsetMs(session, first);
    return mediaPlaylistText({
      type: main.type,
      targetDurationS: session.targetDurationS,
      mediaSequence: firstMediaSequence({ isSub: true, video: session.video }),
      discontinuitySequence: first.discontinuitySequence,
      isIndependent: kind === 'audio' || laid.every(({ reference }) => reference?.fragment.isKey !== false),
      ...(offsetMs > 0 ? { startOffsetMs: offsetMs } : {}),
      entries: laid.map((entry, at) => besideEntryOf(entry, laid[at - 1], contexts)),
    });
  }

  async #shown(streamId: string, session: HlsSession, isSub: boolean): Promise<Shown> {
    const { range, video } = session;
    const numbers = { firstMediaSequence: firstMediaSequence({ isSub, video }) };
    if (range.kind === 'live') {
      const window = await this.#windows.window({ streamId, anchor: range.anchor, video, ...numbers });
      return { ...window, type: 'live' };
    }
    const found = await this.#recorded(streamId, range);
    const choose = trackChooser();
    const fragments = numberFragments(
      numbers,
      found.filter((reference) => isSelected(reference, video, choose)),
    );
    const firstOfRun = firstOfRuns(fragments.map(({ reference }) => reference));
    // The last fragment of the range is committed a GOP and some waiting after its beginning.
    const isWhole = range.endMs !== undefined && range.endMs + limits.liveAgeMsMax < this.#clock.wallMs();
    const newest = isWhole ? undefined : await this.#source.latest(streamId);
    const isPassed =
      newest !== undefined && newest.fragment.serverTimestampMs >= (range.endMs ?? Number.POSITIVE_INFINITY);
    return { fragments, firstOfRun, type: isWhole || isPassed ? 'vod' : 'event' };
  }
}

/**
 * A range that begins with the sub stream's fragment at its beginning, which may be earlier than the main stream's: players
 * begin where they were asked to, and find both streams there.
 */
function rangeWithLead(range: HlsRange, main: readonly PlayableFragment[], sub: readonly PlayableFragment[]): HlsRange {
  const [first] = sub;
  if (range.kind === 'live' || first === undefined) return range;
  const firstRun = sub.filter(({ segment }) => segment.runId === first.segment.runId);
  const beginMs = Math.floor(first.fragment.serverTimestampMs - shiftBetween(main, firstRun).dateMs);
  const isTooLong = range.endMs !== undefined && range.endMs - beginMs > limits.playbackRangeMsMax;
  return beginMs < 0 || beginMs >= range.beginMs || isTooLong ? range : { ...range, beginMs, startMs: range.beginMs };
}

function sessionFor(
  range: HlsRange,
  variant: Variant,
  { renditions, references, shift, longestMs }: Offer & { readonly longestMs: number },
): HlsSession {
  const selected = references.find((reference) => isSelected(reference, variant.video));
  const first = must(selected, 'a variant has a fragment');
  return {
    range: range.kind === 'recorded' ? range : { kind: 'live', anchor: first.fragment.number },
    targetDurationS: targetDurationS(range, longestMs),
    video: variant.video,
    silence: renditions.audio?.silence,
    shift,
  };
}

/** GOPs of most cameras vary a little: what is still to come gets a tenth more room. */
function targetDurationS(range: HlsRange, longestMs: number): number {
  const isWhole = range.kind === 'recorded' && range.endMs !== undefined;
  const seconds = Math.round((longestMs * (isWhole ? 1 : 1.1)) / 1000);
  return Math.min(Math.max(1, seconds), Math.ceil(limits.fragmentDurationMsMax / 1000));
}

/** What the world did wrong is answered by nothing; our mistakes go on. */
function undefinedForWorld(error: unknown): undefined {
  if (!isAppError(error)) throw error;
  return undefined;
}

/** Where in its playlist a recorded range begins, which is cut at key frames. */
function startOffsetMs({ range }: HlsSession, first: NumberedFragment): number {
  if (range.kind === 'live') return 0;
  return (range.startMs ?? range.beginMs) - first.reference.fragment.serverTimestampMs;
}

function firstOfRuns(references: readonly PlayableFragment[]): ReadonlyMap<string, PlayableFragment> {
  const firstOfRun = new Map<string, PlayableFragment>();
  for (const reference of references) {
    if (!firstOfRun.has(reference.segment.runId)) firstOfRun.set(reference.segment.runId, reference);
  }
  return firstOfRun;
}

/**
 * Renditions of a sub stream with sound exactly when the main stream has some, since players cannot go from a variant with to one
 * without: silence stands in for it. Undefined when none can be written.
 */
function withSound(sub: Renditions, main: Renditions['audio']): Renditions | undefined {
  if (main === undefined || sub.audio !== undefined) return sub;
  if (main.silence === undefined) return undefined;
  const codec = playedCodecString(silentTrack(main.silence, silentTrackNumber));
  const variants = sub.variants.map((variant) => ({
    ...variant,
    codecs: codec === undefined ? variant.codecs : [...variant.codecs, codec],
  }));
  return { ...sub, audio: main, variants };
}

/** Chooses sound of one format alone: a rendition cannot go from one codec to another. */
function soundIn(format: string | undefined): ReturnType<typeof trackChooser> {
  const choose = trackChooser();
  return (tracks) => {
    const choice = choose(tracks);
    const isSame = choice.audio !== undefined && silenceFormatOf(choice.audio) === format;
    return isSame && format !== undefined ? choice : { ...choice, audio: undefined };
  };
}

function playlist(text: string): HlsAnswer {
  return { contentType: 'application/vnd.apple.mpegurl', body: text, isImmutable: false };
}
