/** Bridges over a real camera, a real `Ingest` and a real worker, and viewers that are sockets of ours behind the worker. */

import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import type { types } from 'mediasoup';
import { onTestFinished } from 'vitest';
import { Conversions } from '../../../gateway/playback/index.ts';
import { H264Depacketiser } from '../../../gateway/rtsp/media/h264.ts';
import { Bridges, type ViewerCodec, type Watched, type WatchOptions } from '../../../gateway/webrtc/bridge/index.ts';
import { MediaPlane, type MediaWorker } from '../../../gateway/webrtc/media-plane/index.ts';
import { u16, u32 } from '../../../storage/base/bytes.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { createLog } from '../../../storage/base/log.ts';
import type { LaneClient } from '../../../storage/lane/index.ts';
import { forEachNal, h264NalType } from '../../../storage/media/index.ts';
import { startGstCamera } from '../../kit/gst-camera.ts';
import { until } from '../../kit/until.ts';
import { plannedOf, planOf, sourceOf, startIngest, storedFiles, streamId } from '../ingest/ingest-kit.ts';
import { noLane, readerOf, run } from '../rtsp-server/kit.ts';

export { streamId };

export const everyCodec: ReadonlySet<ViewerCodec> = new Set<ViewerCodec>(['h264', 'opus', 'pcmu', 'pcma']);

export async function startWorker(workerPath: string): Promise<MediaWorker> {
  const log = createLog({ level: 'silent' });
  const plane = new MediaPlane(
    { clock: systemClock, log, random: Math.random },
    { workerPath: () => workerPath, workers: 1, port: 0, host: '127.0.0.1', announced: [] },
  );
  await plane.start();
  onTestFinished(() => plane.close());
  await until('the worker is ready', () => plane.status().state === 'ready');
  return plane.place('test');
}

/** Processes of this name that the test's own process started. */
export async function childrenNamed(name: string): Promise<number[]> {
  const { stdout } = await run('ps', ['--ppid', String(process.pid), '-o', 'pid=,comm=']);
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/ +/))
    .filter(([, comm]) => comm === name)
    .map(([pid]) => Number(pid));
}

/** Watches as a page does: while a conversion has not begun on a machine that is busy, it asks again. */
export function watchPatiently(bridges: Bridges, options: WatchOptions): Promise<Watched> {
  return until('there is something to watch', () => bridges.watch(streamId, options));
}

/** Kills the process of a worker. */
export async function killWorker(worker: MediaWorker): Promise<void> {
  const { pid } = worker as MediaWorker & { readonly pid: number };
  process.kill(pid, 'SIGKILL');
  await until('it is dead', () => !worker.isAlive);
}

/** @param options.conversionsMax  places among the conversions */
export async function site(
  options: Parameters<typeof startGstCamera>[0] & { readonly workerPath: string; readonly conversionsMax?: number },
) {
  const { workerPath, conversionsMax = 1, ...cameraOptions } = options;
  const [camera, worker] = await Promise.all([
    startGstCamera({ gopFrames: 50, kilobitsPerSecond: 400, ...cameraOptions }),
    startWorker(workerPath),
  ]);
  const started = await startIngest();
  await started.ingest.apply(planOf(plannedOf(sourceOf(camera))));
  await until('it records', async () => (await storedFiles(started.paths)).length > 0);
  const lines: string[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line) => lines.push(line) } });
  const source = await readerOf(started.paths, started.client);
  const conversions = new Conversions(
    { clock: systemClock, log, source, ffmpeg: 'ffmpeg' },
    { conversionsMax, cores: 2 },
  );
  onTestFinished(() => conversions.close());
  const bridges = new Bridges({
    ...{ clock: systemClock, log, random: randomBytes, conversions, ffmpeg: 'ffmpeg' },
    laneOf: (id) => (id === streamId ? started.client : noLane),
  });
  onTestFinished(() => bridges.close());
  return { ...started, camera, worker, bridges, conversions, lines };
}

export type ReceivedPicture = {
  readonly rtpTime: number;
  readonly isKey: boolean;
  /** Its slices in hexadecimal, without parameter sets and what else is in band. */
  readonly slices: string;
};

/** What a consumer of a producer gets: packets, and pictures put together again by our own client. */
export async function receive(worker: MediaWorker, producer: types.Producer | undefined) {
  if (producer === undefined) throw new Error('there is no producer');
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4_000_000 });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const transport = await worker.router.createPlainTransport({
    listenInfo: { protocol: 'udp', ip: '127.0.0.1' },
    rtcpMux: true,
  });
  await transport.connect({ ip: '127.0.0.1', port: socket.address().port });
  const pictures: ReceivedPicture[] = [];
  const packets: {
    readonly atMs: number;
    readonly sequence: number;
    readonly rtpTime: number;
    readonly payload: Uint8Array;
  }[] = [];
  const reports: { readonly ntpMs: number; readonly rtpTime: number }[] = [];
  const oddities: string[] = [];
  let ssrc: number | undefined;
  const depacketiser = new H264Depacketiser({
    picture: (bytes, rtpTime, key) => void pictures.push({ rtpTime, isKey: key !== 'no', slices: slicesIn(bytes) }),
    parameterSet: () => {},
    damaged: () => oddities.push('damaged'),
    oddity: (text) => oddities.push(text),
  });
  socket.on('message', (packet) => {
    const type = packet[1] ?? 0;
    if (type >= 200 && type < 208) {
      if (type === 200) reports.push({ ntpMs: ntpMsOf(packet), rtpTime: u32(packet, 16) });
      return;
    }
    // Packets that measure the path have a source of their own.
    if (u32(packet, 8) !== ssrc) return;
    const begin = 12 + ((packet[0] ?? 0) & 0x10 ? 4 + 4 * u16(packet, 14) : 0);
    const [sequence, rtpTime] = [u16(packet, 2), u32(packet, 4)];
    packets.push({ atMs: performance.now(), sequence, rtpTime, payload: new Uint8Array(packet.subarray(begin)) });
    if (producer.kind === 'video') depacketiser.payload(packet, begin, packet.length, rtpTime, (type & 0x80) !== 0);
  });
  const { rtpCapabilities } = worker.router;
  const consumer = await transport.consume({ producerId: producer.id, rtpCapabilities, paused: true });
  ssrc = consumer.rtpParameters.encodings?.[0]?.ssrc;
  await consumer.resume();
  onTestFinished(() => {
    transport.close();
    socket.close();
  });
  return { consumer, pictures, packets, reports, oddities };
}

/** What the stream's own lane tells meanwhile: slices of each picture, frames of sound, in hexadecimal, and where the newest GOP began. */
export function listen(client: Pick<LaneClient, 'subscribe'>) {
  const ending = new AbortController();
  const heard = { pictures: [] as string[], sounds: [] as string[], keyAt: undefined as number | undefined };
  const options = { onOverflow: 'drop-to-key-frame', bytesMax: 16_000_000, signal: ending.signal } as const;
  const reading = (async () => {
    for await (const event of client.subscribe(streamId, options)) {
      if (event.kind !== 'unit') continue;
      const { trackNumber, bytes, isKey } = event.unit;
      if (trackNumber === 1 && isKey) heard.keyAt = heard.pictures.length;
      if (trackNumber === 1) heard.pictures.push(slicesIn(bytes));
      else heard.sounds.push(Buffer.from(bytes).toString('hex'));
    }
  })();
  onTestFinished(async () => {
    ending.abort();
    await reading;
  });
  return heard;
}

/** True when the one has the other in it, in one piece. */
export function isWithin(whole: readonly string[], part: readonly string[]): boolean {
  const from = whole.indexOf(part[0] ?? '');
  return from >= 0 && part.every((item, at) => whole[from + at] === item);
}

function slicesIn(unit: Uint8Array): string {
  const slices: string[] = [];
  forEachNal(unit, (bytes, begin, end) => {
    const type = h264NalType(bytes[begin] ?? 0);
    if (type >= 1 && type <= 5) slices.push(Buffer.from(bytes.subarray(begin, end)).toString('hex'));
  });
  return slices.join(' ');
}

function ntpMsOf(packet: Uint8Array): number {
  return u32(packet, 8) * 1000 + (u32(packet, 12) / 2 ** 32) * 1000 - 2_208_988_800_000;
}
