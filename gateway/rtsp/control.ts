/**
 * The conversation that leads to media: OPTIONS, DESCRIBE, SETUP per track, PLAY; later keepalives and TEARDOWN. Logins,
 * redirects and second tries with another URL or transport happen in here; what cannot be helped is a `SourceFault`.
 */

import type { Clock } from '../../storage/base/clock.ts';
import type { RtspConnection } from './connection.ts';
import { rtspLimits } from './limits.ts';
import { faults, type SourceFault } from './source.ts';
import {
  parseMethods,
  parseRtpInfo,
  parseSession,
  parseTransport,
  type RtpInfo,
  type TransportAnswer,
} from './wire/headers.ts';
import type { Login } from './wire/login.ts';
import { allHeaders, header, printable, type RtspResponse } from './wire/message.ts';
import { parseSdp, type SessionDescription } from './wire/sdp.ts';
import {
  aggregateCandidates,
  baseUrl,
  controlCandidates,
  formatRtspUrl,
  parseRtspUrl,
  type RtspUrl,
} from './wire/url.ts';

export type Described =
  | { readonly kind: 'description'; readonly description: SessionDescription }
  | { readonly kind: 'redirect'; readonly url: RtspUrl };

/** Milliseconds that answers took, by method: the last of each. */
export type RoundTrips = Partial<Record<'connect' | 'OPTIONS' | 'DESCRIBE' | 'SETUP' | 'PLAY' | 'keepalive', number>>;

export type SetupResult =
  | { readonly isDone: true; readonly transport: TransportAnswer }
  | { readonly isDone: false; readonly status: number; readonly text: string };

/** Answers that servers give when they did not recognise the URL, besides what the RFC means by them. */
const wrongUrlStatuses: readonly number[] = [400, 404, 451, 454, 455, 459, 460];
const noAnswer: RtspResponse = { protocol: 'RTSP/1.0', status: 500, reason: 'no answer', headers: new Map(), body: '' };

export class RtspControl {
  readonly #connection: RtspConnection;
  readonly #login: Login;
  readonly #clock: Clock;
  readonly #url: RtspUrl;
  readonly #userAgent = 'weir';
  readonly roundTrips: RoundTrips = {};
  #server: string | undefined;
  #methods: ReadonlySet<string> = new Set();
  #base: RtspUrl;
  #aggregate: readonly string[];
  readonly #tracks: string[] = [];
  #session: string | undefined;
  #sessionTimeoutMs: number = rtspLimits.sessionTimeoutMsDefault;
  #isGetParameterRefused = false;

  constructor(
    deps: { readonly connection: RtspConnection; readonly login: Login; readonly clock: Clock },
    options: { readonly url: RtspUrl },
  ) {
    this.#connection = deps.connection;
    this.#login = deps.login;
    this.#clock = deps.clock;
    this.#url = options.url;
    this.#base = options.url;
    this.#aggregate = [formatRtspUrl(options.url)];
  }

  /** The Server header, if any answer had one. */
  get server(): string | undefined {
    return this.#server;
  }

  /** Half of what the server allows, within our own bounds. */
  get keepalivePeriodMs(): number {
    return Math.min(rtspLimits.keepaliveMsMax, Math.max(rtspLimits.keepaliveMsMin, this.#sessionTimeoutMs / 2));
  }

  /**
   * OPTIONS (whose failure is no failure) and DESCRIBE.
   *
   * @throws SourceFault  with the reason the camera gave
   */
  async describe(): Promise<Described> {
    const uri = formatRtspUrl(this.#url);
    const options = await this.#request('OPTIONS', uri);
    if (options.status === 200) {
      this.#methods = parseMethods([...allHeaders(options, 'public'), ...allHeaders(options, 'allow')]);
    }
    const response = await this.#request('DESCRIBE', uri, [['Accept', 'application/sdp']]);
    const redirect = this.#redirectOf(response);
    if (redirect !== undefined) return { kind: 'redirect', url: redirect };
    if (response.status !== 200) throw statusFault('DESCRIBE', response, this.#login.hasCredentials);
    const description = parseSdp(response.body);
    this.#base = baseUrl(this.#url, {
      contentBase: header(response, 'content-base'),
      contentLocation: header(response, 'content-location'),
    });
    this.#aggregate = aggregateCandidates(this.#url, this.#base, description.control);
    return { kind: 'description', description };
  }

  /** SETUP of one track with the URLs that may be meant, until one is taken. */
  async setup(
    control: string | undefined,
    sessionControl: string | undefined,
    transport: string,
  ): Promise<SetupResult> {
    const base =
      sessionControl !== undefined && sessionControl !== '*'
        ? (parseOnHost(this.#base, sessionControl) ?? this.#base)
        : this.#base;
    const candidates = [...new Set([...controlCandidates(base, control), ...controlCandidates(this.#base, control)])];
    let first: SetupResult | undefined;
    for (const uri of candidates.slice(0, 4)) {
      const response = await this.#request('SETUP', uri, [['Transport', transport]]);
      if (response.status === 200) {
        this.#remember(response);
        this.#tracks.push(uri);
        return { isDone: true, transport: parseTransport(header(response, 'transport') ?? transport) };
      }
      if (response.status === 401) throw statusFault('SETUP', response, this.#login.hasCredentials);
      first ??= { isDone: false, status: response.status, text: `${response.status} ${response.reason}`.trim() };
      // Only a wrong URL is cured by another one.
      if (!wrongUrlStatuses.includes(response.status)) break;
    }
    return first ?? { isDone: false, status: 0, text: 'no url' };
  }

  /**
   * PLAY, of the aggregate or, where the server wants that, of each track.
   *
   * @param onStarted  called with RTP-Info before any byte after the answer is looked at
   * @throws SourceFault
   */
  async play(onStarted: (info: readonly RtpInfo[]) => void): Promise<void> {
    const onAnswer = (response: RtspResponse) => {
      if (response.status === 200) onStarted(parseRtpInfo(allHeaders(response, 'rtp-info').join(',')));
    };
    const range = [['Range', 'npt=0.000-']] as const;
    let refusal: RtspResponse | undefined;
    for (const uri of this.#aggregate) {
      let response = await this.#request('PLAY', uri, range, onAnswer);
      if (response.status === 456 || response.status === 457) response = await this.#request('PLAY', uri, [], onAnswer);
      if (response.status === 200) {
        this.#aggregate = [uri];
        return;
      }
      refusal ??= response;
      if (response.status === 459) {
        for (const track of this.#tracks) {
          const each = await this.#request('PLAY', track, range, onAnswer);
          if (each.status !== 200) throw statusFault('PLAY', each, this.#login.hasCredentials);
        }
        return;
      }
      // Only a wrong URL is cured by another one.
      if (!wrongUrlStatuses.includes(response.status)) break;
    }
    throw statusFault('PLAY', refusal ?? noAnswer, this.#login.hasCredentials);
  }

  /** Tells the server that we are still here. Refusals are no fault: media that stops is noticed anyway. */
  async keepalive(): Promise<void> {
    const isOffered = this.#methods.has('GET_PARAMETER') && !this.#isGetParameterRefused;
    const response = await this.#request(isOffered ? 'GET_PARAMETER' : 'OPTIONS', this.#aggregate[0] ?? '');
    if (isOffered && response.status >= 400) this.#isGetParameterRefused = true;
  }

  /** Frees the server's session; bounded and never failing: cameras with few sessions need it. */
  async teardown(): Promise<void> {
    if (this.#session === undefined) return;
    const headers = this.#headers('TEARDOWN', this.#aggregate[0] ?? '', []);
    const options = { timeoutMs: rtspLimits.teardownTimeoutMs };
    await this.#connection.request('TEARDOWN', this.#aggregate[0] ?? '', headers, options).catch(() => {});
  }

  async #request(
    method: string,
    uri: string,
    extra: readonly (readonly [string, string])[] = [],
    onAnswer?: (response: RtspResponse) => void,
  ): Promise<RtspResponse> {
    const beganMs = this.#clock.monotonicMs();
    for (let tries = 1; ; tries++) {
      const headers = this.#headers(method, uri, extra);
      const wasAnswered = headers.some(([name]) => name === 'Authorization');
      const response = await this.#connection.request(method, uri, headers, onAnswer === undefined ? {} : { onAnswer });
      if (!response.protocol.startsWith('RTSP')) {
        throw faults.protocol(
          `a ${response.protocol.split('/')[0]} server answered`,
          "this is the port of the camera's web page or ONVIF service; RTSP usually has 554",
        );
      }
      this.#server ??= serverOf(response);
      if (response.status === 401 && tries < rtspLimits.loginTriesMax) {
        if (this.#login.challenged(allHeaders(response, 'www-authenticate'), wasAnswered)) continue;
      }
      if (response.status !== 401 && wasAnswered) this.#login.accepted();
      this.#note(method, this.#clock.monotonicMs() - beganMs);
      return response;
    }
  }

  #headers(
    method: string,
    uri: string,
    extra: readonly (readonly [string, string])[],
  ): readonly (readonly [string, string])[] {
    const authorization = this.#login.authorization(method, uri);
    return [
      ...(authorization === undefined ? [] : [['Authorization', authorization] as const]),
      ['User-Agent', this.#userAgent] as const,
      ...(this.#session === undefined ? [] : [['Session', this.#session] as const]),
      ...extra,
    ];
  }

  #note(method: string, durationMs: number): void {
    switch (method) {
      case 'OPTIONS':
        if (this.#session === undefined) this.roundTrips.OPTIONS = durationMs;
        else this.roundTrips.keepalive = durationMs;
        break;
      case 'GET_PARAMETER':
        this.roundTrips.keepalive = durationMs;
        break;
      case 'DESCRIBE':
      case 'SETUP':
      case 'PLAY':
        this.roundTrips[method] = durationMs;
        break;
    }
  }

  /** Later answers may name another session ("H264DVR 1.0" does): the first one is the one that works. */
  #remember(response: RtspResponse): void {
    const value = header(response, 'session');
    if (value === undefined || this.#session !== undefined) return;
    const { id, timeoutMs } = parseSession(value);
    this.#session = id === '' ? undefined : id;
    this.#sessionTimeoutMs = timeoutMs;
  }

  #redirectOf(response: RtspResponse): RtspUrl | undefined {
    if (![301, 302, 303, 305, 307, 308].includes(response.status)) return undefined;
    const location = header(response, 'location');
    const url = location === undefined ? undefined : (parseRtspUrl(location) ?? relativeTo(this.#url, location));
    if (url === undefined) {
      throw faults.protocol('the camera redirects to nowhere', 'use the URL that the device it points to has itself');
    }
    // A proxy (305) is asked for the same path.
    return response.status === 305 ? { ...url, path: this.#url.path } : url;
  }
}

function serverOf(response: RtspResponse): string | undefined {
  const text = header(response, 'server');
  return text === undefined ? undefined : printable(text);
}

function relativeTo(url: RtspUrl, location: string): RtspUrl | undefined {
  return location.startsWith('/') ? { ...url, path: location } : undefined;
}

function parseOnHost(base: RtspUrl, control: string): RtspUrl | undefined {
  const url = parseRtspUrl(control);
  return url === undefined ? undefined : { ...base, path: url.path };
}

/** A refusal in words. */
export function statusFault(method: string, response: RtspResponse, hasCredentials: boolean): SourceFault {
  const text = `${method} was answered with ${response.status} ${response.reason}`.trim();
  switch (response.status) {
    case 401:
    case 403:
      return faults.unauthorized(
        hasCredentials ? 'the camera refuses this user or password' : 'the camera asks for a user and password',
        hasCredentials
          ? 'check user and password (some cameras have one of their own for RTSP or ONVIF) and whether the account is locked'
          : 'enter the user and password of the camera',
      );
    case 404:
    case 410:
      return faults.notFound(`the camera does not know this path (${text})`);
    case 453:
    case 503:
      return faults.refused(
        `the camera has no stream to give (${text})`,
        'close other viewers of the camera, or restart it',
      );
    default:
      return response.status >= 500
        ? faults.refused(`the camera failed (${text})`, 'restart the camera; if it goes on, look for newer firmware')
        : faults.protocol(
            `the camera refused (${text})`,
            'try the URL in another player; if it plays there, please report the camera',
          );
  }
}
