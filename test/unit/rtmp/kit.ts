/** A protocol and a delivery that note what comes out of them. */

import { RtmpDelivery } from '../../../gateway/rtmp/delivery.ts';
import { type ProtocolHandler, RtmpProtocol } from '../../../gateway/rtmp/protocol.ts';
import type { SourceEnd, SourceSink } from '../../../gateway/rtsp/index.ts';
import { h264Parameters, joinNals } from '../../../storage/media/index.ts';
import type { AccessUnit } from '../../../storage/model/access-unit.ts';
import { amf0, chunks } from '../../kit/rtmp-publisher/index.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { pps, slice, sps } from '../rtsp/packets.ts';

export const avcC = h264Parameters(sps, [pps]).codecPrivate;
export const keyUnit = joinNals([slice({ isKey: true })]);
export const interUnit = joinNals([slice({ isKey: false })]);
/** AAC-LC, 48 kHz, mono. */
export const aacConfig = Uint8Array.of(0x11, 0x88);

export const hello = Buffer.concat([Buffer.from([3]), Buffer.alloc(2 * 1536)]);

/** Everything up to `publish`, at the chunk size that holds without a word. */
export function publishing(key: string): Buffer {
  const command = (body: Buffer, streamId = 0) =>
    chunks({ type: 20, timestampMs: 0, body, chunkStream: 3, streamId }, { chunkBytes: 128 });
  return Buffer.concat([
    hello,
    command(amf0('connect', 1, { app: 'live', tcUrl: 'rtmp://host/live' })),
    command(amf0('createStream', 2, null)),
    command(amf0('publish', 3, null, key, 'live'), 1),
  ]);
}

export type Noted = { readonly what: string; readonly timestampMs: number; readonly hex: string };

/** @param options.isAccepted  `publish` is answered with yes */
export function notedProtocol(options: { readonly isAccepted?: boolean } = {}): {
  readonly protocol: RtmpProtocol;
  readonly noted: Noted[];
  output(): string;
} {
  const noted: Noted[] = [];
  const output: Uint8Array[] = [];
  const note = (what: string) => noted.push({ what, timestampMs: 0, hex: '' });
  const handler: ProtocolHandler = {
    publish: (name) => {
      note(`publish ${name}`);
      if (options.isAccepted ?? true) protocol.acceptPublish();
    },
    play: () => note('play'),
    unpublish: () => note('unpublish'),
    media: (type, timestampMs, bytes) => {
      noted.push({ what: type === 9 ? 'video' : 'audio', timestampMs, hex: Buffer.from(bytes).toString('hex') });
    },
    output: (bytes) => output.push(bytes),
  };
  const protocol = new RtmpProtocol(handler);
  return { protocol, noted, output: () => Buffer.concat(output).toString('latin1') };
}

export type NotedDelivery = {
  readonly clock: SimulatedClock;
  readonly delivery: RtmpDelivery;
  readonly sessions: { readonly reason: string; readonly codecs: readonly string[]; readonly at: number }[];
  readonly units: (AccessUnit & { readonly hex: string })[];
  readonly warnings: string[];
  readonly faults: SourceEnd[];
};

export function notedDelivery(): NotedDelivery {
  const clock = new SimulatedClock();
  const noted = { sessions: [], units: [], warnings: [], faults: [] } as Pick<
    NotedDelivery,
    'sessions' | 'units' | 'warnings' | 'faults'
  >;
  const sink: SourceSink = {
    session: (tracks, reason) => {
      noted.sessions.push({ reason, codecs: tracks.map((track) => track.codec), at: noted.units.length });
    },
    unit: (unit) => noted.units.push({ ...unit, hex: Buffer.from(unit.bytes).toString('hex') }),
    loss: () => {},
    clock: () => {},
    warning: (text) => noted.warnings.push(text),
  };
  const delivery = new RtmpDelivery({ clock, sink, onFault: (end) => noted.faults.push(end) });
  delivery.start();
  return { clock, delivery, ...noted };
}
