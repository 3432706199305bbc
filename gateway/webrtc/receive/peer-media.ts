/**
 * What a peer sends, as a source: out of mediasoup, in order, as access units on one timeline. Key frames are asked for, packets that got
 * lost on the way to this process too. It ends with its owner; silence is no fault of a peer that is still connected.
 *
 *   consumer -> RtpInlet -> ReorderBuffer -> Delivery -> WholeMedia -> sink
 */

import type { types } from 'mediasoup';
import { must } from '../../../storage/base/assert.ts';
import { u32 } from '../../../storage/base/bytes.ts';
import type { Clock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import { type ChosenMedia, Delivery, ntpToMs, ReorderBuffer, type SourceEnd } from '../../rtsp/index.ts';
import { KeyFrames } from './key-frames.ts';
import { receiveLimits } from './limits.ts';
import { type InletWorker, RtpInlet } from './rtp-inlet.ts';
import type { MediaSink } from './types.ts';
import { WholeMedia } from './whole-media.ts';

export type PeerMediaDeps = {
  readonly clock: Clock;
  readonly random: () => number;
  readonly worker: InletWorker;
  readonly sink: MediaSink;
  /** What comes breaks its format: nothing more comes of it. `close` is the caller's. */
  readonly onFault: (end: SourceEnd) => void;
};

export type PeerMediaOptions = {
  /** H.264. Without it the peer sends sound alone. */
  readonly video?: types.Producer | undefined;
  /** Opus. */
  readonly audio?: types.Producer | undefined;
};

type Line = { readonly index: number; readonly reorder: ReorderBuffer };

/** Delivery knows silence as the end of a camera's session. */
const silenceMs = Number.POSITIVE_INFINITY;

export class PeerMedia {
  readonly #clock: Clock;
  readonly #options: PeerMediaOptions;
  readonly #inlet: RtpInlet;
  readonly #delivery: Delivery;
  readonly #keyFrames: KeyFrames;
  /** By SSRC. */
  readonly #lines = new Map<number, Line>();
  readonly #undo: (() => void)[] = [];
  #video: types.Consumer | undefined;
  #lastMediaMs: number;
  #isClosed = false;

  constructor(deps: PeerMediaDeps, options: PeerMediaOptions) {
    const { clock, random, worker, sink, onFault } = deps;
    this.#clock = clock;
    this.#options = options;
    this.#lastMediaMs = clock.monotonicMs();
    this.#keyFrames = new KeyFrames({ clock, ask: () => this.#askKeyFrame() });
    const whole = new WholeMedia({
      ...{ clock, sink, onFault },
      onKeyFrame: () => this.#keyFrames.came(),
      onPictureLost: () => this.#keyFrames.want(),
    });
    this.#delivery = new Delivery({ clock, random, sink: whole, onFault }, { silenceMs });
    const ourSource = Math.floor(random() * 0x100000000);
    this.#inlet = new RtpInlet({ worker, onPacket: (packet) => this.#packet(packet) }, { ourSource });
  }

  /** On `Clock.monotonicMs`: when the last packet came. */
  get lastMediaMs(): number {
    return this.#lastMediaMs;
  }

  /** @throws AppError unavailable  the worker, or a producer, is gone */
  async start(): Promise<void> {
    const { video, audio } = this.#options;
    await this.#inlet.start();
    const consumers: types.Consumer[] = [];
    for (const producer of [video, audio]) if (producer !== undefined) consumers.push(await this.#add(producer));
    // Nothing comes before all are there: a session that began with the pictures alone would stay without sound.
    for (const consumer of consumers) await this.#inlet.resume(consumer);
    if (video !== undefined) this.#keyFrames.start();
  }

  /** Asks the peer for a key frame; as often as anybody likes. */
  wantKeyFrame(): void {
    this.#keyFrames.want();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#keyFrames.close();
    for (const undo of this.#undo) undo();
    for (const { reorder } of this.#lines.values()) reorder.close();
    this.#delivery.close();
    this.#inlet.close();
  }

  async #add(producer: types.Producer): Promise<types.Consumer> {
    if (producer.type !== 'simple')
      throw appError('invalid_argument', 'a peer sends one encoding', { type: producer.type });
    const consumer = await this.#inlet.consume(producer);
    if (producer.kind === 'video') this.#video = consumer;
    const index = this.#delivery.add(chosenOf(consumer), () => {});
    const source = must(consumer.rtpParameters.encodings?.[0]?.ssrc, 'a consumer on a plain transport has an ssrc');
    const reorder = new ReorderBuffer(
      {
        clock: this.#clock,
        deliver: (packet) => this.#delivery.packet(index, packet, 0, packet.length),
        onMissing: (sequence, packets) => this.#inlet.ask(source, sequence, packets),
      },
      { waitMsMax: receiveLimits.reorderMsMax },
    );
    this.#lines.set(source, { index, reorder });
    await this.#followClock(producer, index);
    return consumer;
  }

  /** Sender reports as the peer wrote them: what comes out of the worker has its own. */
  async #followClock(producer: types.Producer, index: number): Promise<void> {
    const onTrace = ({ type, info }: types.ProducerTraceEventData) => {
      if (type !== 'sr') return;
      const { ntpSec, ntpFrac, rtpTs } = info;
      if (typeof ntpSec !== 'number' || typeof ntpFrac !== 'number' || typeof rtpTs !== 'number') return;
      this.#delivery.senderReport(index, ntpToMs(ntpSec, ntpFrac), rtpTs);
    };
    producer.on('trace', onTrace);
    this.#undo.push(() => producer.off('trace', onTrace));
    await producer.enableTraceEvent(['sr']);
  }

  #packet(packet: Uint8Array): void {
    if (this.#isClosed || packet.length < 12) return;
    const type = packet[1] ?? 0;
    // The worker's own RTCP says nothing that the peer's does not say better.
    if (type >= 192 && type <= 223) return;
    this.#lastMediaMs = this.#clock.monotonicMs();
    // Pictures are waited for from here on: a peer may take half a minute to connect, and is no peer without pictures by that.
    this.#delivery.begin([]);
    this.#lines.get(u32(packet, 8))?.reorder.push(packet);
  }

  #askKeyFrame(): void {
    // A consumer that is gone, or not there yet, needs none.
    this.#video?.requestKeyFrame().catch(() => {});
  }
}

function chosenOf({ kind, rtpParameters }: types.Consumer): ChosenMedia {
  const codec = must(rtpParameters.codecs[0], 'a consumer has a codec');
  const parameters = Object.entries(codec.parameters ?? {}).map(
    ([name, value]) => [name.toLowerCase(), String(value)] as const,
  );
  const format = {
    payloadType: codec.payloadType,
    encoding: codec.mimeType.slice(codec.mimeType.indexOf('/') + 1).toUpperCase(),
    clockRateHz: codec.clockRate,
    channels: codec.channels ?? 1,
    parameters: new Map(parameters),
  };
  return {
    ...{ kind, format, trackNumber: kind === 'video' ? 1 : 2, codec: kind === 'video' ? 'h264' : 'opus' },
    media: { kind, protocol: 'RTP/AVP', control: undefined, formats: [format], direction: undefined },
  };
}
