/**
 * The demo camera: a real RTSP camera as far as the rest of Weir can tell.
 *
 *   ffmpeg -> access units -> RTP packets -> RTSP clients
 */

import type { Clock } from '../../storage/base/clock.ts';
import { appError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { DemoEncoder, type DemoSink, demoFramesPerSecond, demoSamplingHz } from './encoder.ts';
import { RtpStream } from './rtp.ts';
import { DemoRtspServer } from './rtsp-server.ts';

const videoHz = 90_000;
const samplesPerFrame = 1_024;
const reportPeriodMs = 5_000;
/** ffmpeg starts within a second; a client waits no longer than cameras let it. */
const describeMs = 8_000;

export type DemoCameraDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
};

export class DemoCamera implements DemoSink {
  readonly #deps: DemoCameraDeps;
  readonly #options: { readonly port: number; readonly ffmpegPath: string };
  readonly #lifetime = new Lifetime();
  readonly #server: DemoRtspServer;
  #streams: { readonly video: RtpStream; readonly audio: RtpStream } | undefined;
  #pictures = 0;
  #sounds = 0;
  #beginMs = 0;
  #parameterSets: { readonly sps: Uint8Array; readonly pps: Uint8Array } | undefined;

  /** @param options.port  0 takes a free one */
  constructor(deps: DemoCameraDeps, options: { readonly port: number; readonly ffmpegPath: string }) {
    this.#deps = deps;
    this.#options = options;
    this.#server = new DemoRtspServer({ port: options.port, describe: () => this.#describe() });
  }

  /** Resolves with the port it listens on, on loopback. */
  async start(): Promise<number> {
    const { clock, log } = this.#deps;
    const port = await this.#lifetime.own(this.#server).start();
    const encoder = this.#lifetime.own(
      new DemoEncoder({ clock, log, sink: this }, { ffmpegPath: this.#options.ffmpegPath }),
    );
    encoder.start();
    this.#lifetime.defer(clock.every(reportPeriodMs, () => this.#report()));
    return port;
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  began(): void {
    if (this.#streams !== undefined) this.#server.endSessions();
    const words = Buffer.from(this.#deps.random(12));
    const stream = (options: { channel: number; payloadType: number; clockHz: number; at: number }) =>
      new RtpStream({
        ...options,
        ssrc: words.readUInt32BE(options.at),
        firstSequence: words.readUInt16BE(options.at + 2),
      });
    this.#streams = {
      video: stream({ channel: 0, payloadType: 96, clockHz: videoHz, at: 0 }),
      audio: stream({ channel: 2, payloadType: 97, clockHz: demoSamplingHz, at: 4 }),
    };
    this.#pictures = 0;
    this.#sounds = 0;
    this.#parameterSets = undefined;
  }

  picture(nals: readonly Uint8Array[]): void {
    if (this.#pictures === 0) {
      this.#beginMs = this.#deps.clock.wallMs();
      const find = (type: number) => nals.find((nal) => ((nal[0] ?? 0) & 0x1f) === type);
      const [sps, pps] = [find(7), find(8)];
      if (sps !== undefined && pps !== undefined) this.#parameterSets = { sps, pps };
    }
    const packets = this.#streams?.video.h264(nals, this.#videoTimestamp());
    if (packets !== undefined) this.#server.send(0, packets);
    this.#pictures++;
    if (this.#pictures === 1) this.#report();
  }

  sound(frame: Uint8Array): void {
    const packets = this.#streams?.audio.aac(frame, this.#sounds * samplesPerFrame);
    if (packets !== undefined) this.#server.send(1, packets);
    this.#sounds++;
  }

  #videoTimestamp(): number {
    return Math.round((this.#pictures * videoHz) / demoFramesPerSecond);
  }

  /** Both tracks count from the encoder's begin, so one wall time of that moment serves both. */
  #report(): void {
    if (this.#streams === undefined || this.#pictures === 0) return;
    const elapsedMs = (this.#pictures * 1000) / demoFramesPerSecond;
    const wallMs = this.#beginMs + elapsedMs;
    const timestamp = (clockHz: number) => Math.round((elapsedMs * clockHz) / 1000);
    this.#server.send(0, this.#streams.video.senderReport({ wallMs, timestamp: timestamp(videoHz) }));
    this.#server.send(1, this.#streams.audio.senderReport({ wallMs, timestamp: timestamp(demoSamplingHz) }));
  }

  async #describe(): Promise<string> {
    const { clock } = this.#deps;
    const deadlineMs = clock.monotonicMs() + describeMs;
    while (this.#parameterSets === undefined) {
      if (clock.monotonicMs() > deadlineMs) throw appError('deadline_exceeded', 'the demo encoder gives no picture');
      await clock.sleep(50, this.#lifetime.signal);
    }
    const { sps, pps } = this.#parameterSets;
    const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
    // AudioSpecificConfig of AAC-LC, 48 kHz, mono: 00010 0011 0001 000.
    return [
      'v=0',
      'o=- 0 0 IN IP4 127.0.0.1',
      's=Weir demo camera',
      't=0 0',
      'a=control:*',
      'm=video 0 RTP/AVP 96',
      `a=rtpmap:96 H264/${videoHz}`,
      `a=fmtp:96 packetization-mode=1;profile-level-id=${Buffer.from(sps.subarray(1, 4)).toString('hex')};sprop-parameter-sets=${base64(sps)},${base64(pps)}`,
      'a=control:track0',
      'm=audio 0 RTP/AVP 97',
      `a=rtpmap:97 MPEG4-GENERIC/${demoSamplingHz}/1`,
      'a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1188',
      'a=control:track1',
      '',
    ].join('\r\n');
  }
}
