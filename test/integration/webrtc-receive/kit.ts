/** Media of ffmpeg in a real worker, received as that of a WHIP publisher, and an `Ingest` that records it. */

import type { types } from 'mediasoup';
import { onTestFinished } from 'vitest';
import { MediaPlane, type MediaWorker } from '../../../gateway/webrtc/media-plane/index.ts';
import { WhipReceiver } from '../../../gateway/webrtc/receive/index.ts';
import type { Publication, Reception } from '../../../gateway/webrtc/sessions/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { createLog } from '../../../storage/base/log.ts';
import type { WhipSource } from '../../../storage/model/camera.ts';
import { ffmpegRtp, type RtpTo, startFfmpegRtp } from '../../kit/ffmpeg-publisher.ts';
import { until } from '../../kit/until.ts';
import { plannedOf, planOf, type RunningIngest, startIngest, storedFiles, streamId } from '../ingest/ingest-kit.ts';

export const source: WhipSource = { kind: 'whip', keySha256: 'a'.repeat(64) };

export async function startWorker(workerPath: string): Promise<MediaWorker> {
  const plane = new MediaPlane(
    { clock: systemClock, log: createLog({ level: 'silent' }), random: Math.random },
    { workerPath: () => workerPath, workers: 1, port: 0, host: '127.0.0.1', announced: [] },
  );
  await plane.start();
  onTestFinished(() => plane.close());
  await until('the worker is ready', () => plane.status().state === 'ready');
  return plane.place('test');
}

/** A camera that waits for its publisher. */
export async function startWaiting(): Promise<RunningIngest> {
  const running = await startIngest();
  await running.ingest.apply(planOf(plannedOf(source)));
  await until('it waits for its publisher', () => running.states.get(streamId)?.reason === 'no-publisher');
  return running;
}

export function receiverTo({ client, log }: Pick<RunningIngest, 'client' | 'log'>): WhipReceiver {
  const destination = { write: (line: string) => void log.push(line) };
  return new WhipReceiver({
    clock: systemClock,
    log: createLog({ level: 'debug', destination }),
    random: Math.random,
    ownerOf: () => client,
  });
}

/** Two producers, as a publisher's transport would have them, and where to send their RTP. */
export async function produced(worker: MediaWorker): Promise<{
  readonly publication: Publication;
  readonly to: RtpTo;
}> {
  const options: Record<types.MediaKind, types.ProducerOptions> = {
    video: {
      kind: 'video',
      rtpParameters: {
        codecs: [
          {
            ...{ mimeType: 'video/H264', clockRate: 90_000, payloadType: ffmpegRtp.video.payloadType },
            parameters: { 'packetization-mode': 1, 'profile-level-id': '42e01f' },
            rtcpFeedback: [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }],
          },
        ],
        encodings: [{ ssrc: ffmpegRtp.video.ssrc }],
      },
    },
    audio: {
      kind: 'audio',
      rtpParameters: {
        codecs: [{ mimeType: 'audio/opus', clockRate: 48_000, channels: 2, payloadType: ffmpegRtp.audio.payloadType }],
        encodings: [{ ssrc: ffmpegRtp.audio.ssrc }],
      },
    },
  };
  const line = async (kind: types.MediaKind) => {
    // ffmpeg sends RTP and RTCP from two sockets, of which a transport with one port would take the first.
    const listenInfo = { protocol: 'udp', ip: '127.0.0.1' } as const;
    const transport = await worker.router.createPlainTransport({ listenInfo, comedia: true, rtcpMux: false });
    const rtcp = transport.rtcpTuple?.localPort ?? 0;
    return { producer: await transport.produce(options[kind]), ports: { rtp: transport.tuple.localPort, rtcp } };
  };
  const [video, audio] = [await line('video'), await line('audio')];
  return {
    publication: { streamId, worker, video: video.producer, audio: audio.producer, publisher: 'ffmpeg' },
    to: { video: video.ports, audio: audio.ports },
  };
}

export type Sending = {
  readonly reception: Reception;
  readonly sender: ReturnType<typeof startFfmpegRtp>;
  readonly ended: string[];
};

/** A publisher that is received, and sends. */
export async function publish(
  worker: MediaWorker,
  receiver: WhipReceiver,
  options: Omit<Parameters<typeof startFfmpegRtp>[0], 'to'> = {},
): Promise<Sending> {
  const { publication, to } = await produced(worker);
  const reception = await receiver.receive(publication);
  const ended: string[] = [];
  reception.onEnded((reason) => ended.push(reason));
  return { reception, ended, sender: startFfmpegRtp({ to, ...options }) };
}

export async function committedSeconds({ paths }: Pick<RunningIngest, 'paths'>): Promise<number> {
  const fragments = (await storedFiles(paths)).flatMap((file) => file.fragments);
  return fragments.reduce((sum, fragment) => sum + fragment.durationMs, 0) / 1_000;
}

export async function runsOf({ paths }: Pick<RunningIngest, 'paths'>) {
  const files = await storedFiles(paths);
  const ids = [...new Set(files.map((file) => file.head.runId))];
  return ids.map((runId) => files.filter((file) => file.head.runId === runId));
}

export const isConsecutive = (numbers: readonly number[]) =>
  numbers.every((n, i) => i === 0 || n === (numbers[i - 1] ?? 0) + 1);
