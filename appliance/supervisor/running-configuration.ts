/**
 * The configuration that the running appliance has, left in `run/configuration.json` for commands on the same data directory: one
 * that was started with flags or with an environment has another than they would read. It is believed only while the process that
 * wrote it holds the supervisor's lock, so one that a killed appliance left behind misleads nobody. It holds no secret: those stand
 * in files, which it names, or in the environment, and what a URL says of a login is left out.
 */

import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../storage/base/clock.ts';
import { errnoOf } from '../../storage/base/errors.ts';
import { writeFileAtomic } from '../../storage/base/files.ts';
import type { Log } from '../../storage/base/log.ts';
import { type Config, readConfig } from '../config/index.ts';
import { holderOf } from './instance-lock.ts';

/** Held by the supervisor beside those of its roles: a role that runs alone leaves no configuration. */
export const supervisorLock = 'supervisor';

/** A configuration with all its lists full has a tenth of this. */
const fileBytesMax = 1024 * 1024;

export class RunningConfiguration {
  readonly #log: Log;
  readonly #path: string;
  readonly #config: Config;
  #writing: Promise<void> = Promise.resolve();

  constructor(deps: { readonly log: Log }, options: { readonly config: Config; readonly runDirectory: string }) {
    this.#log = deps.log;
    this.#config = options.config;
    this.#path = pathIn(options.runDirectory);
  }

  /** Resolves when it is there, or could not be written, which is logged: nothing but commands needs it. */
  start(): Promise<void> {
    this.#writing = this.#replace().catch((error: unknown) => {
      this.#log.warn('the configuration could not be left for commands, which take their own', { error });
    });
    return this.#writing;
  }

  async close(): Promise<void> {
    await this.#writing;
    await remove(this.#path).catch(() => {});
  }

  /** An older one goes first: on a disk that is full it must not stay. */
  async #replace(): Promise<void> {
    await remove(this.#path);
    const left = { processId: process.pid, configuration: withoutLogin(this.#config) };
    await writeFileAtomic(this.#path, `${JSON.stringify(left, undefined, 2)}\n`, { mode: 0o600 });
  }
}

/** Undefined when no supervisor runs there, when it left none, or one that this version cannot read. */
export async function readRunningConfiguration(
  deps: { readonly clock: Clock },
  options: { readonly runDirectory: string },
): Promise<Config | undefined> {
  const { runDirectory } = options;
  const holder = await holderOf(deps, { runDirectory, role: supervisorLock });
  if (holder === undefined) return undefined;
  const left = await readLeft(pathIn(runDirectory));
  // A supervisor that is stopped in a debugger holds the lock and does not say who it is.
  const isItsOwn = holder === '' || holder === String(left?.processId);
  return isItsOwn ? readConfig(left?.configuration) : undefined;
}

async function readLeft(
  path: string,
): Promise<{ readonly processId?: unknown; readonly configuration?: unknown } | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      if (size > fileBytesMax) return undefined;
      const value: unknown = JSON.parse(await file.readFile('utf8'));
      return typeof value === 'object' && value !== null ? value : undefined;
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}

function pathIn(runDirectory: string): string {
  return join(runDirectory, 'configuration.json');
}

function withoutLogin(config: Config): Config {
  if (config.publicUrl === undefined) return config;
  const url = new URL(config.publicUrl);
  if (`${url.username}${url.password}` === '') return config;
  url.username = '';
  url.password = '';
  return { ...config, publicUrl: url.href };
}

async function remove(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error;
  });
}
