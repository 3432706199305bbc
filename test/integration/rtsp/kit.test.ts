import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { type GstCamera, readFrameNumbers, startGstCamera } from '../../kit/gst-camera.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

const run = promisify(execFile);

async function numbersOf(camera: GstCamera, seconds: number): Promise<number[]> {
  const file = join(await temporaryDirectory(), camera.options.codec === 'h265' ? 'out.hevc' : 'out.h264');
  const source = ['-rtsp_transport', 'tcp', '-i', camera.urlWithCredentials];
  await run('ffmpeg', ['-v', 'error', ...source, '-map', '0:v', '-t', String(seconds), '-c', 'copy', file]);
  // ffmpeg cuts in decode order: the last B-frames may lack.
  return (await readFrameNumbers(file)).slice(0, -3);
}

const countedFrom = (first: number, length: number) => Array.from({ length }, (_, index) => first + index);

test.each([
  { codec: 'h264', audio: 'aac', bFrames: 0, auth: 'none' },
  { codec: 'h264', audio: 'pcma', bFrames: 2, auth: 'digest' },
  { codec: 'h265', audio: 'opus', bFrames: 0, auth: 'basic', tls: true },
] as const)('the test camera counts its pictures: $codec, $audio, $bFrames B-frames, $auth', async (options) => {
  const camera = await startGstCamera(options);

  const numbers = await numbersOf(camera, 3);

  expect(numbers.length).toBeGreaterThan(60);
  expect(numbers).toEqual(countedFrom(numbers[0] ?? -1, numbers.length));
});

test('the test camera goes on counting while it is off, paused or being changed', async () => {
  const camera = await startGstCamera({ kilobitsPerSecond: 300 });
  const before = await numbersOf(camera, 1);

  await camera.restart();
  await camera.change({ codec: 'h265', widthPixels: 320, heightPixels: 240, audio: 'pcmu' });
  const after = await numbersOf(camera, 1);

  const { ageMs } = await camera.status();
  expect(after[0] ?? 0).toBeGreaterThan(before.at(-1) ?? 0);
  expect(after).toEqual(countedFrom(after[0] ?? -1, after.length));
  expect(after.at(-1) ?? 0).toBeLessThanOrEqual((ageMs * 25) / 1000);
});
