/**
 * Collects what somebody needs who is to help from afar, as texts: never a picture, never a secret. Every part is for itself and
 * bounded: one that fails says so in its place, and Weir need not run for most of them.
 */

import { open, readdir, readFile } from 'node:fs/promises';
import { arch, hostname, version as kernelVersion, networkInterfaces, release, totalmem, uptime } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../storage/base/clock.ts';
import { toAppError } from '../../storage/base/errors.ts';
import type { Plan, PlannedSource } from '../../storage/model/camera.ts';
import type { Paths } from '../../storage/model/paths.ts';
import type { ApiClient } from '../api-client/index.ts';
import type { Config } from '../config/index.ts';
import { type ConfigOrigin, type DatabaseAnswer, type Finding, runProgram, sorted, within } from '../doctor/index.ts';
import { Scrubber } from './scrubber.ts';
import type { ArchivedText } from './tar.ts';

export type CollectDeps = {
  readonly clock: Clock;
  readonly api: Pick<ApiClient, 'call' | 'text'>;
  /** Cameras with their passwords, which are taken out. */
  readonly plan: Plan;
  /** Whatever else must not be in it. */
  readonly secrets: readonly string[];
  readonly databases: Readonly<Record<string, () => Promise<DatabaseAnswer>>>;
  readonly doctor: () => Promise<readonly Finding[]>;
  /** Text of what is said with one source. */
  readonly trace: (planned: PlannedSource, durationMs: number) => Promise<string>;
  /** Told of each text as it is ready, clean. */
  readonly onText: (text: ArchivedText) => void;
};

export type CollectOptions = {
  readonly config: Config;
  readonly configOrigin: ConfigOrigin;
  readonly paths: Paths;
  readonly installDirectory: string;
  /** A camera's name or id, whose conversation is written down; none when undefined. */
  readonly camera: string | undefined;
  readonly traceMs: number;
  /** Hosts and addresses are replaced by words. */
  readonly areHostsMasked: boolean;
};

/** The newest lines of a file. */
const logBytesMax = 1024 * 1024;
const logFilesMax = 32;
/** What others say, as JSON or metrics: forty cameras have 300 KB. */
const textCharactersMax = 4 * 1024 * 1024;
const partMs = 14_000;

/** Resolves when every part is told of. */
export async function collect(deps: CollectDeps, options: CollectOptions): Promise<void> {
  const { clock, api, plan, onText } = deps;
  const { config, paths } = options;
  const scrubber = new Scrubber({
    secrets: [...deps.secrets, ...passwordsOf(plan)],
    hosts: options.areHostsMasked ? hostsOf(config, plan) : undefined,
  });
  const put = (name: string, text: string) => onText({ name, text: scrubber.scrub(text.slice(-textCharactersMax)) });
  const part = async (name: string, timeoutMs: number, make: (signal: AbortSignal) => Promise<string>) => {
    const text = await within(clock, timeoutMs, make).catch(
      (error: unknown) => `could not be collected: ${toAppError(error).message}\n`,
    );
    put(name, text);
  };
  const asked = (name: string, path: string, shape: z.ZodType = z.unknown()) =>
    part(name, partMs, async () => json(shape.parse(await api.call('GET', path))));

  put('README.txt', readme);
  put('config.json', json(withoutKeys(config)));
  put('plan.json', json(shownPlan(plan)));
  await Promise.all([
    part('about.json', partMs, async (signal) => json(await about(options, signal))),
    part('doctor.json', partMs + 2_000, async () => json(sorted(await deps.doctor()))),
    asked('system.json', '/api/system'),
    asked('cameras.json', '/api/cameras'),
    asked('alarms.json', '/api/alarms?state=all&limit=100'),
    asked('audit.json', '/api/audit?limit=100', auditShape),
    part('metrics.txt', partMs, () => api.text('/metrics')),
    ...Object.entries(deps.databases).map(([name, read]) =>
      part(`${name}.json`, partMs, async () => json(shownDatabase(await read()))),
    ),
    logs(paths.logs, put, (work) => within(clock, partMs, work)),
    ...traced(plan, options.camera).map((planned, n) =>
      part(
        `rtsp-trace-${n + 1}.txt`,
        options.traceMs + partMs,
        async () => `${planned.name} (${planned.role})\n\n${await deps.trace(planned, options.traceMs)}`,
      ),
    ),
  ]);
}

/** Whether the plan has a camera of this name or id. */
export function traced(plan: Plan, camera: string | undefined): PlannedSource[] {
  if (camera === undefined) return [];
  return plan.sources.filter(
    ({ cameraId, name, source }) =>
      source.kind === 'rtsp' && (cameraId === camera || name.toLowerCase() === camera.toLowerCase()),
  );
}

/** Names of people and addresses stay at the site. */
const auditShape = z.looseObject({
  entries: z.array(
    z
      .looseObject({ atMs: z.number(), action: z.string(), resource: z.string(), outcome: z.string() })
      .transform(({ atMs, action, resource, outcome }) => ({ atMs, action, resource, outcome })),
  ),
});

async function about(
  { config, configOrigin, installDirectory }: CollectOptions,
  signal: AbortSignal,
): Promise<unknown> {
  const text = (path: string) => readFile(path, 'utf8').catch(() => '');
  const [system, own, lock, ffmpeg] = await Promise.all([
    text('/etc/os-release'),
    text(join(installDirectory, 'package.json')),
    text(join(installDirectory, 'node_modules', '.package-lock.json')),
    runProgram(config.ffmpegPath, ['-version'], signal).catch((error: unknown) => toAppError(error).message),
  ]);
  return {
    version: jsonOf(versionShape, own)?.version,
    node: process.versions,
    kernel: `${release()} ${kernelVersion()}`,
    machine: arch(),
    configuration: configOrigin === 'running' ? 'of the running Weir' : 'of the command that collected this',
    distribution: /^PRETTY_NAME="?([^"\n]+)/m.exec(system)?.[1],
    memoryBytes: totalmem(),
    upSeconds: Math.round(uptime()),
    ffmpeg: ffmpeg.split('\n').slice(0, 3),
    packages: Object.fromEntries(
      Object.entries(jsonOf(lockShape, lock)?.packages ?? {}).map(([path, { version }]) => [
        path.replace(/^node_modules\//, ''),
        version,
      ]),
    ),
  };
}

const versionShape = z.looseObject({ version: z.string() });
const lockShape = z.looseObject({ packages: z.record(z.string(), z.looseObject({ version: z.string().optional() })) });

/** The newest files' newest lines, each file by itself: one that cannot be read costs no other. */
async function logs(
  directory: string,
  put: (name: string, text: string) => void,
  bounded: <T>(work: () => Promise<T>) => Promise<T>,
): Promise<void> {
  const names = await bounded(() => readdir(directory)).catch(() => []);
  const files = names.filter((name) => /^[a-z]+(-\d{1,2})?(\.1)?\.log$/.test(name)).sort();
  if (files.length === 0) put('logs/none.txt', `there are no log files in ${directory}\n`);
  for (const name of files.slice(0, logFilesMax)) {
    const text = await bounded(() => endOf(join(directory, name))).catch(
      (error: unknown) => `could not be read: ${toAppError(error).message}\n`,
    );
    put(`logs/${name}`, text);
  }
}

async function endOf(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const begin = Math.max(0, size - logBytesMax);
    const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.min(size, logBytesMax)), 0, size - begin, begin);
    const text = buffer.subarray(0, bytesRead).toString();
    return begin === 0 ? text : text.slice(text.indexOf('\n') + 1);
  } finally {
    await file.close();
  }
}

/** Of the databases numbers alone. */
function shownDatabase({ version, rows, newestFootageMs, byteLength }: DatabaseAnswer): unknown {
  return { version, byteLength, newestFootageMs, rows };
}

function shownPlan({ version, sources, devices }: Plan): unknown {
  return {
    version,
    sources: sources.map(({ source, ...planned }) => ({
      ...planned,
      source:
        source.kind === 'rtsp'
          ? { ...source, username: given(source.username), password: given(source.password) }
          : { kind: source.kind },
    })),
    devices: devices.map((device) => ({
      ...device,
      username: given(device.username),
      password: given(device.password),
    })),
  };
}

function given(secret: string | undefined): string | undefined {
  return secret === undefined ? undefined : '(given)';
}

/** The configuration holds no secret but the name of a key. */
function withoutKeys(config: Config): unknown {
  return JSON.parse(
    JSON.stringify(config, (name, value) => (name === 'accessKey' && value !== undefined ? '(given)' : value)),
  );
}

function passwordsOf({ sources, devices }: Plan): string[] {
  const pairs = [...sources.flatMap(({ source }) => (source.kind === 'rtsp' ? [source] : [])), ...devices];
  return pairs.flatMap(({ password }) => (password === undefined ? [] : [password]));
}

function hostsOf({ publicUrl, tls, objects }: Config, { sources, devices }: Plan): string[] {
  const urls = [
    ...sources.flatMap(({ source }) => (source.kind === 'rtsp' ? [source.url] : [])),
    ...devices.map(({ url }) => url),
    ...[publicUrl, objects.s3.endpoint, ...objects.stores.map(({ s3 }) => s3.endpoint)],
  ];
  const named = urls.flatMap((url) => (url !== undefined && URL.canParse(url) ? [new URL(url).hostname] : []));
  return [
    ...new Set([
      ...named,
      ...tls.names,
      hostname(),
      ...Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)),
    ]),
  ];
}

function jsonOf<T>(shape: z.ZodType<T>, text: string): T | undefined {
  try {
    return shape.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

const readme = `What is in here, collected by Weir on the machine that it runs on:

  doctor.json      what is wrong, why, and what to do next
  about.json       versions of Weir, Node, packages, kernel, ffmpeg
  config.json      the configuration, plan.json: what is recorded; without credentials
  system.json, cameras.json, alarms.json, audit.json, metrics.txt: as the running appliance told; audit without names
  catalog.json, index.json: numbers of rows
  logs/            the newest log lines of each process
  rtsp-trace-*.txt what was said with a camera that was asked for: no login, no payload

No picture and no sound is in it, and no password, token or key: known ones were searched for in all of it and taken out.
Names of cameras are in it; addresses too, unless it was made with --mask-hosts. Read it before you send it.
`;
