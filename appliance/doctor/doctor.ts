/**
 * Looks at everything at once and tells what it found, whether the appliance runs or not. Each look has a deadline of its own;
 * what none of them can bound (a dead mount, a huge database) is bounded by whoever started this process, who ends it.
 */

import { lookup } from 'node:dns/promises';
import { access } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { AddressPolicy } from '../../storage/base/address-policy.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { toAppError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import type { Plan } from '../../storage/model/camera.ts';
import type { Paths } from '../../storage/model/paths.ts';
import type { ObjectStore } from '../../storage/objects/index.ts';
import type { ApiClient } from '../api-client/index.ts';
import type { Config } from '../config/index.ts';
import { ownServerPaths } from '../tls/index.ts';
import { type DatabaseAnswer, readDatabase } from './database-reading.ts';
import type { Area, Finding } from './finding.ts';
import { verdictsOf } from './finding.ts';
import { judgeAppliance } from './judge-appliance.ts';
import { judgeCamera } from './judge-cameras.ts';
import { judgeClock } from './judge-clock.ts';
import { type DiskFacts, judgeDisk, judgeSharing, judgeStuckDisk, type PlaceName } from './judge-disks.ts';
import { judgeFfmpeg, judgeMachine, judgeModule } from './judge-machine.ts';
import { judgeName, judgePort } from './judge-network.ts';
import { judgeCertificate, judgeDatabase, judgeStore } from './judge-parts.ts';
import { type ApplianceLook, lookAtAppliance } from './look-appliance.ts';
import { hostOf, lookAtCamera } from './look-camera.ts';
import { lookAtCertificate } from './look-certificate.ts';
import { lookAtDisk } from './look-disk.ts';
import { lookAtDatabaseModule, lookAtFfmpeg, lookAtMachine, lookAtTimeServer } from './look-machine.ts';
import { lookAtPort } from './look-port.ts';
import { lookAtStore } from './look-store.ts';
import { within } from './within.ts';

export type DoctorDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  readonly api: Pick<ApiClient, 'call'>;
  /** Made when it is looked at: its settings may be wrong. */
  readonly openStore: () => Promise<ObjectStore>;
  /** Cameras with their credentials, and what could not be read of them. */
  readonly readPlan: () => Promise<{ readonly plan: Plan; readonly troubles: readonly string[] }>;
  /** Told of each finding as it is made. */
  readonly onFindings: (findings: readonly Finding[]) => void;
};

/** Whose configuration is looked at by: what the running appliance has, or what a command was told. */
export type ConfigOrigin = 'running' | 'command';

export type DoctorOptions = {
  readonly config: Config;
  readonly paths: Paths;
  readonly configOrigin: ConfigOrigin;
  /** Whether this process can log into every bucket: a secret key may stand in the environment of the appliance alone. */
  readonly isStoreKeyHere: boolean;
  /** Why the configuration is not the one that was meant; undefined when it is. */
  readonly configFault: { readonly message: string; readonly hint: string | undefined } | undefined;
};

/** A dead mount answers nobody; a disk that answers within this is slow at most. */
const diskMs = 8_000;
const nameMs = 5_000;
const programMs = 8_000;
const databaseMs = 10_000;
const storeMs = 12_000;
const cameraMs = 11_000;

/** All looks run beside each other. Resolves when the last is over. */
export async function lookAtEverything(
  deps: DoctorDeps,
  options: DoctorOptions,
): Promise<{ readonly isRunning: boolean }> {
  const { clock, onFindings } = deps;
  const { config, paths } = options;
  const looks: Promise<void>[] = [];
  /** One look; its failure is a finding too. */
  const look = (
    area: Area,
    subject: string,
    timeoutMs: number,
    work: (signal: AbortSignal) => Promise<readonly Finding[]>,
  ) => {
    const done = within(clock, timeoutMs, work).then(onFindings, (error: unknown) => {
      onFindings(verdictsOf(area, subject).unchecked(`could not be looked at: ${toAppError(error).message}`));
    });
    looks.push(done);
  };
  onFindings(judgeConfiguration(options));
  const planning = within(clock, diskMs, deps.readPlan).catch((error: unknown) => ({
    plan: { version: 2, sources: [], devices: [] } satisfies Plan as Plan,
    troubles: [toAppError(error).message],
  }));
  const asking: Promise<ApplianceLook> = lookAtAppliance(deps);
  const module = lookAtDatabaseModule();

  look('machine', 'machine', programMs, async () =>
    judgeMachine(await lookAtMachine((await planning).plan.sources.length)),
  );
  look('machine', 'better-sqlite3', programMs, async () => judgeModule('better-sqlite3', await module));
  look('ffmpeg', config.ffmpegPath, programMs, async (signal) =>
    judgeFfmpeg(await lookAtFfmpeg(config.ffmpegPath, signal)),
  );
  look('appliance', 'weir', programMs, async () => judgeAppliance((await asking).answer));
  look('appliance', 'NATS', 1_000, async () => verdictsOf('appliance', 'NATS').unchecked('is not configured'));
  looks.push(lookAtDisks(deps, options));
  for (const question of portsOf(config, planning, asking)) {
    look('port', question.subject, programMs, async () => judgePort(await question.look()));
  }
  look('certificate', config.tls.mode, programMs, async () => certificateFindings(options, clock.wallMs()));

  const reading = (name: 'catalog' | 'index', path: string, isChecked: boolean): Promise<DatabaseAnswer> =>
    module.then((fault) => {
      if (fault !== undefined) throw new Error(fault);
      return readDatabase(clock, { name, path, isChecked }, databaseMs);
    });
  for (const [name, path] of [
    ['catalog', paths.catalog],
    ['index', paths.index],
  ] as const) {
    look('database', path, databaseMs + 3_000, () => databaseFindings(name, path, reading));
  }
  look('clock', 'this machine', programMs, async (signal) => {
    const [server, index] = await Promise.all([
      lookAtTimeServer(signal),
      reading('index', paths.index, false).catch(() => undefined),
    ]);
    return judgeClock({ nowMs: clock.wallMs(), newestFootageMs: index?.newestFootageMs, ...server });
  });
  look('store', 'object store', storeMs, () => storeFindings(deps, options));

  const { plan, troubles } = await planning;
  onFindings(
    troubles.flatMap((text) =>
      verdictsOf('camera', 'plan').fault(
        'plan-unwritten',
        text,
        'bring the site key or state/plan.json back from a backup, or enter the passwords anew',
      ),
    ),
  );
  const catalog = await reading('catalog', paths.catalog, false).catch(() => undefined);
  for (const [host, users] of namesOf(config, plan, catalog?.webhookOrigins ?? [])) {
    look('name', host, nameMs + 1_000, async () => [...judgeName(await resolved(clock, host, users))]);
  }
  const addresses = new AddressPolicy({ networks: config.cameras.allowedNetworks });
  const { states } = await asking;
  for (const planned of plan.sources) {
    const device = plan.devices.find(({ cameraId }) => planned.role === 'main' && cameraId === planned.cameraId);
    look('camera', planned.name, cameraMs, async () =>
      judgeCamera(await lookAtCamera({ ...deps, addresses }, { planned, device, state: states.get(planned.streamId) })),
    );
  }
  await Promise.all(looks);
  const { answer } = await asking;
  return { isRunning: answer.kind !== 'off' };
}

function judgeConfiguration({ config, configOrigin, configFault }: DoctorOptions): readonly Finding[] {
  const verdicts = verdictsOf('configuration', config.dataDirectory);
  if (configFault === undefined) return verdicts.ok('is whole');
  const used =
    configOrigin === 'running'
      ? 'Weir still runs with what it was started with, which is told of below, and would not start again'
      : 'what follows is told of the defaults';
  return verdicts.fault(
    'config-wrong',
    `${configFault.message}; ${used}`,
    configFault.hint ?? 'correct it: docker/weir.sample.yaml explains every key',
  );
}

/** Places with one path are one; each has a deadline of its own, since each may be a dead mount. */
async function lookAtDisks({ clock, onFindings }: DoctorDeps, { config, paths }: DoctorOptions): Promise<void> {
  const places = new Map<string, PlaceName[]>();
  const add = (path: string, place: PlaceName) => places.set(path, [...(places.get(path) ?? []), place]);
  add(paths.data, 'data');
  add(join(paths.journalOpen, '..'), 'journal');
  for (const path of paths.journalSpares) add(path, 'spare journal');
  const { stores } = config.objects;
  if (stores.length > 0) for (const { directory } of stores) directory === undefined || add(directory, 'objects');
  else if (config.objects.kind === 'directory') add(paths.objects, 'objects');
  const found = await Promise.all(
    [...places].map(async ([path, names]): Promise<DiskFacts[]> => {
      try {
        const facts = await within(clock, diskMs, () => lookAtDisk(clock, { path, places: names }));
        onFindings(judgeDisk(facts));
        return [facts];
      } catch (error) {
        onFindings(judgeStuckDisk(path, diskMs / 1000, toAppError(error)));
        return [];
      }
    }),
  );
  onFindings(judgeSharing(found.flat()));
}

function portsOf(config: Config, planning: Promise<{ readonly plan: Plan }>, asking: Promise<ApplianceLook>) {
  const hasPublishers = async () => (await planning).plan.sources.some(({ source }) => source.kind === 'rtmp');
  const ports = [
    {
      purpose: 'page and API',
      key: 'listen.port',
      port: config.listen.port,
      address: config.listen.address,
      isUsed: true,
      isOpen: async () => true,
    },
    {
      purpose: 'RTSP',
      key: 'rtsp.port',
      port: config.rtsp.port,
      address: config.rtsp.address,
      isUsed: config.rtsp.enabled,
      isOpen: async () => true,
    },
    {
      purpose: 'RTMP',
      key: 'rtmp.port',
      port: config.rtmp.port,
      address: config.rtmp.address,
      isUsed: config.rtmp.enabled,
      isOpen: hasPublishers,
    },
    {
      purpose: 'WebRTC',
      key: 'webrtc.port',
      port: config.webrtc.port,
      address: config.webrtc.address,
      isUsed: config.webrtc.enabled,
      isOpen: async () => (await asking).isWebRtcReady,
    },
  ];
  return ports
    .filter(({ port, isUsed }) => isUsed && port !== 0)
    .map(({ purpose, key, port, address = config.listen.address, isOpen }) => ({
      subject: `${port} (${purpose})`,
      look: async () => {
        const { answer, pids } = await asking;
        const isExpected = answer.kind === 'running' && (await isOpen());
        return lookAtPort({ purpose, key, port, address, isExpected }, pids);
      },
    }));
}

async function certificateFindings({ config, paths }: DoctorOptions, nowMs: number): Promise<readonly Finding[]> {
  const { mode, certificateFile, keyFile } = config.tls;
  const verdicts = verdictsOf('certificate', mode);
  if (mode === 'plain') return verdicts.unchecked('there is none: tls.mode is plain');
  const [ownCertificate, ownKey] = ownServerPaths(paths.tls);
  const wanted = config.publicUrl === undefined ? [] : [new URL(config.publicUrl).hostname];
  const isOwn = mode === 'own';
  const facts = await lookAtCertificate({
    certificateFile: isOwn ? ownCertificate : (certificateFile ?? ''),
    keyFile: isOwn ? ownKey : (keyFile ?? ''),
    // Behind a proxy others see the proxy's certificate.
    ...{ nowMs, isOwn, namesWanted: isOwn ? [] : wanted },
  });
  return facts === undefined ? verdicts.unchecked('is made at the first start') : judgeCertificate(facts);
}

async function databaseFindings(
  name: 'catalog' | 'index',
  path: string,
  read: (name: 'catalog' | 'index', path: string, isChecked: boolean) => Promise<DatabaseAnswer>,
): Promise<readonly Finding[]> {
  const { stat } = await import('node:fs/promises');
  const file = await stat(path).catch(() => undefined);
  const none = {
    name,
    path,
    isThere: file !== undefined,
    error: undefined,
    check: undefined,
    version: 0,
    byteLength: file?.size ?? 0,
  };
  if (file === undefined) return judgeDatabase(none);
  try {
    const { version, check } = await read(name, path, true);
    return judgeDatabase({ ...none, version, check });
  } catch (error) {
    const { code, message } = toAppError(error);
    if (code === 'deadline_exceeded') return judgeDatabase(none);
    return judgeDatabase({ ...none, error: error instanceof Error ? error.message : message });
  }
}

async function storeFindings(
  { clock, openStore }: DoctorDeps,
  { config, paths, configOrigin, isStoreKeyHere }: DoctorOptions,
): Promise<readonly Finding[]> {
  const { kind, s3, stores } = config.objects;
  const names = stores.map((store) => store.name).join(', ');
  const one = kind === 's3' ? `s3 ${s3.endpoint}/${s3.bucket}` : paths.objects;
  const name = stores.length > 0 ? `stores ${names}` : one;
  if (configOrigin === 'running' && !isStoreKeyHere) {
    return verdictsOf('store', name).unchecked(
      'its secret key stands in the environment of the running Weir alone, which looks at it itself: GET /api/system/doctor',
    );
  }
  const isDirectory = stores.length === 0 && kind === 'directory';
  const isMade =
    !isDirectory ||
    (await access(paths.objects).then(
      () => true,
      () => false,
    ));
  try {
    const store = await openStore();
    try {
      return judgeStore(await lookAtStore({ clock, store }, { name, isMade }));
    } finally {
      await store.close();
    }
  } catch (error) {
    const { code, message, hint } = toAppError(error);
    return judgeStore({ name, isMade: true, failed: { step: 'reach', code, message, hint }, durationMs: 0 });
  }
}

/** Names that must resolve, and who needs them; addresses need nobody. */
function namesOf(config: Config, plan: Plan, webhookOrigins: readonly string[]): Map<string, string[]> {
  const names = new Map<string, string[]>();
  const add = (host: string, user: string) => {
    const isName = host !== '' && isIP(host.replace(/^\[|\]$/g, '')) === 0;
    if (isName) names.set(host, [...new Set([...(names.get(host) ?? []), user])]);
  };
  for (const { name, source } of plan.sources) if (source.kind === 'rtsp') add(hostOf(source.url), `camera ${name}`);
  for (const { name, url } of plan.devices) add(hostOf(url), `camera ${name}`);
  for (const { endpoint } of [config.objects.s3, ...config.objects.stores.map(({ s3 }) => s3)]) {
    if (endpoint !== undefined) add(hostOf(endpoint), 'object store');
  }
  for (const origin of webhookOrigins) add(hostOf(origin), 'webhooks');
  return names;
}

async function resolved(clock: Clock, host: string, users: readonly string[]) {
  try {
    const found = await within(clock, nameMs, () => lookup(host, { all: true }));
    return { host, users, error: undefined, addresses: found.map(({ address }) => address) };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    return { host, users, error: code === '' ? toAppError(error).message : code, addresses: [] };
  }
}
