/**
 * A MinIO server for the tests: the one in PATH, else built from its Go module, since its makers ship no binaries. Built once
 * per user into the cache directory, by one process at a time. `node appliance/setup/minio.mjs` prints the path of the program on
 * standard output and how far the build is on standard error; ends with 3 where there is neither a `minio` nor a Go to build it.
 */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import process, { argv, env } from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { commandPath } from './command-path.mjs';
import { say } from './progress.mjs';

const module = 'github.com/minio/minio';
const version = 'v0.0.0-20260212201848-7aac2a2c5b7c';
const goMinorMin = 24;
/** What `go list -deps` counts, with Go's own. A warm build cache compiles fewer. */
const packagesExpected = 1_301;
const sayEveryMs = 15_000;
const lookEveryMs = 500;

export const exitCodeNone = 3;

/** Where the build lands. */
export function minioCachePath(environment = env) {
  const cache = environment.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(cache, 'weir', `minio-${version}`, 'minio');
}

/** The program if it is there already, or undefined. */
export function minioThere(environment = env) {
  const cached = minioCachePath(environment);
  return commandPath('minio', environment) ?? (existsSync(cached) ? cached : undefined);
}

/** Why it can't be built here, or undefined when it can. */
export function whyNoBuild(environment = env) {
  const go = spawnSync('go', ['version'], { encoding: 'utf8', env: environment });
  if (go.error !== undefined || go.status !== 0) return 'there is neither a minio nor a Go to build it';
  const [, major, minor] = /go(\d+)\.(\d+)/.exec(go.stdout) ?? [];
  if (Number(major) > 1 || Number(minor) >= goMinorMin) return undefined;
  return `there is no minio, and to build it takes Go 1.${goMinorMin} (this one is ${major}.${minor})`;
}

/** Builds it, or waits for the process that is building it. Rejects with the end of the compiler's output. */
export async function buildMinio() {
  const target = minioCachePath();
  const folder = join(target, '..');
  mkdirSync(join(folder, '..'), { recursive: true });
  const release = await lock(`${folder}.lock`, () => existsSync(target));
  if (release === undefined) return target;
  const beside = `${folder}.building`;
  try {
    rmSync(beside, { recursive: true, force: true });
    mkdirSync(beside);
    await compile(beside);
    rmSync(folder, { recursive: true, force: true });
    renameSync(beside, folder);
    return target;
  } finally {
    release();
  }
}

/** The right to build, or undefined when somebody else finished. A lock whose owner died is taken over. */
async function lock(path, isDone) {
  for (let isSaid = false; ; ) {
    if (isDone()) return undefined;
    try {
      writeFileSync(path, `${process.pid}`, { flag: 'wx' });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const owner = Number(readOrEmpty(path));
    if (owner > 0 && !isAlive(owner)) rmSync(path, { force: true });
    else if (!isSaid) {
      isSaid = true;
      say(`minio is being built by process ${owner}: waiting for it`);
    }
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}

function compile(directory) {
  say(`minio ${version}: building it with Go, about 3 minutes on 2 cores, once`);
  return new Promise((resolve, reject) => {
    const child = spawn('go', ['install', '-v', '-trimpath', `${module}@${version}`], {
      env: { ...env, GOBIN: directory, GOFLAGS: '' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const stop = () => child.kill();
    process.once('exit', stop);
    let downloaded = 0;
    let compiled = 0;
    const tail = [];
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (line.startsWith('go: downloading ')) downloaded++;
      else compiled++;
      tail.push(line);
      if (tail.length > 20) tail.shift();
    });
    const begin = performance.now();
    const timer = setInterval(() => {
      const seconds = Math.round((performance.now() - begin) / 1_000);
      const done = `${compiled} of at most ${packagesExpected} packages compiled`;
      say(`minio: ${compiled === 0 ? `${downloaded} modules downloaded` : done}, ${seconds} s so far`);
    }, sayEveryMs);
    child.once('error', reject);
    child.once('close', (code) => {
      clearInterval(timer);
      process.off('exit', stop);
      if (code !== 0) return reject(new Error([...tail, `go install ended with code ${code}`].join('\n')));
      say(`minio: built in ${Math.round((performance.now() - begin) / 1_000)} s`);
      resolve();
    });
  });
}

function readOrEmpty(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

async function main() {
  const there = minioThere();
  if (there !== undefined) return process.stdout.write(`${there}\n`);
  const reason = whyNoBuild();
  if (reason !== undefined) {
    say(reason);
    process.exitCode = exitCodeNone;
    return undefined;
  }
  return process.stdout.write(`${await buildMinio()}\n`);
}

if (argv[1] !== undefined && realpathSync(argv[1]) === fileURLToPath(import.meta.url)) {
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
  await main().catch((error) => {
    say(`minio cannot be built\n${error.message}`);
    process.exitCode = 1;
  });
}
