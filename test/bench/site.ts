/**
 * The proof of a whole site, `npm run bench -- --only site`: forty mixed cameras with two renditions each, applied from one file
 * on an empty machine, recorded into a real MinIO, while half of them fail in different ways and so do store and roles. Every
 * picture of the simulated cameras is counted afterwards, from the objects in the bucket: what is missing must be in the ledger,
 * what the ledger calls missing must not be there, and no second of any camera may be in neither.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Client } from 'minio';
import { stringify } from 'yaml';
import { streamKeySha256 } from '../../storage/model/stream-key.ts';
import { type RoleName, type RunningAppliance, startAppliance } from '../kit/appliance.ts';
import { judgeFrames, type RunningSimulator, startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { judged, type Timeline, timeline } from '../kit/footage.ts';
import { createGstCamera, type GstCamera } from '../kit/gst-camera.ts';
import { checkFindings } from '../kit/judge.ts';
import { findMinio, Minio } from '../kit/minio.ts';
import { runCommand } from '../kit/run-command.ts';
import { type SiteFileCamera, siteCameraName, siteFileText } from '../kit/site-file.ts';
import { freePort } from '../kit/temp.ts';
import { until } from '../kit/until.ts';
import type { Row } from './table.ts';

const entry = fileURLToPath(new URL('../../appliance/main.ts', import.meta.url));
const publisherPath = fileURLToPath(new URL('../kit/rtmp-publisher/main.ts', import.meta.url));

const small = { widthPixels: 640, heightPixels: 360, gopFrames: 30 } as const;
const clips = {
  h264: { ...small, codec: 'h264', framesPerSecond: 15, bitsPerSecond: 600_000 },
  h265: { ...small, codec: 'h265', framesPerSecond: 12, bitsPerSecond: 400_000 },
  sub: {
    ...small,
    widthPixels: 320,
    heightPixels: 180,
    codec: 'h264',
    framesPerSecond: 8,
    bitsPerSecond: 100_000,
    hasAudio: false,
  },
} as const;
const counts = { h264: 20, h265: 12, publishers: 2 };
const password = 'pass:w@rd/?#';
/** Ends and beginnings of runs lie so far apart without a row; a busy machine hears of a first picture that late. */
const jointMs = 1_000;

/** Where a stream's pictures come from, for those that carry numbers in their bytes. */
type Numbered = { readonly simulator: RunningSimulator; readonly camera: number };

type SiteStream = { readonly name: string; readonly streamId: string; readonly numbered: Numbered | undefined };

/** @param options.minutes  how long the site runs with its faults */
export async function benchSite(options: { readonly minutes: number }): Promise<Row[]> {
  const program = await findMinio();
  if (program.missing !== undefined) {
    process.stderr.write(`not measured: ${program.missing}\n`);
    return [];
  }
  const directory = await mkdtemp(join(tmpdir(), 'weir-bench-site-'));
  const minio = new Minio(program, { directory: join(directory, 'minio'), port: await freePort() });
  const running: { close(): Promise<void> }[] = [];
  try {
    await minio.start();
    const cameras = await startCameras(running);
    const dataDirectory = join(directory, 'data');
    await mkdir(dataDirectory);
    await writeConfig(dataDirectory, minio);
    const rtmpPort = await freePort();
    const appliance = await startAppliance({ dataDirectory, args: ['--rtmp-port', String(rtmpPort)] });
    running.push({ close: () => appliance.close() });
    const beginMs = Date.now();
    const applyMs = await applySite(directory, { dataDirectory, cameras: cameras.entries });
    await publishersAwaited(appliance);
    const publishers = fork(publisherPath, [JSON.stringify({ port: rtmpPort, keys: cameras.keys })], { execArgv: [] });
    running.push({ close: async () => void publishers.kill('SIGKILL') });
    const [said] = await once(publishers, 'message');
    if (said !== 'ready') throw new Error(`publishers: ${said}`);
    await runWithFaults({ appliance, minio, cameras, publishers }, options);
    const streams = await recordedStreams(appliance, cameras);
    return [...(await judgeSite({ appliance, minio, directory, dataDirectory, streams, beginMs })), applied(applyMs)];
  } finally {
    for (const each of running.reverse()) await each.close();
    await minio.kill();
    await rm(directory, { recursive: true, force: true });
  }
}

type Cameras = {
  readonly entries: readonly SiteFileCamera[];
  readonly keys: readonly string[];
  readonly simulators: Readonly<Record<'h264' | 'h265' | 'sub', RunningSimulator>>;
  readonly gst: readonly GstCamera[];
};

async function startCameras(running: { close(): Promise<void> }[]): Promise<Cameras> {
  const simulate = async (cameraCount: number, clip: (typeof clips)[keyof typeof clips]) => {
    const simulator = await startCameraSimulator({ cameras: cameraCount, mode: 'burst', clip });
    running.push(simulator);
    return simulator;
  };
  const simulators = {
    h264: await simulate(counts.h264, clips.h264),
    h265: await simulate(counts.h265, clips.h265),
    sub: await simulate(40, clips.sub),
  };
  const tiny = {
    widthPixels: 320,
    heightPixels: 180,
    framesPerSecond: 5,
    gopFrames: 10,
    kilobitsPerSecond: 100,
  } as const;
  const gst: GstCamera[] = [];
  for (const kind of [
    { audio: 'pcma', transports: ['udp'] },
    { audio: 'opus', tls: true, auth: 'basic' },
    { codec: 'h265', audio: 'pcmu', auth: 'digest' },
    { audio: 'aac', auth: 'digest' },
  ] as const) {
    const camera = await createGstCamera({ ...tiny, ...kind, password });
    running.push(camera);
    gst.push(camera);
  }
  const keys = Array.from({ length: counts.publishers }, () => randomBytes(20).toString('base64url'));
  const mains: SiteFileCamera[] = [
    ...Array.from({ length: counts.h264 }, (_, i) => ({ url: simulators.h264.url(i) })),
    ...Array.from({ length: counts.h265 }, (_, i) => ({ url: simulators.h265.url(i) })),
    ...gst.map(({ url, options: { transports, tls, auth, username } }) => ({
      url,
      ...(transports.length === 1 ? { transport: 'udp' as const } : {}),
      ...(tls ? { tls: 'any' as const } : {}),
      ...(auth === 'none' ? {} : { username }),
    })),
    // Nobody listens there; the camera of another name is not there; both for good.
    { url: `rtsp://127.0.0.1:${await freePort()}/stream` },
    { url: simulators.h264.url(999) },
  ];
  const entries = [
    // Credentials go to the device that they are for, so a camera that has some gives both renditions itself.
    ...mains.map((camera, i) => ({
      ...camera,
      subUrl: 'username' in camera ? camera.url : simulators.sub.url(i),
    })),
    ...keys.map((key) => ({ url: '', keySha256: streamKeySha256(key) })),
  ];
  return { entries, keys, simulators, gst };
}

async function writeConfig(dataDirectory: string, minio: Minio): Promise<void> {
  const { endpoint, bucket, region, accessKey, addressing, readSecretKey } = minio.storeOptions();
  process.env.WEIR_OBJECTS_S3_SECRET_KEY = await readSecretKey();
  const s3 = { endpoint, bucket, region, accessKey, addressing };
  await writeFile(join(dataDirectory, 'weir.yaml'), stringify({ objects: { kind: 's3', s3 } }));
}

/** Applies the file twice: the second time there must be nothing to do. Milliseconds of the first. */
async function applySite(
  directory: string,
  { dataDirectory, cameras }: { readonly dataDirectory: string; readonly cameras: readonly SiteFileCamera[] },
): Promise<number> {
  const path = join(directory, 'site.yaml');
  await writeFile(path, siteFileText({ cameras }));
  const apply = async (...flags: string[]) => {
    const args = [entry, 'apply', path, '--data-directory', dataDirectory, ...flags];
    const { code, out, err } = await runCommand(process.execPath, args, { env: { CAMERA_PASSWORD: password } });
    if (code !== 0) throw new Error(`weir apply ended with ${code}: ${out}${err}`);
  };
  const beganMs = Date.now();
  await apply();
  const applyMs = Date.now() - beganMs;
  await apply('--dry-run');
  return applyMs;
}

/** The port for publishers is open. */
async function publishersAwaited(appliance: RunningAppliance): Promise<void> {
  await until('publishers are awaited', async () => {
    const { cameras } = (await appliance.call('GET', '/api/cameras')) as { cameras: ShownCamera[] };
    return cameras.filter(({ state }) => state?.reason === 'no-publisher').length === counts.publishers;
  });
}

/** Half of the cameras in different ways, the store in three, and each role by kill -9: spread over the time. */
async function runWithFaults(
  parts: {
    readonly appliance: RunningAppliance;
    readonly minio: Minio;
    readonly cameras: Cameras;
    readonly publishers: ChildProcess;
  },
  { minutes }: { readonly minutes: number },
): Promise<void> {
  const { appliance, minio, cameras, publishers } = parts;
  const { h264, h265, sub } = cameras.simulators;
  const roles: RoleName[] = ['ingest', 'keeper', 'serve'];
  const endMs = Date.now() + minutes * 60_000;
  const silencesMs = [600, 3_000, 12_000, 40_000];
  for (let step = 0; Date.now() < endMs; step++) {
    await sleep(10_000);
    const camera = 2 * (step % 10) + 1;
    if (step % 2 === 0) h264.disconnect(camera);
    else h264.leaveOut(camera, silencesMs[step % silencesMs.length] ?? 0);
    if (step % 3 === 0) h265.disconnect(1 + 2 * (step % 6));
    if (step % 5 === 1) h265.leaveOut(step % counts.h265, silencesMs[step % silencesMs.length] ?? 0);
    if (step % 4 === 0) sub.disconnect(3 + 4 * (step % 9));
    if (step % 12 === 3) await cameras.gst[step % cameras.gst.length]?.restart();
    if (step % 12 === 6) cameras.gst[0]?.freeze();
    if (step % 12 === 8) cameras.gst[0]?.unfreeze();
    if (step % 18 === 5) await appliance.kill(roles[Math.floor(step / 18) % roles.length] ?? 'ingest');
    if (step % 30 === 9) await minio.stop();
    if (step % 30 === 15) await minio.start();
    if (step % 30 === 20) minio.freeze();
    if (step % 30 === 24) minio.thaw();
    if (step === 40) publishers.kill('SIGKILL');
  }
  for (const camera of cameras.gst) camera.unfreeze();
  minio.thaw();
  if (!(await isAnswering(minio))) await minio.start();
  // Whatever is silent or away comes back, and the last gaps are closed by pictures.
  await sleep(60_000);
}

async function isAnswering(minio: Minio): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${minio.port}/minio/health/live`).catch(() => undefined);
  return answer?.ok === true;
}

type ShownCamera = {
  readonly name: string;
  readonly state: { readonly reason: string | null } | null;
  readonly streams: readonly { readonly id: string; readonly role: 'main' | 'sub' }[];
};

/** Mains all, and of every fourth camera the sub: as `siteFileText` says. */
async function recordedStreams(appliance: RunningAppliance, { simulators }: Cameras): Promise<SiteStream[]> {
  const { cameras } = (await appliance.call('GET', '/api/cameras')) as { cameras: ShownCamera[] };
  const byName = new Map(cameras.map((camera) => [camera.name, camera]));
  return Array.from({ length: byName.size }, (_, i) => i).flatMap((i) => {
    const name = siteCameraName(i);
    const streams = byName.get(name)?.streams ?? [];
    const main: Numbered | undefined =
      i < counts.h264
        ? { simulator: simulators.h264, camera: i }
        : i < counts.h264 + counts.h265
          ? { simulator: simulators.h265, camera: i - counts.h264 }
          : undefined;
    return streams
      .filter(({ role }) => role === 'main' || i % 4 === 3)
      .map(({ id, role }) => ({
        name: role === 'main' ? name : `${name}/sub`,
        streamId: id,
        numbered: role === 'main' ? main : main && { simulator: simulators.sub, camera: i },
      }));
  });
}

async function judgeSite(parts: {
  readonly appliance: RunningAppliance;
  readonly minio: Minio;
  readonly directory: string;
  readonly dataDirectory: string;
  readonly streams: readonly SiteStream[];
  readonly beginMs: number;
}): Promise<Row[]> {
  const { appliance, minio, directory, dataDirectory, streams, beginMs } = parts;
  const sum = {
    streams: 0,
    stored: 0,
    missing: 0,
    doubled: 0,
    unexplained: 0,
    denied: 0,
    uncounted: 0,
    unaccountedMs: 0,
  };
  const endMs = Date.now() - 5_000;
  const shown = new Map<string, Timeline>();
  for (const { streamId } of streams) shown.set(streamId, await timeline(appliance, streamId, beginMs));
  await drained(appliance);
  await appliance.close();
  for (const { name, streamId, numbered } of streams) {
    const { gaps, spans } = shown.get(streamId) ?? { gaps: [], spans: [] };
    sum.streams++;
    const holesMs = unaccountedMs([...spans, ...gaps], { beginMs, endMs });
    sum.unaccountedMs += holesMs;
    if (holesMs > 0) process.stderr.write(`${name}: ${holesMs} ms are neither recorded nor a gap\n`);
    if (numbered === undefined) {
      sum.uncounted++;
      continue;
    }
    const files = await filesOf(minio.client(), { streamId, dataDirectory, directory });
    const pictures = await judgeFrames(files);
    await rm(join(directory, 'judged'), { recursive: true, force: true });
    const wallMs = (frame: number) => numbered.simulator.frameWallMs(numbered.camera, frame);
    const firstMs = wallMs(pictures.frames[0] ?? 0);
    const { doubled, unexplained, denied } = judged(
      pictures,
      gaps.filter((gap) => gap.endMs > firstMs),
      { wallMs },
    );
    sum.stored += pictures.frames.length;
    sum.missing += pictures.missing.length;
    sum.doubled += doubled.length;
    sum.unexplained += unexplained.length;
    sum.denied += denied.length;
    if (doubled.length + unexplained.length + denied.length > 0) {
      const facts = { doubled, unexplained, denied };
      process.stderr.write(`${name} (${streamId}): ${JSON.stringify(facts)} ${JSON.stringify(gaps)}\n`);
    }
  }
  const findings = await checkFindings(dataDirectory);
  for (const finding of findings) process.stderr.write(`check: ${JSON.stringify(finding)}\n`);
  return [
    {
      what: 'recorded streams',
      streams: sum.streams,
      'pictures stored': sum.stored,
      'missing, explained': sum.missing - sum.unexplained,
      'missing, unexplained': sum.unexplained,
      'there, yet in a gap': sum.denied,
      doubled: sum.doubled,
      'unaccounted s': sum.unaccountedMs / 1_000,
      'check findings': findings.length,
      'streams not counted': sum.uncounted,
    },
  ];
}

function applied(applyMs: number): Row {
  return { what: `weir apply of the file took ${(applyMs / 1_000).toFixed(1)} s` };
}

/** Time within the span that nothing covers, joints of runs aside. */
function unaccountedMs(
  covered: readonly { readonly beginMs: number; readonly endMs: number }[],
  { beginMs, endMs }: { readonly beginMs: number; readonly endMs: number },
): number {
  let atMs: number | undefined;
  let holesMs = 0;
  for (const span of [...covered].sort((a, b) => a.beginMs - b.beginMs)) {
    // What was before the file was applied is nobody's.
    atMs ??= Math.max(beginMs, span.beginMs);
    if (span.beginMs - atMs > jointMs) holesMs += span.beginMs - atMs;
    atMs = Math.max(atMs, span.endMs);
  }
  if (atMs === undefined) return endMs - beginMs;
  return holesMs + (endMs - atMs > 2 * jointMs + 10_000 ? endMs - atMs : 0);
}

/** Waits until the store has everything that is finished. */
async function drained(appliance: RunningAppliance): Promise<void> {
  const path = join(appliance.dataDirectory, 'journal', 'finished');
  const isDrained = async () =>
    (await readdir(path, { recursive: true })).filter((name) => name.endsWith('.mkv')).length < 5;
  await until('the bucket has what is finished', isDrained, 120_000).catch(() => {});
}

/** A stream's segments from the bucket and what is not there yet, each once. */
async function filesOf(
  client: Client,
  places: { readonly streamId: string; readonly dataDirectory: string; readonly directory: string },
): Promise<string[]> {
  const { streamId, dataDirectory, directory } = places;
  const found = new Map<string, string>();
  for await (const { name } of client.listObjectsV2('weir', `${streamId}/`, true) as AsyncIterable<{ name?: string }>) {
    if (name === undefined) continue;
    const path = join(directory, 'judged', basename(name));
    await client.fGetObject('weir', name, path);
    found.set(basename(name), path);
  }
  const journal = join(dataDirectory, 'journal');
  for (const name of await readdir(journal, { recursive: true })) {
    if (!name.endsWith('.mkv') || !name.split('/').includes(streamId) || found.has(basename(name))) continue;
    found.set(basename(name), join(journal, name));
  }
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
