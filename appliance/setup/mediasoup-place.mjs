/**
 * Where the worker of WebRTC (mediasoup's) lies, and how far its build is: for the launcher, the builder and the role `serve`. In this
 * order: what MEDIASOUP_WORKER_BIN names; the cache of this user, where `mediasoup.mjs` builds it; what mediasoup's own script
 * left in its package.
 */

import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import process, { env } from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The npm package, with the worker's sources in it. */
export const workerPackage = join(root, 'node_modules', 'mediasoup');

/** What building it takes, named as in Debian, each with what only that package brings. */
export const workerTools = [
  { name: 'g++', commands: ['g++'] },
  { name: 'meson', commands: ['meson'] },
  { name: 'ninja-build', commands: ['ninja'] },
  { name: 'pkg-config', commands: ['pkg-config'] },
  { name: 'patch', commands: ['patch'] },
  { name: 'util-linux', commands: ['flock'] },
  { name: 'libuv1-dev', module: 'libuv' },
  { name: 'libssl-dev', module: 'openssl' },
  { name: 'libsrtp2-dev', module: 'libsrtp2' },
  // Its module of pkg-config stands in the package of the library.
  { name: 'libflatbuffers-dev', file: '/usr/include/flatbuffers/flatbuffers.h' },
  { name: 'flatbuffers-compiler', commands: ['flatc'] },
  { name: 'libabsl-dev', module: 'absl_optional' },
];

/** The version that package.json pins, so that it is known before packages are installed. */
export function workerVersion() {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).dependencies.mediasoup;
}

/** Everything that the builder keeps, beside one another in the cache. */
export function workerPlaces(environment = env) {
  const cache = environment.XDG_CACHE_HOME || join(homedir(), '.cache');
  const folder = join(cache, 'weir', `mediasoup-worker-${workerVersion()}`);
  return {
    folder,
    program: join(folder, 'mediasoup-worker'),
    /** The broken-off or running build. */
    building: `${folder}.building`,
    lock: `${folder}.lock`,
    state: `${folder}.state.json`,
  };
}

/** The program if it is there already, or undefined. */
export function workerThere(environment = env) {
  const named = environment.MEDIASOUP_WORKER_BIN;
  if (named) return isProgram(named) ? named : undefined;
  return [workerPlaces(environment).program, join(workerPackage, 'worker', 'out', 'Release', 'mediasoup-worker')].find(
    isProgram,
  );
}

/** What people are told while it is not there. */
export function whyNoWorker(environment = env) {
  const named = environment.MEDIASOUP_WORKER_BIN;
  if (named) return { state: 'missing', reason: `MEDIASOUP_WORKER_BIN names ${named}, which is no program` };
  const build = readState(workerPlaces(environment).state);
  if (build === undefined)
    return { state: 'missing', reason: 'the WebRTC worker is not installed: npm start builds it in the background' };
  if (build.state === 'failed') return { state: 'missing', reason: build.reason };
  if (!isAlive(build.pid))
    return { state: 'missing', reason: 'the build of the WebRTC worker was broken off: npm start goes on with it' };
  const steps = build.total > 0 ? `${build.done} of ${build.total} steps` : build.reason;
  return {
    state: 'building',
    reason: `the WebRTC worker is being built, ${steps}; live view goes other ways until then`,
  };
}

function isProgram(path) {
  try {
    const found = statSync(path);
    return found.isFile() && (found.mode & 0o111) !== 0;
  } catch {
    // Not there, or in a folder that is not ours to look into.
    return false;
  }
}

/** What the builder wrote; undefined when there is nothing that can be read. */
function readState(path) {
  try {
    const { state, pid, done, total, reason } = JSON.parse(readFileSync(path, 'utf8'));
    return { state, pid: Number(pid), done: Number(done), total: Number(total), reason: String(reason) };
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
