/**
 * ffmpeg as an encoder that publishes by RTMP, in real time, each picture with its number as `readFrameNumbers` reads it (32 black
 * or white cells along the top: 24 bits of number, 8 of checksum).
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';

export type FfmpegPublisher = {
  readonly child: ChildProcess;
  /** What it complained of. */
  stderr(): string;
  /** Ends the stream in order; resolves when the process is gone. */
  end(): Promise<void>;
  kill(): Promise<void>;
  /** Resolves when ffmpeg ended by itself. */
  exited: Promise<unknown>;
};

export function startFfmpegPublisher(options: {
  readonly url: string;
  readonly firstFrame?: number;
  readonly bFrames?: number;
  readonly audio?: 'aac' | 'pcm_alaw' | 'mp3' | 'none';
  readonly seconds?: number;
}): FfmpegPublisher {
  const { url, firstFrame = 0, bFrames = 0, audio = 'aac', seconds } = options;
  const picture = numberedPictures(firstFrame);
  const sound = audio === 'none' ? [] : ['-re', '-f', 'lavfi', '-i', 'sine=sample_rate=48000'];
  const soundCoding = {
    none: [],
    aac: ['-c:a', 'aac'],
    pcm_alaw: ['-c:a', 'pcm_alaw', '-ar', '8000', '-ac', '1'],
    mp3: ['-c:a', 'libmp3lame', '-ar', '44100'],
  }[audio];
  const child = spawn(
    'ffmpeg',
    [
      ...['-v', 'error', '-re', '-f', 'lavfi', '-i', picture, ...sound],
      ...(seconds === undefined ? [] : ['-t', String(seconds)]),
      ...[
        '-c:v',
        'libx264',
        '-preset',
        'ultrafast',
        '-threads',
        '1',
        '-g',
        '25',
        '-bf',
        String(bFrames),
        '-b_strategy',
        '0',
      ],
      ...[...soundCoding, '-f', 'flv', url],
    ],
    { stdio: ['pipe', 'ignore', 'pipe'] },
  );
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-10_000);
  });
  const exited = once(child, 'exit');
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return {
    child,
    exited,
    stderr: () => stderr,
    async end() {
      child.stdin?.write('q');
      await exited;
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** A filter that makes 25 pictures of 320 x 180 a second, each with its number. */
function numberedPictures(firstFrame: number): string {
  const number = `(N+${firstFrame})`;
  const bit = (of: string, place: string) => `mod(floor(${of}/pow(2,${place})),2)`;
  const checksum = `mod(${bit(number, '31-X')}+${bit(number, '39-X')}+${bit(number, '47-X')}+${bit('90', '31-X')},2)`;
  const cells = `color=black:s=32x2:r=25,format=gray,geq=lum='235*if(lt(X,24),${bit(number, '23-X')},${checksum})'`;
  return `${cells},scale=320:32:flags=neighbor[cells];testsrc2=s=320x180:r=25[back];[back][cells]overlay,format=yuv420p`;
}

/** Payload types and SSRCs of `startFfmpegRtp`. */
export const ffmpegRtp = {
  video: { payloadType: 101, ssrc: 0x11112222 },
  audio: { payloadType: 111, ssrc: 0x33334444 },
} as const;

/** Ports of 127.0.0.1. */
export type RtpTo = Readonly<Record<'video' | 'audio', { readonly rtp: number; readonly rtcp: number }>>;

/** ffmpeg as a peer that sends H.264 and Opus as RTP, in real time, with numbered pictures. */
export function startFfmpegRtp(options: {
  readonly to: RtpTo;
  readonly firstFrame?: number;
  readonly gopFrames?: number;
  /** Otherwise parameter sets stand nowhere but before the first key frame. */
  readonly hasParameterSets?: boolean;
}): { readonly child: ChildProcess; kill(): Promise<void>; stderr(): string } {
  const { to, firstFrame = 0, gopFrames = 25, hasParameterSets = true } = options;
  const rtpTo = (kind: 'video' | 'audio') => [
    ...['-payload_type', String(ffmpegRtp[kind].payloadType), '-ssrc', String(ffmpegRtp[kind].ssrc)],
    ...['-f', 'rtp', `rtp://127.0.0.1:${to[kind].rtp}?rtcpport=${to[kind].rtcp}&pkt_size=1200`],
  ];
  const child = spawn(
    'ffmpeg',
    [
      ...['-v', 'error', '-re', '-f', 'lavfi', '-i', numberedPictures(firstFrame)],
      ...['-re', '-f', 'lavfi', '-i', 'sine=sample_rate=48000'],
      ...['-map', '0:v', '-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-threads', '1'],
      ...['-profile:v', 'baseline', '-g', String(gopFrames)],
      ...['-x264-params', `repeat-headers=${hasParameterSets ? 1 : 0}`, ...rtpTo('video')],
      ...['-map', '1:a', '-c:a', 'libopus', '-ac', '2', ...rtpTo('audio')],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-10_000);
  });
  const exited = once(child, 'exit');
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return {
    child,
    stderr: () => stderr,
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
