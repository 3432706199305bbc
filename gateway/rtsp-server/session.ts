/**
 * One reader's session: tracks that were set up, and what is played of them. Belongs to one connection and ends with it.
 *
 *   set up -> playing <-> paused
 */

import type { Socket } from 'node:net';
import { appError } from '../../storage/base/errors.ts';
import { rtspServerLimits } from './limits.ts';
import { ReaderOutput } from './play/output.ts';
import { firstRecorded, whyNothing } from './play/recorded-fragments.ts';
import { TcpSink, type TrackSink, UdpSink } from './play/sinks.ts';
import { type Playing, playLive, playRecorded } from './playing.ts';
import type { MediaDeps, Presentation } from './presentation.ts';
import type { UdpPorts } from './udp-ports.ts';
import { refusal } from './wire/answer.ts';
import { trackUrl } from './wire/target.ts';
import { type AskedRange, formatMoment, formatNpt } from './wire/times.ts';
import type { TransportOffer } from './wire/transport.ts';
import { formatTransport } from './wire/transport.ts';

export type SessionDeps = MediaDeps & {
  readonly udp: UdpPorts;
  readonly socket: Socket;
  /** The player's address, as UDP knows it. */
  readonly address: string;
  readonly onAlive: () => void;
  /** What was played is over; `isFinal`: so is the connection. */
  readonly onEnded: (why: string, options: { readonly isFinal: boolean }) => void;
  readonly onDropped: () => void;
  /** How many sessions of the server play recorded media. */
  readonly recordedSessions: () => number;
};

export type PlayRequest = {
  readonly range: AskedRange | undefined;
  readonly scale: number | undefined;
  readonly speed: number | undefined;
};

/** Headers of the answer, and what to do once it was written. */
export type PlayAnswer = { readonly headers: readonly (readonly [string, string])[]; readonly begin: () => void };

type Setup = { readonly sink: TrackSink; readonly offer: TransportOffer; readonly deafen: () => void };

/** The timeline of a reader goes on by this between two pieces that were asked for. */
const betweenUs = 40_000;
/** A moment so close to now is live. */
const nowMs = 1_000;

export class ReaderSession {
  readonly id: string;
  readonly presentation: Presentation;
  /** The URL without track: what RTP-Info names. */
  readonly base: string;
  readonly #deps: SessionDeps;
  readonly #setups = new Map<number, Setup>();
  #output: ReaderOutput | undefined;
  #playing: Playing | undefined;
  /** Where recorded media was paused. */
  #place: Playing['place'];
  #lastPositionUs = 0;
  #isClosed = false;

  constructor(
    deps: SessionDeps,
    options: { readonly id: string; readonly presentation: Presentation; readonly base: string },
  ) {
    this.#deps = deps;
    this.id = options.id;
    this.presentation = options.presentation;
    this.base = options.base;
  }

  get isPlaying(): boolean {
    return this.#playing !== undefined;
  }

  get isPlayingRecorded(): boolean {
    return this.#playing?.kind === 'recorded';
  }

  /** A reader whose packets go into its connection shows by taking them that it lives. */
  get isByTcp(): boolean {
    return [...this.#setups.values()].some(({ offer }) => offer.kind === 'tcp');
  }

  get queuedBytes(): number {
    return this.#output?.queuedBytes ?? 0;
  }

  /** Media handed over so far, of all tracks. */
  get sentBytes(): number {
    return [...this.#setups.values()].reduce((sum, { sink }) => sum + sink.sentBytes, 0);
  }

  isChannel(channel: number): boolean {
    return [...this.#setups.values()].some(({ offer }) => offer.kind === 'tcp' && offer.channels?.includes(channel));
  }

  /**
   * Adds a track.
   *
   * @returns the Transport header of the answer
   * @throws AppError  with status 404 no such track, 455 while it plays, 461 no transport that we have
   */
  async setup(trackNumber: number, offers: readonly TransportOffer[]): Promise<string> {
    const { presentation } = this;
    if (!presentation.has(trackNumber)) throw refusal(404, 'not_found', 'no such track');
    if (this.isPlaying) throw refusal(455, 'failed_precondition', 'tracks cannot be added while it plays');
    const ssrc = presentation.ssrcOf(trackNumber);
    for (const offer of offers) {
      if (offer.kind === 'tcp') {
        const defaultChannel = presentation.channelOf(trackNumber);
        const channels = offer.channels ?? ([defaultChannel, defaultChannel + 1] as const);
        if (this.#isChannelTaken(channels, trackNumber)) continue;
        const sink = new TcpSink(this.#deps.socket, { channels, defaultChannel });
        this.#put(trackNumber, { sink, offer: { kind: 'tcp', channels }, deafen: () => {} });
        return formatTransport({ kind: 'tcp', channels }, { ssrc, serverPorts: undefined });
      }
      const { address, udp, clock, onAlive } = this.#deps;
      const pair = await udp.pair(address).catch(() => undefined);
      if (pair === undefined || this.#isClosed) continue;
      const sink = new UdpSink({ clock, pair }, { address, ports: offer.ports });
      this.#put(trackNumber, { sink, offer, deafen: udp.hear(address, offer.ports, onAlive) });
      return formatTransport(offer, { ssrc, serverPorts: pair.ports });
    }
    throw refusal(461, 'invalid_argument', 'none of the transports can be had');
  }

  /** @throws AppError  with status 455 nothing was set up, 457 nothing was recorded there, 453 too many play recorded media */
  async play(request: PlayRequest): Promise<PlayAnswer> {
    if (this.#setups.size === 0) throw refusal(455, 'failed_precondition', 'no track was set up');
    const asked = this.#askedOf(request.range);
    if (this.#playing !== undefined && request.range === undefined && request.scale === undefined) {
      return { headers: [], begin: () => {} };
    }
    if (asked.kind === 'live') {
      await this.pause();
      return this.#live();
    }
    return this.#recorded(asked, request);
  }

  /** Stops sending; the connection and its tracks stay. */
  async pause(): Promise<void> {
    const playing = this.#playing;
    if (playing === undefined) return;
    this.#playing = undefined;
    await playing.stop();
    this.#place = playing.place;
    this.#lastPositionUs = Math.max(this.#lastPositionUs, playing.lastPositionUs);
  }

  /** Tells receivers that nothing more comes. */
  bye(): void {
    this.#output?.bye();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { sink, deafen } of this.#setups.values()) {
      deafen();
      sink.close();
    }
    await this.pause();
    this.presentation.close();
  }

  #live(): PlayAnswer {
    const { presentation } = this;
    const numbers = [...this.#setups.keys()];
    const tracks = new Set(
      numbers.map((number) => presentation.feedTrackOf(number)).filter((track) => track !== undefined),
    );
    const info = numbers.flatMap((number) => {
      const track = presentation.feedTrackOf(number);
      const first = track === undefined ? undefined : presentation.feed?.firstOf(track)?.burst;
      return first === undefined ? [] : [infoOf(trackUrl(this.base, number), first.firstSequence, first.rtpTime)];
    });
    const begin = () => {
      const { socket } = this.#deps;
      const output = this.#newOutput();
      // A whole GOP leaves in one write.
      socket.cork();
      this.#playing = playLive(presentation, { output, tracks, events: this.#events });
      socket.uncork();
    };
    return { headers: [['Range', 'npt=now-'], ...rtpInfo(info)], begin };
  }

  async #recorded(
    asked: Extract<Asked, { kind: 'recorded' }>,
    { scale: askedScale, speed: askedSpeed, range }: PlayRequest,
  ): Promise<PlayAnswer> {
    const { source, recordedSessions } = this.#deps;
    const { streamId } = this.presentation;
    const { endMs } = asked;
    if (!this.isPlayingRecorded && recordedSessions() >= rtspServerLimits.recordedSessionsMax) {
      throw appError('resource_exhausted', 'too many readers play recorded media');
    }
    const wasPaused = this.#playing === undefined ? this.#place : undefined;
    const beginMs = asked.beginMs ?? this.#playing?.place?.serverMs ?? wasPaused?.serverMs ?? this.#originMs;
    const first = await firstRecorded(source, streamId, { beginMs, endMs });
    if (first === undefined) {
      throw refusal(457, 'invalid_argument', whyNothing(source, streamId, { beginMs, endMs }));
    }
    const resume = asked.beginMs === undefined ? (this.#playing?.place ?? wasPaused)?.resume : undefined;
    await this.pause();
    const scale = clamped(askedScale, rtspServerLimits.scaleMin, rtspServerLimits.scaleMax);
    const speed = clamped(askedSpeed, rtspServerLimits.speedMin, rtspServerLimits.speedMax);
    const beginPositionUs = this.#lastPositionUs === 0 ? 0 : this.#lastPositionUs + betweenUs;
    const numbers = [...this.#setups.keys()];
    const tracks = new Map(numbers.map((number) => [number, this.presentation.recordedTrackOf(number)]));
    const info = [...tracks].map(([number, { packetiser, clock }]) =>
      infoOf(trackUrl(this.base, number), packetiser.nextSequence, clock.at(beginPositionUs)),
    );
    const actualMs = resume === undefined ? first.fragment.serverTimestampMs : beginMs;
    const begin = () => {
      const deps = { ...this.#deps, output: this.#newOutput(), tracks, events: this.#events };
      const options = { streamId, first, endMs, scale, speed, beginPositionUs, resume };
      this.#playing = playRecorded(deps, options);
    };
    const headers = [
      ['Range', this.#rangeText(range, actualMs, endMs)],
      ...(askedScale === undefined ? [] : [['Scale', String(scale)]]),
      ...(askedSpeed === undefined ? [] : [['Speed', String(speed)]]),
    ] as const;
    return { headers: [...(headers as readonly (readonly [string, string])[]), ...rtpInfo(info)], begin };
  }

  #rangeText(range: AskedRange | undefined, beginMs: number, endMs: number | undefined): string {
    if (range?.kind === 'clock' || this.presentation.recorded === undefined) {
      return `clock=${formatMoment(beginMs)}-${endMs === undefined ? '' : formatMoment(endMs)}`;
    }
    const end = endMs === undefined ? '' : formatNpt(endMs - this.#originMs);
    return `npt=${formatNpt(beginMs - this.#originMs)}-${end}`;
  }

  /** Normal play time 0. */
  get #originMs(): number {
    return this.presentation.recorded?.beginMs ?? this.#deps.clock.wallMs();
  }

  #askedOf(range: AskedRange | undefined): Asked {
    const { recorded } = this.presentation;
    const wallMs = this.#deps.clock.wallMs();
    if (range?.kind === 'clock') {
      if (range.end !== undefined && range.end <= range.begin) throw refusal(457, 'invalid_argument', 'range is empty');
      if (recorded === undefined && range.begin > wallMs - nowMs) return { kind: 'live' };
      return { kind: 'recorded', beginMs: range.begin, endMs: range.end ?? recorded?.endMs };
    }
    if (recorded === undefined) {
      // Players ask live streams for `npt=0-`; who was sent back in time by a clock range comes back by that.
      const isPausedInPast = range === undefined && (this.#playing ?? this.#pausedRecorded)?.kind === 'recorded';
      return isPausedInPast ? { kind: 'recorded', beginMs: undefined, endMs: undefined } : { kind: 'live' };
    }
    const end = range?.end === undefined ? recorded.endMs : recorded.beginMs + range.end;
    const begin = range?.begin;
    if (begin === undefined) return { kind: 'recorded', beginMs: undefined, endMs: end };
    const beginMs = begin === 'now' ? wallMs - rtspServerLimits.edgeWaitMs : recorded.beginMs + begin;
    if (end !== undefined && end <= beginMs) throw refusal(457, 'invalid_argument', 'range is empty');
    return { kind: 'recorded', beginMs, endMs: end };
  }

  get #pausedRecorded(): { readonly kind: 'recorded' } | undefined {
    return this.#place === undefined ? undefined : { kind: 'recorded' };
  }

  get #events() {
    return {
      onEnded: (why: string, options: { readonly isFinal: boolean }) => {
        void this.pause();
        this.#deps.onEnded(why, options);
      },
      onDropped: this.#deps.onDropped,
    };
  }

  #newOutput(): ReaderOutput {
    const tracks = [...this.#setups].map(
      ([number, { sink }]) => [number, { sink, ssrc: this.presentation.ssrcOf(number) }] as const,
    );
    this.#output = new ReaderOutput(this.#deps, new Map(tracks));
    return this.#output;
  }

  #put(trackNumber: number, setup: Setup): void {
    const before = this.#setups.get(trackNumber);
    before?.deafen();
    before?.sink.close();
    this.#setups.set(trackNumber, setup);
  }

  #isChannelTaken(channels: readonly [number, number], trackNumber: number): boolean {
    return [...this.#setups].some(
      ([other, { offer }]) =>
        other !== trackNumber && offer.kind === 'tcp' && offer.channels?.some((channel) => channels.includes(channel)),
    );
  }
}

type Asked =
  | { readonly kind: 'live' }
  /** `beginMs` undefined: where it stands. */
  | { readonly kind: 'recorded'; readonly beginMs: number | undefined; readonly endMs: number | undefined };

function infoOf(url: string, sequence: number, rtpTime: number): string {
  return `url=${url};seq=${sequence};rtptime=${rtpTime}`;
}

function rtpInfo(entries: readonly string[]): readonly (readonly [string, string])[] {
  return entries.length === 0 ? [] : [['RTP-Info', entries.join(',')]];
}

/** What was asked for as far as we can: RFC 2326 12.34 wants the nearest, told in the answer. Backwards is none of ours. */
function clamped(asked: number | undefined, min: number, max: number): number {
  if (asked === undefined || !Number.isFinite(asked) || asked <= 0) return 1;
  return Math.min(max, Math.max(min, asked));
}
