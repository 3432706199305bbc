/**
 * The worker of WebRTC: built in the background of a start and of the tests, once per user and version, by one process at a time. An
 * appliance that runs meanwhile finds it when it is ready. `node appliance/setup/mediasoup.mjs` prints the path of the program on standard
 * output and how far the build is on standard error; ends with 3 where something is missing that it cannot install.
 */

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import process, { argv, env } from 'node:process';
import { fileURLToPath } from 'node:url';
import { aptCommand, howToInstall, installPackages, missingOf } from './distribution.mjs';
import { workerPackage, workerPlaces, workerThere, workerTools, workerVersion } from './mediasoup-place.mjs';
import { makeWorker } from './mediasoup-recipe.mjs';
import { say } from './progress.mjs';

const script = fileURLToPath(import.meta.url);
const buildWord = 'build';
const exitCodeNone = 3;
const exitCodeLocked = 75;
/** What the program ends with where nobody speaks to it: it could be loaded, with all its libraries. */
const exitCodeOfWorker = 41;
const programCheckMs = 10_000;
/** It is not to take from recordings what they need. */
const niceness = 10;
const stateEveryMs = 1_000;

/**
 * Begins to build the worker where it is missing, and resolves when there is nothing left to do, also where that failed: `serve` and the
 * tests that need it say why. Costs a look at one file where it is there.
 *
 * @param options.sayEveryMs  how often it is said how far the build is
 */
export async function startWorkerBuild({ sayEveryMs }) {
  if (env.MEDIASOUP_WORKER_BIN) return;
  const there = workerThere();
  if (there !== undefined && (await runs(there))) return;
  await buildUnderLock(sayEveryMs).catch((error) => say(error.message));
}

/**
 * Runs the builder under a lock that ends with the last process that holds it, however that ends.
 * Resolves with the builder's exit code.
 */
async function buildUnderLock(sayEveryMs) {
  const { folder, lock } = workerPlaces();
  mkdirSync(join(folder, '..'), { recursive: true });
  const command = [lock, process.execPath, script, buildWord, String(sayEveryMs)];
  // What else is missing is said by the builder, which has to be started for that.
  if (missingOf(workerTools).includes('util-linux')) return exitCodeOf(command.slice(1));
  const code = await exitCodeOf([
    'flock',
    '--no-fork',
    '--nonblock',
    '--conflict-exit-code',
    `${exitCodeLocked}`,
    ...command,
  ]);
  if (code !== exitCodeLocked) return code;
  say('the WebRTC worker is being built by another process: waiting for it');
  return exitCodeOf(['flock', '--no-fork', ...command]);
}

function exitCodeOf([command, ...args]) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    const stop = () => child.kill();
    process.once('exit', stop);
    child.once('error', reject);
    child.once('close', (code) => {
      process.off('exit', stop);
      resolve(code ?? 1);
    });
  });
}

/** The builder itself, alone by its lock. Returns the exit code. */
async function build(sayEveryMs) {
  const there = workerThere();
  if (there !== undefined && (await runs(there))) return 0;
  setPriority(niceness);
  const places = workerPlaces();
  // Of a distribution that was upgraded since.
  rmSync(places.program, { force: true });
  const progress = new Progress(places.state, sayEveryMs);
  try {
    const reason = await whyNoTools(progress);
    if (reason !== undefined) {
      progress.fail(reason);
      return exitCodeNone;
    }
    progress.begin();
    const onStep = (done, total) => progress.step(done, total);
    const made = await makeWorker({ directory: places.building, workerPackage, onStep });
    if (!(await runs(made))) throw new Error('the program that was built does not run');
    mkdirSync(places.folder, { recursive: true });
    renameSync(made, places.program);
    progress.end();
    rmSync(places.building, { recursive: true, force: true });
    return 0;
  } catch (error) {
    say(error.message);
    const [last] = error.message.split('\n').slice(-1);
    progress.fail(`the WebRTC worker cannot be built: ${last} (node appliance/setup/mediasoup.mjs shows more)`);
    return 1;
  } finally {
    progress.close();
  }
}

/** Installs what the build takes; why that is not possible, or undefined. */
async function whyNoTools(progress) {
  if (!existsSync(join(workerPackage, 'worker', 'meson.build')))
    return 'the WebRTC worker cannot be built: the npm package mediasoup is not installed';
  const missing = missingOf(workerTools);
  if (missing.length === 0) return undefined;
  const apt = aptCommand();
  if (apt !== undefined) {
    progress.say(`installing ${missing.join(', ')}`);
    await installPackages(apt, missing);
  }
  const still = missingOf(workerTools);
  if (still.length === 0) return undefined;
  return `the WebRTC worker cannot be built, ${still.join(', ')} ${still.length === 1 ? 'is' : 'are'} missing; ${howToInstall(still)}`;
}

/** How far it is: for people on standard error, for the appliance in a file. */
class Progress {
  #path;
  #done = 0;
  #total = 0;
  #doing = '';
  #beganMs = performance.now();
  #saying;
  #writing;

  constructor(path, sayEveryMs) {
    this.#path = path;
    this.#saying = setInterval(() => say(`WebRTC worker: ${this.#text()}`), sayEveryMs);
    this.#writing = setInterval(() => this.#write('building'), stateEveryMs);
  }

  say(what) {
    this.#doing = what;
    this.#write('building');
    say(`WebRTC worker: ${what}`);
  }

  begin() {
    this.say(`building mediasoup ${workerVersion()} in the background, 4 to 6 minutes on 2 cores, once`);
    this.#doing = 'preparing';
  }

  step(done, total) {
    this.#done = done;
    this.#total = total;
  }

  fail(reason) {
    this.close();
    this.#doing = reason;
    this.#write('failed');
    say(reason);
  }

  end() {
    this.close();
    rmSync(this.#path, { force: true });
    say(`WebRTC worker: built in ${this.#seconds()} s`);
  }

  close() {
    clearInterval(this.#saying);
    clearInterval(this.#writing);
  }

  #text() {
    const what = this.#total > 0 ? `${this.#done} of ${this.#total} steps` : this.#doing;
    return `${what}, ${this.#seconds()} s so far`;
  }

  #seconds() {
    return Math.round((performance.now() - this.#beganMs) / 1_000);
  }

  #write(state) {
    const told = { state, pid: process.pid, done: this.#done, total: this.#total, reason: this.#doing };
    writeFileSync(`${this.#path}.new`, JSON.stringify(told));
    renameSync(`${this.#path}.new`, this.#path);
  }
}

/** True when the program can be loaded on this machine. */
function runs(path) {
  return new Promise((resolve) => {
    const { MEDIASOUP_VERSION: _, ...environment } = env;
    const child = spawn(path, { env: environment, stdio: 'ignore', timeout: programCheckMs });
    child.once('error', () => resolve(false));
    child.once('close', (code) => resolve(code === exitCodeOfWorker));
  });
}

async function main() {
  const there = workerThere();
  if (there === undefined || !(await runs(there))) {
    if (env.MEDIASOUP_WORKER_BIN) {
      say(`MEDIASOUP_WORKER_BIN names ${env.MEDIASOUP_WORKER_BIN}, which does not run`);
      return 1;
    }
    const code = await buildUnderLock(15_000);
    if (code !== 0) return code;
  }
  process.stdout.write(`${workerThere()}\n`);
  return 0;
}

if (argv[1] !== undefined && realpathSync(argv[1]) === script) {
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
  process.exitCode = argv[2] === buildWord ? await build(Number(argv[3])) : await main();
}
