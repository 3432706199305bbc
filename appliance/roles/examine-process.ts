/** The process that looks at the appliance for `examine.ts`: one question, then it is ended. It changes nothing that it looks at. */

import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { traceSource } from '../../gateway/rtsp/index.ts';
import { AddressPolicy } from '../../storage/base/address-policy.ts';
import { fractionOf } from '../../storage/base/chance.ts';
import { systemClock } from '../../storage/base/clock.ts';
import { appError, toAppError } from '../../storage/base/errors.ts';
import { createLog } from '../../storage/base/log.ts';
import type { Plan } from '../../storage/model/camera.ts';
import { ApiClient } from '../api-client/index.ts';
import type { Config } from '../config/index.ts';
import { type DatabaseAnswer, examine, type Finding, readDatabase } from '../doctor/index.ts';
import { cameraPurpose, type SecretBox, SiteKey } from '../secrets/index.ts';
import { readPlan } from '../supervisor/index.ts';
import { collect, traced } from '../support/index.ts';
import type { CheckQuestion, DoctorQuestion, ExamineAnswer, ExamineQuestion, SupportQuestion } from './examine.ts';
import { lacksSecretKey, objectStoreOf } from './object-store.ts';
import { installDirectory, pathsOf, siteKeyPath } from './setting-paths.ts';

/** Answers the one question of its parent, who ends it. */
export function runExamineProcess(): void {
  process.once('disconnect', () => process.exit(1));
  process.once('message', (question: ExamineQuestion) => {
    answer(question).then(
      (result) => say({ type: 'done', result }),
      (error: unknown) => {
        const { code, message, hint } = toAppError(error);
        say({ type: 'failed', code, message, hint });
      },
    );
  });
}

function answer(question: ExamineQuestion): Promise<unknown> {
  switch (question.kind) {
    case 'doctor':
      return diagnose(question, (findings) => say({ type: 'findings', findings }));
    case 'support':
      return support(question);
    case 'check':
      return check(question);
  }
}

const log = createLog({ level: 'silent' });

function diagnose(
  { config, configOrigin, configFault }: DoctorQuestion,
  onFindings: (findings: readonly Finding[]) => void,
): Promise<{ readonly isRunning: boolean }> {
  const paths = pathsOf(config);
  return examine(
    {
      ...{ clock: systemClock, log, random: randomBytes },
      api: new ApiClient({ runDirectory: paths.run }),
      openStore: () => objectStoreOf({ clock: systemClock, log }, { config, paths, environment: process.env }),
      readPlan: () => readSitePlan(config),
      onFindings,
    },
    { config, paths, configOrigin, configFault, isStoreKeyHere: !lacksSecretKey(config, process.env) },
  );
}

async function support({ config, configOrigin, ...wishes }: SupportQuestion): Promise<void> {
  const paths = pathsOf(config);
  const { plan } = await readSitePlan(config);
  if (wishes.camera !== undefined && traced(plan, wishes.camera).length === 0) {
    throw appError('not_found', `no camera is called ${wishes.camera}, or it publishes to us`, {});
  }
  const read = (name: 'catalog' | 'index') => () =>
    readDatabase(systemClock, { name, path: paths[name], isChecked: false }, databaseMs);
  const addresses = new AddressPolicy({ networks: config.cameras.allowedNetworks });
  await collect(
    {
      ...{ clock: systemClock, plan },
      api: new ApiClient({ runDirectory: paths.run }),
      secrets: await knownSecrets(config, read('catalog')),
      databases: { catalog: read('catalog'), index: read('index') },
      doctor: async () => {
        const findings: Finding[] = [];
        const question = { kind: 'doctor', config, configOrigin, configFault: undefined } as const;
        await diagnose(question, (found) => findings.push(...found));
        return findings;
      },
      trace: ({ source }, durationMs) =>
        source.kind === 'rtsp'
          ? traceSource({ clock: systemClock, log, random: fractionOf(randomBytes) }, source, { durationMs, addresses })
          : Promise.resolve(''),
      onText: (text) => say({ type: 'text', text }),
    },
    { config, configOrigin, paths, installDirectory, ...wishes },
  );
}

/** Whatever we can know of secrets beside passwords of cameras: it is taken out of every text. */
async function knownSecrets(config: Config, readCatalog: () => Promise<DatabaseAnswer>): Promise<string[]> {
  const { s3, stores } = config.objects;
  const buckets = [s3, ...stores.map((store) => store.s3)];
  const read = (path: string) => readFile(path, 'utf8').catch(() => '');
  const keys = (await read(siteKeyPath(config))).split(/\s+/);
  const files = await Promise.all(buckets.flatMap(({ secretKeyFile }) => secretKeyFile ?? []).map(read));
  const catalog = await readCatalog().catch(() => undefined);
  const box = await siteBox(config, 'webhook');
  const targets = (catalog?.sealedTargets ?? []).flatMap((sealed) => {
    try {
      return [box.unseal(sealed)];
    } catch {
      return [];
    }
  });
  // Of an address its path is the secret as often as not.
  const addresses = targets.filter((target) => URL.canParse(target)).map((target) => new URL(target));
  const parts = addresses.flatMap(({ pathname, search }) => [pathname.slice(1), search.slice(1)]);
  return [
    ...files.map((text) => text.trim()),
    ...buckets.flatMap(({ accessKey }) => accessKey ?? []),
    process.env.WEIR_OBJECTS_S3_SECRET_KEY ?? '',
    ...keys.filter((word) => word.length >= siteKeyCharacters),
    ...targets,
    ...parts.filter((part) => part.length >= secretPartCharactersMin),
  ];
}

/** 32 bytes in base64. */
const siteKeyCharacters = 44;
/** Shorter parts of addresses are words: `hook`. */
const secretPartCharactersMin = 8;

async function check({ config, level }: CheckQuestion): Promise<unknown> {
  const paths = pathsOf(config);
  const deps = { clock: systemClock, log };
  const { check: checkAll } = await import('../../storage/keeper/index.ts');
  const store = await objectStoreOf(deps, { config, paths, environment: process.env });
  const { signal } = new AbortController();
  let toldMs = Number.NEGATIVE_INFINITY;
  const onProgress = (progress: Extract<ExamineAnswer, { type: 'progress' }>['progress']) => {
    if (systemClock.monotonicMs() - toldMs < progressMs) return;
    toldMs = systemClock.monotonicMs();
    say({ type: 'progress', progress });
  };
  return checkAll({ ...deps, store }, { paths, level, signal, onProgress });
}

const progressMs = 500;
const databaseMs = 10_000;

/** Never makes a site key: without one no password opens, which is said. */
async function readSitePlan(config: Config): Promise<{ readonly plan: Plan; readonly troubles: readonly string[] }> {
  const troubles: string[] = [];
  const notes = createLog({
    level: 'error',
    destination: {
      write: (line) => {
        const { event, error } = JSON.parse(line) as { event: string; error?: { message?: string } };
        troubles.push(error?.message === undefined ? event : `${event} (${error.message})`);
      },
    },
  });
  const box = await siteBox(config, cameraPurpose);
  const plan = await readPlan(pathsOf(config).plan, { box, log: notes });
  return { plan, troubles };
}

async function siteBox(config: Config, purpose: string): Promise<SecretBox> {
  const path = siteKeyPath(config);
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  if (isThere) return (await SiteKey.open(path, randomBytes)).box(purpose);
  const refuse = () => {
    throw appError('failed_precondition', `there is no site key at ${path}`, {});
  };
  return { seal: refuse, unseal: refuse };
}

function say(message: ExamineAnswer): void {
  process.send?.(message, undefined, undefined, () => {});
}
