/**
 * What streaming session URLs name: playlists, manifests, initialization and media, each by its path and query. The token is the
 * permission; who asked for it must still be allowed, and what the stream's retention has taken is not there.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { isAppError } from '../../../storage/base/errors.ts';
import { tsSegment } from '../../../storage/media/index.ts';
import {
  type FragmentNumber,
  fragmentNumberParts,
  parseFragmentNumber,
} from '../../../storage/model/fragment-number.ts';
import { limits } from '../../../storage/model/limits.ts';
import { ByteCache, initSegment, type PlayableFragment, silentTrack } from '../../playback/index.ts';
import { awsError } from '../errors.ts';
import type { Admission } from '../quotas/index.ts';
import type { KvsStream } from '../streams.ts';
import { retentionFloorMs } from '../streams.ts';
import { absenceSentence } from './absence.ts';
import { dashBaseMs, dashManifestText } from './dash-manifest.ts';
import { hlsMasterText, hlsMediaText, leadingTrack, silenceOf, soundTrack } from './hls-playlists.ts';
import { damaged, formOf, playedTracks } from './media-form.ts';
import { type PlaybackSession, sessionAction } from './session.ts';
import { axisTime, type SessionEntry } from './session-entry.ts';
import { mp4Fragment, tsTracks } from './session-media.ts';
import type { SessionTokens } from './session-tokens.ts';
import type { SessionWalks, WalkMoment } from './session-walks.ts';
import type { Meter, SessionSource } from './source.ts';

export type ResourceDeps = {
  readonly source: SessionSource;
  readonly walks: SessionWalks;
  readonly tokens: SessionTokens;
  readonly meter: Meter;
  /** @throws AppError ClientLimitExceededException  one session, or all of a stream, ask for too much */
  readonly limit: (path: string, asked: LimitedSession) => Admission;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** The stream of that id, for who asked for the URL: undefined when it is gone, or they may not any more. */
  readonly admit: (asked: {
    readonly streamId: string;
    readonly streamName: string;
    readonly owner: string;
    readonly action: string;
  }) => KvsStream | undefined;
};

/** A session as quotas see it; its name is the same for all of its requests. */
export type LimitedSession = Pick<PlaybackSession, 'streamName' | 'resultsMax'> & { readonly name: string };

export type ResourceRequest = {
  /** Without the prefix of the public URL. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly nowMs: number;
};

export type Resource = {
  readonly contentType: string;
  /** Bytes are shared with a cache: do not write into them. */
  readonly body: string | Uint8Array;
  /** For logs and usage. */
  readonly streamId: string;
  readonly owner: string;
};

type Asked = ResourceRequest & WalkMoment & { readonly session: PlaybackSession; readonly token: string };
/** What a path stands for, by AWS's name of it. */
type Kind = { readonly name: string; readonly isMedia?: boolean; readonly get: (asked: Asked) => Promise<Answer> };
type Answer = { readonly contentType: string; readonly body: string | Uint8Array };

const sessionNameCharacters = 22;
const playlistType = 'application/vnd.apple.mpegurl';
const manifestType = 'application/dash+xml';
/** Numbers are given when a fragment begins; its time may have been slewed by a little since. */
const slewMsMax = 1_000;
/** Times in transport streams begin here: clock references run ahead of them. */
const tsBaseMs = 10_000;

export class PlaybackResources {
  readonly #deps: ResourceDeps;
  readonly #media = new ByteCache<Uint8Array>({
    bytesMax: limits.playbackCacheBytes / 2,
    bytesOf: (bytes) => bytes.length,
  });
  readonly #kinds: ReadonlyMap<string, Kind>;

  constructor(deps: ResourceDeps) {
    this.#deps = deps;
    const init = { name: 'GetMP4InitFragment', get: (asked: Asked) => this.#init(asked) };
    const media = { name: 'GetMP4MediaFragment', isMedia: true, get: (asked: Asked) => this.#mp4(asked) };
    this.#kinds = new Map<string, Kind>([
      ['/hls/v1/getHLSMasterPlaylist.m3u8', { name: 'GetHLSMasterPlaylist', get: (asked) => this.#hlsMaster(asked) }],
      ['/hls/v1/getHLSMediaPlaylist.m3u8', { name: 'GetHLSMediaPlaylist', get: (asked) => this.#hlsMedia(asked) }],
      ['/hls/v1/getMP4InitFragment.mp4', init],
      ['/hls/v1/getMP4MediaFragment.mp4', media],
      ['/hls/v1/getTSFragment.ts', { name: 'GetTSFragment', isMedia: true, get: (asked) => this.#ts(asked) }],
      ['/dash/v1/getDASHManifest.mpd', { name: 'GetDASHManifest', get: (asked) => this.#dash(asked) }],
      ['/dash/v1/getMP4InitFragment.mp4', init],
      ['/dash/v1/getMP4MediaFragment.mp4', media],
    ]);
  }

  has(path: string): boolean {
    return this.#kinds.has(path);
  }

  /**
   * @throws AppError AccessDeniedException      the token is expired or none of ours, or who asked for it may not any more
   * @throws AppError ResourceNotFoundException  nothing of it is there (any more)
   * @throws AppError InvalidArgumentException   not one of our URIs
   * @throws AppError InvalidCodecPrivateDataException, InvalidMediaFrameException
   */
  async get(request: ResourceRequest): Promise<Resource> {
    const resource = this.#kinds.get(request.path);
    if (resource === undefined) throw notFound();
    const { clock, meter } = this.#deps;
    const startMs = clock.monotonicMs();
    const asked = this.#admitted(request);
    const { streamId, streamName, owner } = asked.session;
    meter.add(`${resource.name}.Requests`, streamName, 1);
    try {
      const answer = await resource.get(asked);
      meter.add(`${resource.name}.Success`, streamName, 1);
      meter.add(`${resource.name}.Latency`, streamName, clock.monotonicMs() - startMs);
      if (resource.isMedia) meter.add(`${resource.name}.OutgoingBytes`, streamName, answer.body.length);
      return { ...answer, streamId, owner };
    } catch (error) {
      meter.add(`${resource.name}.Success`, streamName, 0);
      throw told(error);
    }
  }

  #admitted(request: ResourceRequest): Asked {
    const token = request.query.get('SessionToken') ?? '';
    const session = this.#deps.tokens.open(token, request.nowMs);
    const protocol = request.path.startsWith('/hls/') ? 'hls' : 'dash';
    if (session.protocol !== protocol) throw notFound();
    // What authenticates a token is as good a name for its session as any.
    const admission = this.#deps.limit(request.path, { ...session, name: token.slice(-sessionNameCharacters) });
    const { streamId, streamName, owner } = session;
    const stream = this.#deps.admit({ streamId, streamName, owner, action: sessionAction(session) });
    if (stream === undefined) {
      admission.giveBack();
      throw awsError('AccessDeniedException', 'The streaming session ended with the stream or its access key');
    }
    return { ...request, session, token, floorMs: retentionFloorMs(stream, request.nowMs) };
  }

  async #hlsMaster(asked: Asked): Promise<Answer> {
    const { entries } = await this.#window(asked);
    return { contentType: playlistType, body: hlsMasterText(asked.session, entries, asked.token) };
  }

  async #hlsMedia(asked: Asked): Promise<Answer> {
    const window = await this.#window(asked);
    const track = trackOf(asked);
    if (track === soundTrack && (asked.session.container === 'ts' || window.entries[0]?.tracks.video === undefined)) {
      throw notFound();
    }
    return { contentType: playlistType, body: hlsMediaText(asked.session, window, { token: asked.token, track }) };
  }

  async #dash(asked: Asked): Promise<Answer> {
    const window = await this.#window(asked);
    requireOneSetUp(window.entries);
    return { contentType: manifestType, body: dashManifestText(asked.session, window, asked) };
  }

  async #window(asked: Asked) {
    const window = await this.#deps.walks.window(asked.token, asked.session, asked);
    if (window.entries.length === 0) throw noFragments(asked.session, this.#deps.source);
    this.#consumed('Metadata', asked, window.entries.length);
    return window;
  }

  async #init(asked: Asked): Promise<Answer> {
    const sequence = Number(asked.query.get('SequenceNumber') ?? 0);
    if (!Number.isSafeInteger(sequence) || sequence < 0) throw invalid('SequenceNumber');
    const entry = await this.#deps.walks.setUp(asked.token, asked.session, { ...asked, setUp: sequence });
    if (entry === undefined) throw noFragments(asked.session, this.#deps.source);
    const isSound = trackOf(asked) === soundTrack || entry.tracks.video === undefined;
    const track = isSound ? (entry.tracks.audio ?? entry.sound?.track) : entry.tracks.video;
    if (track === undefined) throw notFound();
    return { contentType: 'video/mp4', body: initSegment(track) };
  }

  async #mp4(asked: Asked): Promise<Answer> {
    const { session } = asked;
    const track = trackOf(asked);
    const isDash = session.protocol === 'dash';
    const entry = isDash ? await this.#entry(asked) : undefined;
    const reference = entry?.reference ?? (await this.#fragment(asked));
    const beginMs =
      entry === undefined ? axisTime(reference, session.axis) - skippedOf(asked) : entry.positionMs + dashBaseMs;
    const { video, audio } = playedTracks(reference.segment.tracks, formOf(session));
    const isSound = track === soundTrack || video === undefined;
    const own = isSound ? audio : video;
    const silence = entry === undefined ? asked.query.get('Silence') : (silenceOf(entry) ?? null);
    const silent = own === undefined && isSound && silence !== null ? silentTrack(silence, soundTrack) : undefined;
    if (own === undefined && silent === undefined) throw notFound();
    const { streamId } = session;
    const key = `${streamId} ${reference.fragment.number} ${own?.number ?? silence} ${beginMs}`;
    const body = await this.#made(asked, key, () =>
      mp4Fragment(this.#deps.source, reference, { beginMs, track: own, silent }),
    );
    return { contentType: 'video/mp4', body };
  }

  async #ts(asked: Asked): Promise<Answer> {
    const { session } = asked;
    if (session.container !== 'ts') throw notFound();
    const reference = await this.#fragment(asked);
    const silence = asked.query.get('Silence');
    const tracks = playedTracks(reference.segment.tracks, 'hls-ts');
    const silent = tracks.audio === undefined && silence !== null ? silentTrack(silence, soundTrack) : undefined;
    const beginMs = axisTime(reference, session.axis) - skippedOf(asked) - zeroMs(session) + tsBaseMs;
    const key = `${session.streamId} ${reference.fragment.number} ts ${silence ?? ''} ${beginMs}`;
    const body = await this.#made(asked, key, async () =>
      tsSegment({
        tracks: await tsTracks(this.#deps.source, reference, { ...tracks, silent }),
        timeOffsetUs: (beginMs - reference.fragment.mediaTimeMs) * 1_000,
      }),
    );
    return { contentType: 'video/mp2t', body };
  }

  #made(asked: Asked, key: string, make: () => Promise<Uint8Array>): Promise<Uint8Array> {
    this.#consumed('Media', asked, 1);
    return this.#media.get(key, () =>
      make().catch((error) => {
        throw damaged(error);
      }),
    );
  }

  #consumed(what: 'Metadata' | 'Media', { session }: Asked, fragments: number): void {
    this.#deps.meter.add(`ArchivedFragmentsConsumed.${what}`, session.streamName, fragments);
  }

  /** DASH counts: the number is the fragment's in the session. */
  async #entry(asked: Asked): Promise<SessionEntry> {
    const text = asked.query.get('FragmentNumber') ?? '';
    if (!/^\d{1,15}$/.test(text)) throw invalid('FragmentNumber');
    const moment = { ...asked, mediaSequence: Number(text) };
    const entry = await this.#deps.walks.entry(asked.token, asked.session, moment);
    if (entry === undefined) throw gone();
    return entry;
  }

  /** HLS names a fragment by its own number; a token opens those of its session alone. */
  async #fragment({ query, session, floorMs, nowMs }: Asked): Promise<PlayableFragment> {
    const number = numberOf(query.get('FragmentNumber') ?? '');
    const { serverTimestampMs } = fragmentNumberParts(number);
    const range = { beginMs: serverTimestampMs - slewMsMax, endMs: serverTimestampMs + slewMsMax };
    const found = await this.#deps.source.fragmentsBetween(session.streamId, range);
    const reference = found.find(({ fragment }) => fragment.number === number);
    if (reference === undefined || reference.fragment.serverTimestampMs < floorMs) throw gone();
    if (!isOfSession(session, reference, nowMs)) throw notFound();
    return reference;
  }
}

function isOfSession(session: PlaybackSession, reference: PlayableFragment, nowMs: number): boolean {
  const { mode, range, anchor, axis } = session;
  if (mode === 'live') return anchor !== undefined && reference.fragment.number >= anchor;
  const timeMs = axisTime(reference, axis);
  return range !== undefined && timeMs >= range.beginMs && timeMs <= (range.endMs ?? nowMs + limits.playbackRangeMsMax);
}

/** Where the times of transport streams count from, so that they don't begin anew within a session. */
function zeroMs({ range, startedMs, leadMs }: PlaybackSession): number {
  return range?.beginMs ?? startedMs - leadMs;
}

/** By how much a session without marks is behind the times of its fragments, milliseconds. */
function skippedOf({ query }: Asked): number {
  const text = query.get('Skipped') ?? '0';
  if (!/^-?\d{1,13}$/.test(text)) throw invalid('Skipped');
  return Number(text);
}

function trackOf({ query }: Asked): number {
  const track = query.get('TrackNumber') ?? String(leadingTrack);
  if (track !== String(leadingTrack) && track !== String(soundTrack)) throw invalid('TrackNumber');
  return Number(track);
}

/** @throws AppError InvalidCodecPrivateDataException  the manifest can tell of one set-up alone */
export function requireOneSetUp(entries: readonly SessionEntry[]): void {
  if (entries.every(({ setUp }) => setUp === entries[0]?.setUp)) return;
  throw awsError('InvalidCodecPrivateDataException', 'The codec private data changes within the requested fragments.');
}

/** The text that clients look for, and why they are not there. */
export function noFragments(
  { protocol, streamId, axis, range }: Pick<PlaybackSession, 'protocol' | 'streamId' | 'axis' | 'range'>,
  source: SessionSource,
) {
  const name = protocol === 'hls' ? 'HLS' : 'DASH';
  const why = absenceSentence(source, { streamId, axis, ...range });
  return awsError(
    'ResourceNotFoundException',
    `No fragments found in the stream for the ${name} streaming request.${why}`,
  );
}

function numberOf(text: string): FragmentNumber {
  try {
    return parseFragmentNumber(text);
  } catch {
    throw invalid('FragmentNumber');
  }
}

/** A codec in a form that nobody carries. */
function told(error: unknown): unknown {
  if (isAppError(error, 'unimplemented')) {
    return awsError('UnsupportedStreamMediaTypeException', error.message, { cause: error });
  }
  return error;
}

function invalid(member: string) {
  return awsError('InvalidArgumentException', `${member} is not one of ours`);
}

function gone() {
  return awsError('ResourceNotFoundException', 'The fragment is not available any more.');
}

function notFound() {
  return awsError('ResourceNotFoundException', 'There is nothing at this path.');
}
