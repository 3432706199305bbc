/**
 * One player's connection: requests one after another, each asked about before it does anything, and at most one session. It
 * ends for garbage, for silence, for a reader that takes nothing, and when the authoriser says so.
 */

import type { Socket } from 'node:net';
import type { Clock } from '../../storage/base/clock.ts';
import { type AppError, appError, toAppError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import { allHeaders, Framer, header, isResponse, parseMessage, printable, type RtspRequest } from '../rtsp/index.ts';
import type { RtspGate, RtspOrigin, RtspReader } from './gate.ts';
import { rtspServerLimits } from './limits.ts';
import { ConnectionLogin } from './login.ts';
import { isRtspMethod, rtspMethods } from './methods.ts';
import { type MediaDeps, Presentation } from './presentation.ts';
import { ReaderSession } from './session.ts';
import type { UdpPorts } from './udp-ports.ts';
import { type Answer, formatAnswerText, refusal, statusOf } from './wire/answer.ts';
import { formatDescription } from './wire/description.ts';
import { parseTarget, type Target } from './wire/target.ts';
import { parseRange } from './wire/times.ts';
import { parseTransports } from './wire/transport.ts';

export type ConnectionDeps = MediaDeps & {
  readonly gate: RtspGate;
  readonly udp: UdpPorts;
  readonly socket: Socket;
  readonly recordedSessions: () => number;
  readonly onDropped: () => void;
  readonly onClosed: (why: string) => void;
};

type Asked = { readonly reader: RtspReader; readonly streamName: string };

/** What a request leads to; `after` runs once the answer was written. */
type Outcome = Answer & { readonly after?: () => void };

const okay: Outcome = { status: 200 };
/** RFC 2326 says that a player waits for so long at least before it takes us for dead. */
const timeoutSeconds = rtspServerLimits.sessionTimeoutMs / 1000;
const refusalsMax = 10;
/** After the goodbye, what is on its way may arrive. */
const goodbyeMs = 2_000;

export class RtspServerConnection {
  readonly #deps: ConnectionDeps;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #socket: Socket;
  readonly #origin: RtspOrigin;
  readonly #login: ConnectionLogin;
  readonly #framer: Framer;
  readonly #waiting: RtspRequest[] = [];
  readonly #beganMs: number;
  #isHandling = false;
  #isClosed = false;
  #isEnding = false;
  #hasAsked = false;
  #refusals = 0;
  #aliveMs: number;
  #requests = { sinceMs: 0, count: 0 };
  /** What waits for it and what it has taken, and when that last moved. */
  #flow = { queuedBytes: 0, takenBytes: 0, movedMs: 0 };
  #asked: Asked | undefined;
  /** What the session was let in for: requests about other streams change nothing of it. */
  #watched: Asked | undefined;
  /** Of what the session has sent, what its reader was told. */
  #toldBytes = 0;
  #reaskedMs = 0;
  #presentation: { readonly base: string; readonly presentation: Presentation } | undefined;
  #session: ReaderSession | undefined;

  constructor(deps: ConnectionDeps, options: { readonly origin: RtspOrigin }) {
    this.#deps = deps;
    this.#clock = deps.clock;
    this.#socket = deps.socket;
    this.#origin = options.origin;
    this.#log = deps.log.child({ requestId: options.origin.requestId, address: options.origin.address });
    this.#login = new ConnectionLogin(deps, options);
    this.#beganMs = this.#clock.monotonicMs();
    this.#aliveMs = this.#beganMs;
    this.#flow.movedMs = this.#beganMs;
    this.#framer = new Framer({
      packet: () => {},
      isChannel: (channel) => this.#session?.isChannel(channel) ?? false,
      message: (head, body) => this.#message(head, body),
      garbage: () => this.#refuseGarbage(),
      lost: () => this.#refuseGarbage(),
    });
  }

  /** True until somebody known was let in. */
  get isStranger(): boolean {
    return this.#asked === undefined;
  }

  get isPlaying(): boolean {
    return this.#session?.isPlaying ?? false;
  }

  get isPlayingRecorded(): boolean {
    return this.#session?.isPlayingRecorded ?? false;
  }

  get queuedBytes(): number {
    return this.#session?.queuedBytes ?? 0;
  }

  start(): void {
    this.#socket.setNoDelay(true);
    this.#socket.setKeepAlive(true, 15_000);
    this.#socket.on('data', (chunk: Uint8Array) => this.#read(chunk));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => void this.close('closed by the player'));
  }

  /** To be called about once a second. */
  tick(): void {
    const nowMs = this.#clock.monotonicMs();
    const { firstRequestMs, strangerMs, sessionTimeoutMs, stuckMs, reaskMs } = rtspServerLimits;
    // UDP takes whatever it is given: only the connection itself can be stuck.
    const queued = this.#socket.writableLength;
    this.#noteFlow(queued, nowMs);
    // What was taken out of the connection shows life as well as a word: many players send none while they play.
    if (this.isPlaying && this.#session?.isByTcp === true && this.#flow.movedMs === nowMs) this.#aliveMs = nowMs;
    if (!this.#hasAsked && nowMs - this.#beganMs > firstRequestMs) void this.close('it asked nothing');
    else if (this.isStranger && nowMs - this.#beganMs > strangerMs) void this.close('it did not say who it is');
    else if (nowMs - this.#aliveMs > sessionTimeoutMs) void this.close('nothing was heard of it');
    else if (queued > 0 && nowMs - this.#flow.movedMs > stuckMs) void this.close('it takes nothing');
    else if (nowMs - this.#reaskedMs > reaskMs) this.#reask(nowMs);
  }

  async close(why: string): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.destroy();
    this.#waiting.length = 0;
    this.#tellSent();
    const session = this.#session;
    this.#session = undefined;
    this.#presentation?.presentation.close();
    this.#presentation = undefined;
    this.#deps.onClosed(why);
    if (session !== undefined) {
      this.#log.info('rtsp reader left', {
        streamName: session.presentation.name,
        reader: this.#asked?.reader.name,
        why,
      });
    }
    await session?.close();
  }

  #noteFlow(queuedBytes: number, nowMs: number): void {
    const { bytesWritten, writableLength } = this.#socket;
    const takenBytes = bytesWritten - writableLength;
    const last = this.#flow;
    const isMoving = last.queuedBytes === 0 || queuedBytes < last.queuedBytes || takenBytes !== last.takenBytes;
    this.#flow = { queuedBytes, takenBytes, movedMs: isMoving ? nowMs : last.movedMs };
  }

  #read(chunk: Uint8Array): void {
    if (this.#isClosed) return;
    this.#aliveMs = this.#clock.monotonicMs();
    this.#framer.push(chunk, chunk.length);
  }

  #refuseGarbage(): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#end('it sent bytes that are no RTSP', formatAnswerText(undefined, { status: 400 }));
  }

  #message(head: string, body: string): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#hasAsked = true;
    const message = parseMessage(head, body);
    if (message === undefined) {
      this.#refuseGarbage();
      return;
    }
    if (isResponse(message)) return;
    if (!this.#mayAsk() || this.#waiting.length >= rtspServerLimits.requestsWaitingMax) {
      this.#end('it asks too much', formatAnswerText(header(message, 'cseq'), { status: 453 }));
      return;
    }
    if (/RTSP\/(?!1\.)/.test(head.slice(0, head.search(/\r|\n|$/)))) {
      this.#end('it speaks another version', formatAnswerText(header(message, 'cseq'), { status: 505 }));
      return;
    }
    this.#waiting.push(message);
    void this.#handleWaiting();
  }

  #mayAsk(): boolean {
    const nowMs = this.#clock.monotonicMs();
    const { requestsPeriodMs, requestsPerPeriodMax } = rtspServerLimits;
    if (nowMs - this.#requests.sinceMs > requestsPeriodMs) this.#requests = { sinceMs: nowMs, count: 0 };
    return ++this.#requests.count <= requestsPerPeriodMax;
  }

  async #handleWaiting(): Promise<void> {
    if (this.#isHandling) return;
    this.#isHandling = true;
    for (let next = this.#waiting.shift(); next !== undefined && !this.#isClosed; next = this.#waiting.shift()) {
      await this.#handle(next);
    }
    this.#isHandling = false;
  }

  async #handle(request: RtspRequest): Promise<void> {
    const outcome = await this.#outcomeOf(request).catch((error: unknown) => this.#refused(request, toAppError(error)));
    if (this.#isClosed || this.#isEnding) return;
    if (!this.isPlaying && this.#socket.writableLength > rtspServerLimits.answersBytesMax) {
      void this.close('it does not read its answers');
      return;
    }
    this.#socket.write(formatAnswerText(header(request, 'cseq'), outcome));
    outcome.after?.();
    if (this.#refusals >= refusalsMax) this.#end('it is refused again and again', '');
  }

  #refused(request: RtspRequest, error: AppError): Outcome {
    const status = statusOf(error);
    const { code, message } = error;
    if (code === 'internal') this.#log.error('rtsp request failed', { method: request.method, error });
    else this.#log.debug('rtsp request refused', { method: request.method, status, code, reason: message });
    if (status === 401 || status === 403 || status === 404) this.#refusals++;
    const { retryAfterMs } = error.context;
    const retry = typeof retryAfterMs === 'number' ? String(Math.ceil(retryAfterMs / 1000)) : undefined;
    return {
      // Too many attempts: a player that hears of credentials would try the next ones at once.
      status: retry === undefined ? status : 503,
      headers: [
        ...(status === 401 ? this.#login.challenges().map((value) => ['WWW-Authenticate', value] as const) : []),
        ...(retry === undefined ? [] : [['Retry-After', retry] as const]),
      ],
    };
  }

  async #outcomeOf(request: RtspRequest): Promise<Outcome> {
    const { method } = request;
    if (header(request, 'cseq') === undefined) throw appError('invalid_argument', 'request has no CSeq');
    if (!isRtspMethod(method)) throw refusal(501, 'unimplemented', `method ${printable(method)} is not known`);
    const required = allHeaders(request, 'require').join(', ');
    if (required !== '') return { status: 551, headers: [['Unsupported', printable(required)]] };
    const access = rtspMethods[method];
    if (access === 'public') return { status: 200, headers: [['Public', Object.keys(rtspMethods).join(', ')]] };
    if (access === 'session') return this.#inSession(request, this.#sessionOf(request));
    const target = parseTarget(request.uri);
    if (target === undefined) throw appError('invalid_argument', 'not a URL of a stream');
    const reader = await this.#login.identify(request, target.name);
    const stream = reader.view(target.name);
    if (this.#isClosed) throw appError('cancelled', 'the connection is closed');
    const asked = { reader, streamName: target.name };
    this.#asked = asked;
    switch (method) {
      case 'DESCRIBE':
        return this.#describe(target, stream);
      case 'SETUP':
        return this.#setup(request, target, { ...stream, asked });
      default:
        return this.#play(request, target, asked);
    }
  }

  async #describe(target: Target, stream: { readonly streamId: string; readonly name: string }): Promise<Outcome> {
    // What it said before may not be true any more; a session keeps to what was set up.
    if (this.#session === undefined) this.#forgetPresentation();
    const presentation = await this.#present(target, stream);
    const { startMs, endMs } = target;
    const durationMs = startMs === undefined || endMs === undefined ? undefined : endMs - startMs;
    const body = formatDescription({
      name: stream.name,
      base: target.base,
      sessionId: Math.floor(this.#beganMs),
      address: this.#socket.localAddress?.replace(/^::ffff:/i, '') ?? '0.0.0.0',
      formats: presentation.formats,
      recorded: startMs === undefined ? undefined : { durationMs },
    });
    const headers = [
      ['Content-Base', target.base.includes('?') ? target.base : `${target.base}/`],
      ['Content-Type', 'application/sdp'],
    ] as const;
    return { status: 200, headers, body };
  }

  async #setup(
    request: RtspRequest,
    target: Target,
    stream: { readonly streamId: string; readonly name: string; readonly asked: Asked },
  ): Promise<Outcome> {
    const session = header(request, 'session') === undefined ? undefined : this.#sessionOf(request);
    if (session !== undefined && session.base !== target.base) {
      throw refusal(459, 'invalid_argument', 'a session plays the tracks of one stream');
    }
    if (session === undefined && this.#session !== undefined) {
      throw refusal(455, 'failed_precondition', 'this connection has a session already');
    }
    const offers = parseTransports(allHeaders(request, 'transport').join(','));
    const presentation = await this.#present(target, stream);
    const used = session ?? this.#newSession(presentation, target.base);
    const trackNumber = target.trackNumber ?? onlyTrackOf(presentation);
    // When it is refused, the presentation stays for the next try: another transport, most likely.
    this.#tellSent();
    const transport = await used.setup(trackNumber, offers);
    this.#session = used;
    this.#toldBytes = used.sentBytes;
    this.#watch(stream.asked);
    const headers = [
      ['Transport', transport],
      ['Session', `${used.id};timeout=${timeoutSeconds}`],
    ] as const;
    return { status: 200, headers };
  }

  async #play(request: RtspRequest, target: Target, asked: Asked): Promise<Outcome> {
    const session = this.#sessionOf(request);
    if (parseTarget(session.base)?.name !== target.name) throw refusal(459, 'invalid_argument', 'not of this session');
    this.#watch(asked);
    const rangeText = header(request, 'range');
    const range = rangeText === undefined ? undefined : parseRange(rangeText);
    if (rangeText !== undefined && range === undefined) throw refusal(457, 'invalid_argument', 'range is not known');
    const played = await session.play({
      range,
      scale: numberOf(header(request, 'scale')),
      speed: numberOf(header(request, 'speed')),
    });
    const after = () => {
      played.begin();
      this.#log.info('rtsp reader plays', { streamName: session.presentation.name, reader: this.#asked?.reader.name });
    };
    return { status: 200, headers: [['Session', session.id], ...played.headers], after };
  }

  async #inSession(request: RtspRequest, session: ReaderSession): Promise<Outcome> {
    const headers = [['Session', `${session.id};timeout=${timeoutSeconds}`]] as const;
    const hasBody = Number(header(request, 'content-length') ?? 0) > 0;
    switch (request.method) {
      case 'PAUSE':
        await session.pause();
        return { status: 200, headers };
      case 'TEARDOWN':
        this.#forgetPresentation();
        this.#tellSent();
        this.#session = undefined;
        await session.close();
        this.#log.info('rtsp reader left', { streamName: session.presentation.name, why: 'teardown' });
        return okay;
      default:
        // Parameters are asked for by name, of which we have none; without any it is a sign of life.
        return hasBody ? { status: 451, headers } : { status: 200, headers };
    }
  }

  #sessionOf(request: RtspRequest): ReaderSession {
    const id = header(request, 'session')?.split(';')[0]?.trim();
    const session = this.#session;
    if (session === undefined || id !== session.id) throw refusal(454, 'not_found', 'no such session here');
    return session;
  }

  /** What the URL shows, kept from DESCRIBE to PLAY: tracks must not change in between. */
  async #present(target: Target, stream: { readonly streamId: string; readonly name: string }): Promise<Presentation> {
    const known = this.#presentation;
    if (known?.base === target.base) return known.presentation;
    const { startMs, endMs } = target;
    const span = startMs === undefined ? undefined : { beginMs: startMs, endMs };
    const presentation = await Presentation.open(this.#deps, stream, span);
    if (this.#isClosed) {
      presentation.close();
      throw appError('cancelled', 'the connection is closed');
    }
    this.#forgetPresentation();
    this.#presentation = { base: target.base, presentation };
    return presentation;
  }

  #forgetPresentation(): void {
    const presentation = this.#presentation?.presentation;
    this.#presentation = undefined;
    if (presentation !== this.#session?.presentation) presentation?.close();
  }

  #newSession(presentation: Presentation, base: string): ReaderSession {
    const id = Buffer.from(this.#deps.random(8)).toString('hex');
    return new ReaderSession(
      {
        ...this.#deps,
        address: this.#origin.address,
        onAlive: () => {
          this.#aliveMs = this.#clock.monotonicMs();
        },
        onEnded: (why, { isFinal }) => this.#onEnded(why, isFinal),
      },
      { id, presentation, base },
    );
  }

  #onEnded(why: string, isFinal: boolean): void {
    this.#session?.bye();
    if (isFinal) this.#end(why, '');
  }

  #watch(asked: Asked): void {
    this.#watched = asked;
    this.#reaskedMs = this.#clock.monotonicMs();
  }

  /** A token that was removed, a right that was taken away: the reader sees no more. */
  #reask(nowMs: number): void {
    this.#reaskedMs = nowMs;
    const watched = this.#watched;
    if (watched === undefined || this.#session === undefined) return;
    this.#tellSent();
    try {
      watched.reader.view(watched.streamName);
    } catch (error) {
      this.#log.info('rtsp reader is sent away', { reader: watched.reader.name, error: toAppError(error) });
      this.#onEnded('it may not watch any longer', true);
    }
  }

  #tellSent(): void {
    const { sentBytes = 0, presentation } = this.#session ?? {};
    if (presentation === undefined || sentBytes === this.#toldBytes) return;
    this.#watched?.reader.onSent?.(presentation.streamId, sentBytes - this.#toldBytes);
    this.#toldBytes = sentBytes;
  }

  /** Says a last word and closes, at once for those who do not listen. */
  #end(why: string, text: string): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#isEnding = true;
    this.#waiting.length = 0;
    this.#socket.end(text);
    const cancel = this.#clock.after(goodbyeMs, () => void this.close(why));
    this.#socket.once('close', () => {
      cancel();
      void this.close(why);
    });
  }
}

function onlyTrackOf(presentation: Presentation): number {
  const [only, ...others] = presentation.formats;
  if (only === undefined || others.length > 0) throw refusal(459, 'invalid_argument', 'the URL names no track');
  return only.track.number;
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d{1,6}(?:\.\d{0,6})?$/.test(text) ? Number(text) : undefined;
}
