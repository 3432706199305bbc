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
  const number = `(N+${firstFrame})`;
  const bit = (of: string, place: string) => `mod(floor(${of}/pow(2,${place})),2)`;
  const checksum = `mod(${bit(number, '31-X')}+${bit(number, '39-X')}+${bit(number, '47-X')}+${bit('90', '31-X')},2)`;
  const cells = `color=black:s=32x2:r=25,format=gray,geq=lum='235*if(lt(X,24),${bit(number, '23-X')},${checksum})'`;
  const picture = `${cells},scale=320:32:flags=neighbor[cells];testsrc2=s=320x180:r=25[back];[back][cells]overlay,format=yuv420p`;
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
