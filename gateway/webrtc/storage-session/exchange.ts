/**
 * Where media of a session's participants is taken out of the worker and put in again under numbers of our own, so that what a viewer
 * receives goes on when a master is replaced, and one line can carry one person's sound now and a mix later. Some hundred packets a
 * second: what the bridge does for cameras would be too much here.
 */

import type { types } from 'mediasoup';
import type { Clock } from '../../../storage/base/clock.ts';
import { appError, toAppError } from '../../../storage/base/errors.ts';
import type { MediaWorker } from '../media-plane/index.ts';
import { asksForKeyFrame, type RtpPacket, RtpStamper, readRtp } from './rtp.ts';

export type ExchangeDeps = {
  readonly clock: Clock;
  readonly random: () => number;
  readonly worker: Pick<MediaWorker, 'router'>;
};

/** A line on which we send: a producer, which any participant may consume. */
export type SentLine = {
  readonly producer: types.Producer;
  /** @param source  whose packet it is, compared by identity */
  send(packet: RtpPacket, source: unknown): void;
  close(): void;
};

export class Exchange {
  readonly #deps: ExchangeDeps;
  #transport: types.DirectTransport | undefined;
  #onKeyFrameAsked: () => void = () => {};

  constructor(deps: ExchangeDeps) {
    this.#deps = deps;
  }

  /** @param onKeyFrameAsked  a viewer needs a key frame of what is sent as video */
  async start(onKeyFrameAsked: () => void): Promise<void> {
    this.#onKeyFrameAsked = onKeyFrameAsked;
    this.#transport = await unavailableIfGone(this.#deps.worker.router.createDirectTransport());
    this.#transport.on('rtcp', (packet) => {
      if (asksForKeyFrame(packet)) this.#onKeyFrameAsked();
    });
  }

  close(): void {
    this.#transport?.close();
  }

  /** @throws AppError unavailable  the worker is gone */
  async openLine(kind: types.MediaKind): Promise<SentLine> {
    const { clock, random, worker } = this.#deps;
    const codec = sentCodec(kind, worker.router.rtpCapabilities);
    // From 1: 0 is nobody's.
    const ssrc = 1 + Math.floor(random() * 0xffff_fffe);
    const rtpParameters = { codecs: [codec], encodings: [{ ssrc }], rtcp: { cname: 'weir' } };
    const producer = await unavailableIfGone(this.#open().produce({ kind, rtpParameters }));
    const { payloadType, clockRate } = codec;
    const stamper = new RtpStamper({ ssrc, payloadType, clockHz: clockRate }, random);
    return {
      producer,
      send(packet, source) {
        if (!producer.closed) producer.send(Buffer.from(stamper.stamp(packet, source, clock.monotonicMs()).buffer));
      },
      close: () => producer.close(),
    };
  }

  /**
   * Packets of a participant as they come.
   * @param onPacket  its payload is borrowed until return
   * @throws AppError unavailable  the worker, or the participant, is gone
   */
  async tap(producer: types.Producer, onPacket: (packet: RtpPacket) => void): Promise<types.Consumer> {
    const consumer = await unavailableIfGone(
      this.#open().consume({
        producerId: producer.id,
        rtpCapabilities: tappedCapabilities(producer.kind, this.#deps.worker.router.rtpCapabilities),
        enableRtx: false,
      }),
    );
    consumer.on('rtp', (bytes) => {
      const packet = readRtp(bytes);
      if (packet !== undefined) onPacket(packet);
    });
    return consumer;
  }

  #open(): types.DirectTransport {
    if (this.#transport === undefined || this.#transport.closed) throw appError('unavailable', 'the session has ended');
    return this.#transport;
  }
}

/** A line of ours in the router's own words, so that nothing is translated. Video asks for key frames, and for nothing else. */
function sentCodec(kind: types.MediaKind, capabilities: types.RtpCapabilities): types.RtpCodecParameters {
  const codec = ownCodec(kind, capabilities);
  const { mimeType, clockRate, channels, parameters, preferredPayloadType } = codec;
  return {
    ...{ mimeType, clockRate, payloadType: preferredPayloadType },
    ...(channels === undefined ? {} : { channels }),
    parameters: kind === 'audio' ? { 'sprop-stereo': 1 } : (parameters ?? {}),
    rtcpFeedback: kind === 'video' ? [{ type: 'nack', parameter: 'pli' }] : [],
  };
}

/** Bare packets: no extensions, no retransmissions of our own. */
function tappedCapabilities(kind: types.MediaKind, capabilities: types.RtpCapabilities): types.RtpCapabilities {
  const rtcpFeedback: types.RtcpFeedback[] = kind === 'video' ? [{ type: 'nack', parameter: 'pli' }] : [];
  return { codecs: [{ ...ownCodec(kind, capabilities), rtcpFeedback }], headerExtensions: [] };
}

function ownCodec(kind: types.MediaKind, { codecs }: types.RtpCapabilities): types.RtpCodecCapability {
  const wanted = kind === 'video' ? 'video/h264' : 'audio/opus';
  const codec = codecs?.find(({ mimeType }) => mimeType.toLowerCase() === wanted);
  if (codec === undefined) throw appError('internal', 'the router has no such codec', { wanted });
  return codec;
}

/** What mediasoup refuses here is refused because something was closed meanwhile. */
async function unavailableIfGone<T>(making: Promise<T>): Promise<T> {
  try {
    return await making;
  } catch (error) {
    throw appError('unavailable', 'the WebRTC worker or the peer is gone', { cause: toAppError(error) });
  }
}
