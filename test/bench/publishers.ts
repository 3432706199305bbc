/**
 * What it costs to record publishers: the same pictures and sound as the cameras of `recording.ts`, pushed by RTMP instead of
 * pulled by RTSP, both in one run.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startAppliance } from '../kit/appliance.ts';
import { costOfTree } from '../kit/processes.ts';
import { freePort } from '../kit/temp.ts';
import { benchRecording, eventLoopP99Ms, judgeDirectory, measure, untilAllLive } from './recording.ts';
import type { Row } from './table.ts';

const publisherPath = fileURLToPath(new URL('../kit/rtmp-publisher/main.ts', import.meta.url));

export async function benchPublishers(options: {
  readonly cameras: number;
  readonly warmUpMs: number;
  readonly windowMs: number;
}): Promise<Row[]> {
  const pulled = await benchRecording({ ...options, mode: 'burst', withFfmpeg: false });
  const pushed = await measurePublishers(options);
  return [...pulled.map((row) => ({ ...row, what: 'pulled by RTSP' })), pushed];
}

async function measurePublishers(options: {
  readonly cameras: number;
  readonly warmUpMs: number;
  readonly windowMs: number;
}): Promise<Row> {
  const { cameras } = options;
  const dataDirectory = await mkdtemp(join(tmpdir(), 'weir-bench-rtmp-'));
  const port = await freePort();
  const appliance = await startAppliance({ dataDirectory, args: ['--rtmp-port', String(port)] });
  let publishers: ChildProcess | undefined;
  try {
    await sleep(3_000);
    const idlePssBytes = costOfTree(appliance.pid).pssBytes;
    const keys: string[] = [];
    for (let camera = 0; camera < cameras; camera++) {
      const body = { name: `Publisher ${camera}`, source: { kind: 'rtmp' } };
      const { streamKeys } = (await appliance.call('POST', '/api/cameras', body)) as { streamKeys: { main: string } };
      keys.push(streamKeys.main);
    }
    publishers = fork(publisherPath, [JSON.stringify({ port, keys })], { execArgv: [] });
    const [ready] = await once(publishers, 'message');
    if (ready !== 'ready') throw new Error(`publishers are ${String(ready)}`);
    await untilAllLive(appliance, cameras);
    await sleep(options.warmUpMs);
    const weir = await measure(options.windowMs, () => [appliance.pid]);
    const loopP99Ms = await eventLoopP99Ms(appliance);
    const [{ isGone }] = await ask(publishers);
    await appliance.close();
    const frames = await judgeDirectory(dataDirectory);
    return {
      what: 'pushed by RTMP',
      cameras,
      '% core/camera': weir.cpuPercent / cameras,
      'MB/camera': (weir.pssBytes - idlePssBytes) / 1e6 / cameras,
      'MB idle': idlePssBytes / 1e6,
      'loop p99 ms': loopP99Ms,
      'frames stored': frames.stored,
      'frames missing': frames.missing,
      'cut off': isGone,
    };
  } finally {
    publishers?.kill('SIGKILL');
    await appliance.close();
    await rm(dataDirectory, { recursive: true, force: true });
  }
}

async function ask(publishers: ChildProcess): Promise<[{ isGone: number }]> {
  const answer = once(publishers, 'message');
  publishers.send('stats');
  return (await answer) as [{ isGone: number }];
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
