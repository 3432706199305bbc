/**
 * One session with an RTSP server, from the first packet to a reason why it ended. Redirects, logins and the choice of a
 * transport that the server takes happen inside; trying again afterwards is the caller's business.
 */

import { AddressPolicy, isLoopback } from '../../storage/base/address-policy.ts';
import type { Clock } from '../../storage/base/clock.ts';
import type { Log } from '../../storage/base/log.ts';
import type { RtspSource, RtspTransport } from '../../storage/model/camera.ts';
import { RtspConnection } from './connection.ts';
import { type RoundTrips, RtspControl, type SetupResult } from './control.ts';
import { Delivery } from './delivery.ts';
import { rtspLimits } from './limits.ts';
import { type ChosenMedia, chooseMedia } from './media/formats.ts';
import { ReorderBuffer } from './media/reorder.ts';
import { SharedReads } from './shared-reads.ts';
import { faults, type SourceEnd, SourceFault, type SourceSink } from './source.ts';
import type { RtspTrace } from './trace-hook.ts';
import { UdpPair } from './udp.ts';
import { Login } from './wire/login.ts';
import type { SessionDescription } from './wire/sdp.ts';
import { connectHost, formatRtspUrl, parseRtspUrl, type RtspUrl } from './wire/url.ts';

export type RtspSessionOptions = {
  readonly source: RtspSource;
  /** Shared by all sessions of the process; one of its own when absent. */
  readonly reads?: SharedReads;
  /** Where its connections may lead; anywhere when absent. */
  readonly addresses?: AddressPolicy;
  /** Without a picture for so long the session ends as `source-silent`. */
  readonly silenceMs?: number;
  /** Hears everything that is said; for support. */
  readonly trace?: RtspTrace;
};

/** What is known of the other side, for people. */
export type RtspFacts = {
  readonly server: string | undefined;
  readonly transport: RtspTransport | undefined;
  readonly roundTripsMs: RoundTrips;
  readonly warnings: readonly string[];
  readonly garbageBytes: number;
};

export type RtspDeps = { readonly clock: Clock; readonly log: Log; readonly random: () => number };

/** The wish to start over at another URL. */
class Redirect {
  readonly url: RtspUrl;
  readonly isFromLoopback: boolean;

  constructor(url: RtspUrl, options: { readonly isFromLoopback: boolean }) {
    this.url = url;
    this.isFromLoopback = options.isFromLoopback;
  }
}

/** Ended before it began, because the caller no longer wants it. */
const abortedEnd: SourceEnd = {
  reason: 'shutdown',
  message: 'the session was ended by us',
  hint: 'nothing to do',
  isRetryable: false,
};

export class RtspSession {
  readonly #deps: RtspDeps;
  readonly #options: RtspSessionOptions;
  #facts: RtspFacts = { server: undefined, transport: undefined, roundTripsMs: {}, warnings: [], garbageBytes: 0 };

  constructor(deps: RtspDeps, options: RtspSessionOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Valid after `session` was announced and at the end. */
  get facts(): RtspFacts {
    return this.#facts;
  }

  /**
   * Connects, plays and delivers until it ends; resolves with the reason, `shutdown` when the signal asked for it.
   * Rejects only with our own mistakes (a sink that throws among them).
   */
  async run(sink: SourceSink, signal: AbortSignal): Promise<SourceEnd> {
    const { source } = this.#options;
    const first = parseRtspUrl(source.url);
    if (first === undefined) {
      const { reason, message } = faults.protocol('the URL is no RTSP URL', '');
      return {
        reason,
        message,
        hint: 'write rtsp://address/path, as the manual of the camera says',
        isRetryable: false,
      };
    }
    let url = first;
    let { addresses = new AddressPolicy({ networks: [] }) } = this.#options;
    for (let redirects = 0; redirects <= rtspLimits.redirectsMax; redirects++) {
      if (signal.aborted) return abortedEnd;
      const isSameHost = connectHost(url) === connectHost(first);
      const end = await this.#once(
        { url, addresses, isBasicAllowed: isSameHost || url.scheme === 'rtsps' },
        sink,
        signal,
      );
      if (!(end instanceof Redirect)) return end;
      this.#deps.log.debug('rtsp redirect', { url: formatRtspUrl(end.url) });
      url = end.url;
      // Only what runs on this machine may send us back to it: a stranger's camera shall not choose our targets here.
      if (!end.isFromLoopback) addresses = addresses.withoutLoopback();
    }
    const { reason, message, hint, isRetryable } = faults.protocol(
      `the camera redirects more than ${rtspLimits.redirectsMax} times`,
      'use the URL of the device that has the stream',
    );
    return { reason, message, hint, isRetryable };
  }

  async #once(options: AttemptOptions, sink: SourceSink, signal: AbortSignal): Promise<SourceEnd | Redirect> {
    const attempt = new Attempt(this.#deps, this.#options, options, sink);
    const onAbort = () => attempt.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      if (signal.aborted) attempt.abort();
      return await attempt.run((facts) => {
        this.#facts = facts;
      });
    } catch (error) {
      if (signal.aborted) return abortedEnd;
      if (!(error instanceof SourceFault)) throw error;
      const { reason, message, hint, isRetryable } = error;
      return { reason, message, hint, isRetryable };
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#facts = attempt.facts;
    }
  }
}

type AttemptOptions = {
  readonly url: RtspUrl;
  readonly addresses: AddressPolicy;
  readonly isBasicAllowed: boolean;
};

/** One connection and what hangs on it. */
class Attempt {
  readonly #deps: RtspDeps;
  readonly #connection: RtspConnection;
  readonly #control: RtspControl;
  readonly #delivery: Delivery;
  readonly #udp: UdpPair[] = [];
  readonly #reorder: ReorderBuffer[] = [];
  /** Track index by interleaved channel. */
  readonly #channels = new Map<number, number>();
  readonly #trace: RtspTrace | undefined;
  readonly #ended: Promise<never>;
  #fail: (error: unknown) => void = () => {};
  #transport: RtspTransport;
  #garbageBytes = 0;
  #connectMs: number | undefined;

  constructor(deps: RtspDeps, options: RtspSessionOptions, attempt: AttemptOptions, sink: SourceSink) {
    const { clock, random } = deps;
    const { source } = options;
    this.#deps = deps;
    this.#transport = source.transport;
    this.#trace = options.trace;
    this.#ended = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    // Whoever waits sees it; until somebody does it must not count as unhandled.
    this.#ended.catch(() => {});
    this.#delivery = new Delivery(
      { clock, random, sink, onFault: (fault) => this.#fail(fault) },
      { silenceMs: options.silenceMs ?? rtspLimits.silenceMsDefault },
    );
    this.#connection = new RtspConnection(
      {
        clock,
        handler: {
          packet: (channel, bytes, begin, end) => this.#packet(channel, bytes, begin, end),
          isChannel: (channel) => this.#channels.has(channel),
          garbage: (byteLength) => this.#garbage(byteLength),
          ended: (fault) => this.#fail(fault),
          crashed: (error) => this.#fail(error),
        },
      },
      {
        ...{ url: attempt.url, addresses: attempt.addresses, tls: source.tls, trace: options.trace },
        reads: options.reads ?? new SharedReads({ clock }, { turnMs: () => 0 }),
      },
    );
    const { username, password } = source;
    const credentials = username === undefined ? undefined : { username, password: password ?? '' };
    const login = new Login({ random }, { credentials, isBasicAllowed: attempt.isBasicAllowed });
    this.#control = new RtspControl({ connection: this.#connection, login, clock }, { url: attempt.url });
  }

  get facts(): RtspFacts {
    return {
      server: this.#control.server,
      transport: this.#channels.size + this.#udp.length === 0 ? undefined : this.#transport,
      roundTripsMs: {
        ...this.#control.roundTrips,
        ...(this.#connectMs === undefined ? {} : { connect: this.#connectMs }),
      },
      warnings: this.#delivery.warnings,
      garbageBytes: this.#garbageBytes,
    };
  }

  /** @throws SourceFault  always, unless the camera redirects; anything else is our own mistake */
  async run(onPlaying: (facts: RtspFacts) => void): Promise<Redirect> {
    const { clock, log } = this.#deps;
    const stopKeepalive: (() => void)[] = [];
    try {
      const beganMs = clock.monotonicMs();
      await Promise.race([this.#connection.connect(), this.#ended]);
      this.#connectMs = clock.monotonicMs() - beganMs;
      const described = await Promise.race([this.#control.describe(), this.#ended]);
      if (described.kind === 'redirect') {
        const isFromLoopback = isLoopback(this.#connection.remoteAddress ?? '');
        return new Redirect(described.url, { isFromLoopback });
      }
      await Promise.race([this.#setup(described.description), this.#ended]);
      await Promise.race([this.#control.play((info) => this.#delivery.begin(info)), this.#ended]);
      const { server, transport } = this.facts;
      log.info('rtsp session plays', { server, transport });
      onPlaying(this.facts);
      stopKeepalive.push(clock.every(this.#control.keepalivePeriodMs, () => this.#keepalive()));
      return await this.#ended;
    } finally {
      for (const stop of stopKeepalive) stop();
      this.#delivery.close();
      for (const buffer of this.#reorder) buffer.close();
      await this.#control.teardown();
      this.#connection.destroy();
      for (const pair of this.#udp) pair.close();
    }
  }

  abort(): void {
    this.#fail(new SourceFault(abortedEnd));
  }

  /** SETUP of every track we can play. A track that the camera refuses is left out; without any, the refusal is the end. */
  async #setup(description: SessionDescription): Promise<void> {
    const { chosen, leftOut } = chooseMedia(description);
    for (const text of leftOut) this.#delivery.warn(text);
    if (chosen.length === 0) {
      throw description.medias.length === 0
        ? faults.protocol(
            'the camera described no media',
            "try the URL in another player; the camera's answer to DESCRIBE is empty",
          )
        : faults.unsupported(leftOut.join('; ') || 'no media that can be recorded', 'set the camera to H.264 or H.265');
    }
    let refused: SetupResult | undefined;
    let tracks = 0;
    for (const media of chosen) {
      const result = await this.#setupTrack(media, description, tracks);
      if (result.isDone) tracks++;
      else {
        refused ??= result;
        this.#delivery.warn(
          `the camera refuses its ${media.kind === 'video' ? 'picture' : 'sound'} (${result.text}), which is left out`,
        );
      }
    }
    if (tracks === 0 && refused !== undefined && !refused.isDone) throw refusedSetup(refused.status, refused.text);
  }

  async #setupTrack(media: ChosenMedia, description: SessionDescription, index: number): Promise<SetupResult> {
    const result = await this.#setupBy(this.#transport, media, description, index);
    if (result.isDone || result.status !== 461 || index > 0) return result;
    const other = this.#transport === 'tcp' ? 'udp' : 'tcp';
    const second = await this.#setupBy(other, media, description, index);
    if (!second.isDone) return result;
    this.#delivery.warn(
      `the camera refuses ${this.#transport.toUpperCase()} and is received by ${other.toUpperCase()}`,
    );
    this.#transport = other;
    return second;
  }

  #setupBy(
    transport: RtspTransport,
    media: ChosenMedia,
    description: SessionDescription,
    index: number,
  ): Promise<SetupResult> {
    return transport === 'tcp' ? this.#setupTcp(media, description, index) : this.#setupUdp(media, description);
  }

  async #setupTcp(media: ChosenMedia, description: SessionDescription, index: number): Promise<SetupResult> {
    const asked = [2 * index, 2 * index + 1] as const;
    const wish = `RTP/AVP/TCP;unicast;interleaved=${asked[0]}-${asked[1]}`;
    const result = await this.#control.setup(media.media.control, description.control, wish);
    if (!result.isDone) return result;
    if (!result.transport.isTcp) return { isDone: false, status: 461, text: 'the answer is not TCP' };
    // Channels other than asked for are taken; channels that another track has already are a mistake of the camera's.
    const told = result.transport.interleaved ?? asked;
    const channels = this.#channels.has(told[0]) ? asked : told;
    const track = this.#delivery.add(media, (report) => this.#connection.sendPacket(channels[1], report));
    for (const channel of channels) if (!this.#channels.has(channel)) this.#channels.set(channel, track);
    return result;
  }

  async #setupUdp(media: ChosenMedia, description: SessionDescription): Promise<SetupResult> {
    const { clock, random } = this.#deps;
    let track = -1;
    const reorder = new ReorderBuffer({
      clock,
      deliver: (packet) => this.#guarded(() => this.#delivery.packet(track, packet, 0, packet.length)),
    });
    const pair = new UdpPair({
      clock,
      random,
      handler: {
        rtp: (packet) => {
          this.#trace?.packet('udp', packet, 0, packet.length);
          this.#guarded(() => reorder.push(packet));
        },
        rtcp: (packet) => this.#guarded(() => this.#delivery.packet(track, packet, 0, packet.length)),
      },
    });
    await pair.open(this.#connection.localFamily);
    const wish = `RTP/AVP;unicast;client_port=${pair.ports[0]}-${pair.ports[1]}`;
    const result = await this.#control.setup(media.media.control, description.control, wish).catch((error: unknown) => {
      pair.close();
      throw error;
    });
    if (!result.isDone || result.transport.isTcp) {
      pair.close();
      return result.isDone ? { isDone: false, status: 461, text: 'the answer is not UDP' } : result;
    }
    track = this.#delivery.add(media, (report) => pair.sendRtcp(report));
    this.#udp.push(pair);
    this.#reorder.push(reorder);
    const { source, serverPorts } = result.transport;
    pair.expect({ serverAddress: this.#connection.remoteAddress, source, serverPorts });
    return result;
  }

  #packet(channel: number, bytes: Uint8Array, begin: number, end: number): void {
    const track = this.#channels.get(channel);
    if (track !== undefined) {
      this.#delivery.packet(track, bytes, begin, end);
      return;
    }
    const claimed = this.#delivery.claim(bytes, begin, end);
    if (claimed === undefined) return;
    this.#channels.set(channel, claimed);
    this.#delivery.warn('the camera sends on other channels than it said');
    this.#delivery.packet(claimed, bytes, begin, end);
  }

  #garbage(byteLength: number): void {
    this.#garbageBytes += byteLength;
    this.#delivery.warn('the camera sends bytes that belong to no packet, which are skipped');
  }

  #keepalive(): void {
    // A failed keepalive is no end: media that stops is noticed, and cameras that refuse keepalives go on sending.
    this.#control.keepalive().catch((error: unknown) => {
      this.#deps.log.debug('rtsp keepalive failed', { error });
    });
  }

  #guarded(body: () => void): void {
    try {
      body();
    } catch (error) {
      this.#fail(error);
    }
  }
}

function refusedSetup(status: number, text: string): SourceFault {
  switch (status) {
    case 404:
      return faults.notFound(`the camera does not know the track that it described (${text})`);
    case 461:
      return faults.refused(
        `the camera takes neither TCP nor UDP (${text})`,
        'look for its transport settings (multicast only?)',
      );
    default:
      return faults.refused(
        `the camera refuses to set up its stream (${text})`,
        'close other viewers of the camera, or restart it',
      );
  }
}
