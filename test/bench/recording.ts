/**
 * What it costs to record cameras: Weir against one `ffmpeg -c copy` process a camera, on the same simulated cameras, one
 * after the other in the same run. Frames are judged from outside, by the numbers inside the stored pictures.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningAppliance, startAppliance } from '../kit/appliance.ts';
import { frameNumbersIn } from '../kit/camera-simulator/frame-number.ts';
import { type RunningSimulator, startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { costOfTree, diskCounters } from '../kit/processes.ts';
import { until } from '../kit/until.ts';
import type { Row } from './table.ts';

export type RecordingOptions = {
  readonly cameras: number;
  readonly mode: 'burst' | 'paced';
  readonly warmUpMs: number;
  readonly windowMs: number;
  readonly withFfmpeg: boolean;
};

type Measured = { readonly cpuPercent: number; readonly pssBytes: number; readonly windowMs: number };

const gopSeconds = 2;

export async function benchRecording(options: RecordingOptions): Promise<Row[]> {
  const simulator = await startCameraSimulator({ cameras: options.cameras, mode: options.mode });
  const rows: Row[] = [];
  try {
    const reference = options.withFfmpeg ? await measureFfmpeg(simulator, options) : undefined;
    rows.push(...(await measureWeir(simulator, options, reference)));
  } finally {
    await simulator.close();
  }
  return rows;
}

async function measureFfmpeg(simulator: RunningSimulator, options: RecordingOptions): Promise<Measured> {
  const directory = await mkdtemp(join(tmpdir(), 'weir-bench-ffmpeg-'));
  const children = await Promise.all(
    Array.from({ length: options.cameras }, async (_, camera) => {
      const target = join(directory, String(camera));
      await mkdir(target);
      const input = ['-v', 'error', '-nostdin', '-rtsp_transport', 'tcp', '-i', simulator.url(camera), '-c', 'copy'];
      const output = ['-f', 'segment', '-segment_time', '60', '-segment_format', 'matroska', join(target, '%d.mkv')];
      return spawn('ffmpeg', [...input, ...output], { stdio: 'ignore' });
    }),
  );
  try {
    await sleep(options.warmUpMs);
    return await measure(options.windowMs, () => children.map((child) => child.pid ?? 0));
  } finally {
    await Promise.all(
      children.map(async (child) => {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      }),
    );
    await rm(directory, { recursive: true, force: true });
  }
}

async function measureWeir(
  simulator: RunningSimulator,
  options: RecordingOptions,
  reference: Measured | undefined,
): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'weir-bench-'));
  const appliance = await startAppliance({ dataDirectory: directory });
  try {
    await sleep(3_000);
    const idlePssBytes = costOfTree(appliance.pid).pssBytes;
    await addCameras(appliance, simulator, options.cameras);
    await sleep(options.warmUpMs);
    const diskBefore = diskCounters(directory);
    const weir = await measure(options.windowMs, () => [appliance.pid]);
    const diskAfter = diskCounters(directory);
    const loopP99Ms = await eventLoopP99Ms(appliance);
    const stats = await simulator.stats();
    await appliance.close();
    const frames = await judgeDirectory(directory);
    const fragments = (options.cameras * weir.windowMs) / 1000 / gopSeconds;
    const rows: Row[] = [];
    if (reference !== undefined) {
      rows.push({
        what: `ffmpeg -c copy, ${options.mode}`,
        cameras: options.cameras,
        '% core/camera': reference.cpuPercent / options.cameras,
        ratio: 1,
        'MB/camera': reference.pssBytes / 1e6 / options.cameras,
      });
    }
    rows.push({
      what: `Weir, all roles, ${options.mode}`,
      cameras: options.cameras,
      '% core/camera': weir.cpuPercent / options.cameras,
      ...(reference === undefined ? {} : { ratio: weir.cpuPercent / reference.cpuPercent }),
      'MB/camera': (weir.pssBytes - idlePssBytes) / 1e6 / options.cameras,
      'MB idle': idlePssBytes / 1e6,
      'loop p99 ms': loopP99Ms,
      'frames stored': frames.stored,
      'frames missing': frames.missing,
      'cut off': stats.reduce((sum, camera) => sum + camera.cutOff, 0),
      'writes/100 fragments': ((diskAfter.writes - diskBefore.writes) / fragments) * 100,
      'flushes/100 fragments': ((diskAfter.flushes - diskBefore.flushes) / fragments) * 100,
    });
    return rows;
  } finally {
    await appliance.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Adds cameras 0 .. count-1 of a simulator and waits until all are live. */
export async function addCameras(
  appliance: RunningAppliance,
  simulator: RunningSimulator,
  count: number,
): Promise<void> {
  for (let camera = 0; camera < count; camera++) {
    await appliance.call('POST', '/api/cameras', {
      name: `Camera ${camera}`,
      source: { kind: 'rtsp', url: simulator.url(camera) },
    });
  }
  await untilAllLive(appliance, count);
}

/** Waits until so many cameras are there and all of them are live. */
export async function untilAllLive(appliance: RunningAppliance, count: number): Promise<void> {
  await until(
    'all cameras are live',
    async () => {
      const { cameras } = (await appliance.call('GET', '/api/cameras')) as {
        cameras: { state: { state: string } | null }[];
      };
      return cameras.length === count && cameras.every((camera) => camera.state?.state === 'live');
    },
    60_000,
  );
}

/** CPU over a while, and memory at its end, of processes with their children. */
export async function measure(windowMs: number, pids: () => readonly number[]): Promise<Measured> {
  const beginMs = performance.now();
  const before = pids().reduce((sum, pid) => sum + costOfTree(pid).cpuMs, 0);
  await sleep(windowMs);
  const costs = pids().map((pid) => costOfTree(pid));
  const elapsedMs = performance.now() - beginMs;
  const cpuMs = costs.reduce((sum, cost) => sum + cost.cpuMs, 0) - before;
  return {
    cpuPercent: (cpuMs / elapsedMs) * 100,
    pssBytes: costs.reduce((sum, cost) => sum + cost.pssBytes, 0),
    windowMs: elapsedMs,
  };
}

/** The worst of the roles that handle media. */
export async function eventLoopP99Ms(appliance: RunningAppliance): Promise<number> {
  const text = String(await appliance.call('GET', '/metrics'));
  const values = [...text.matchAll(/^weir_event_loop_delay_seconds\{[^}]*quantile="0\.99"[^}]*\} (\S+)$/gm)];
  return Math.max(0, ...values.map((match) => Number(match[1]) * 1000));
}

/** Counts frames by the numbers inside all segment files below a directory. */
export async function judgeDirectory(directory: string): Promise<{ stored: number; missing: number }> {
  const numbers = new Map<number, Set<number>>();
  for (const name of await readdir(directory, { recursive: true })) {
    if (!name.endsWith('.mkv')) continue;
    for (const { camera, frame } of frameNumbersIn(await readFile(join(directory, name)))) {
      const frames = numbers.get(camera) ?? new Set();
      numbers.set(camera, frames.add(frame));
    }
  }
  let stored = 0;
  let missing = 0;
  for (const frames of numbers.values()) {
    let first = Number.POSITIVE_INFINITY;
    let last = 0;
    for (const frame of frames) {
      first = Math.min(first, frame);
      last = Math.max(last, frame);
    }
    stored += frames.size;
    missing += last - first + 1 - frames.size;
  }
  return { stored, missing };
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
