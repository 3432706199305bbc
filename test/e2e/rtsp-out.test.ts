/** RTSP out as a user has it: a token, a camera's name, ffmpeg; live and recorded, and across the death of the recording process. */

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { startAppliance } from '../kit/appliance.ts';
import { frameNumbersIn } from '../kit/camera-simulator/frame-number.ts';
import { startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { addSimulated, untilRecorded } from '../kit/footage.ts';
import { checkFindings } from '../kit/judge.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

const run = promisify(execFile);
const clip = {
  widthPixels: 320,
  heightPixels: 180,
  bitsPerSecond: 200_000,
  gopFrames: 12,
  framesPerSecond: 12,
} as const;

const numbersIn = (bytes: Buffer) => frameNumbersIn(bytes).map(({ frame }) => frame);

const areConsecutive = (numbers: readonly number[]) =>
  numbers.every((number, at) => at === 0 || number === (numbers[at - 1] ?? 0) + 1);

test('a player with a token sees a camera live and recorded, and goes on when recording starts anew', {
  timeout: 120_000,
}, async () => {
  const dataDirectory = await temporaryDirectory();
  const simulator = await startCameraSimulator({ cameras: 1, mode: 'burst', clip });
  onTestFinished(() => simulator.close());
  const appliance = await startAppliance({ dataDirectory });
  onTestFinished(() => appliance.close());
  const beginMs = Date.now();
  const [camera = { cameraId: '', streamId: '' }] = await addSimulated(appliance, simulator, 1);
  const { cameras } = (await appliance.call('GET', '/api/cameras')) as { cameras: { name: string }[] };
  const { secret } = (await appliance.call('POST', '/api/tokens', { name: 'nvr', role: 'viewer' })) as {
    secret: string;
  };
  await untilRecorded(appliance, camera.streamId, Date.now() + 6_000);
  const name = encodeURIComponent(cameras[0]?.name ?? '');
  const url = (query = '', scheme = 'rtsp') =>
    `${scheme}://nvr:${secret}@127.0.0.1:${appliance.rtspPort}/${name}${query}`;
  const record = async (source: string, seconds: number) => {
    const path = join(await temporaryDirectory(), 'out.h264');
    const args = [
      '-v',
      'error',
      '-y',
      '-rtsp_transport',
      'tcp',
      '-i',
      source,
      '-t',
      String(seconds),
      '-c:v',
      'copy',
      '-an',
    ];
    await run('ffmpeg', [...args, path], { timeout: 60_000 });
    return numbersIn(await readFile(path));
  };

  const [live, encrypted, recorded] = await Promise.all([
    record(url(), 4),
    record(url('', 'rtsps'), 4),
    record(url(`?start=${new Date(beginMs + 2_000).toISOString()}&end=${beginMs + 6_000}`), 20),
  ]);

  for (const numbers of [live, encrypted, recorded]) {
    expect(areConsecutive(numbers)).toBe(true);
    expect(numbers.length).toBeGreaterThan(36);
  }
  expect(Math.max(...recorded)).toBeLessThan(Math.min(...live));

  const path = join(await temporaryDirectory(), 'long.h264');
  const player = spawn('ffmpeg', [
    '-v',
    'error',
    '-y',
    '-rtsp_transport',
    'tcp',
    '-i',
    url(),
    '-c:v',
    'copy',
    '-an',
    path,
  ]);
  onTestFinished(() => void player.kill('SIGKILL'));
  const seen = async () => numbersIn(await readFile(path).catch(() => Buffer.alloc(0)));
  await until('it is sent pictures', async () => (await seen()).length > 12);
  await appliance.kill('ingest');
  const before = (await seen()).length;
  await until('it goes on', async () => (await seen()).length > before + 36);
  const exited = once(player, 'exit');
  player.kill('SIGINT');
  await exited;

  expect(appliance.output()).not.toContain(secret);
  await appliance.close();
  expect(await checkFindings(dataDirectory)).toEqual([]);
});
