/**
 * How mediasoup's worker is made of the sources in its npm package and the libraries of the distribution, without downloading
 * anything: where the worker's build would fetch a library, one of `mediasoup/stand-ins` says which of the distribution's to take.
 *
 *     package's sources -> copy with stand-ins and patches -> meson -> ninja -> strip -> program
 */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, freemem } from 'node:os';
import { join } from 'node:path';
import process, { env } from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const recipe = fileURLToPath(new URL('mediasoup', import.meta.url));

/** What meson wants to see, although the last four are for targets that are not built. */
const parts = [
  'meson.build',
  'meson_options.txt',
  'subprojects',
  'include',
  'src',
  'fbs',
  'deps',
  'test',
  'mocks',
  'fuzzer',
];
/** One compiler takes up to so much. */
const compilerBytes = 1_000_000_000;
const tailLinesMax = 30;

/**
 * Makes the program in `directory`, and goes on with what an earlier, broken-off call left there.
 *
 * @param options.workerPackage  the npm package
 * @param options.onStep  told `(done, total)` steps
 * @returns the path of the program
 * @throws Error  with the end of what the tool said that failed
 */
export async function makeWorker({ directory, workerPackage, onStep }) {
  const tree = join(directory, 'worker');
  const out = join(directory, 'out');
  const marker = join(directory, 'prepared');
  const wanted = fingerprint(workerPackage);
  if (!existsSync(marker) || readFileSync(marker, 'utf8') !== wanted) {
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(tree, { recursive: true });
    await prepare(tree, join(workerPackage, 'worker'));
    const settings = ['--wrap-mode=nodownload', '--buildtype=release', '-Db_ndebug=true'];
    await run('meson', ['setup', out, tree, ...settings], {});
    writeFileSync(marker, wanted);
  }
  const onLine = (line) => {
    const [, done, total] = /^\[(\d+)\/(\d+)\]/.exec(line) ?? [];
    if (total !== undefined) onStep(Number(done), Number(total));
  };
  await run('ninja', ['-C', out, '-j', String(jobs()), 'mediasoup-worker'], { onLine });
  const program = join(directory, 'mediasoup-worker');
  await run('strip', ['-o', program, join(out, 'mediasoup-worker')], {});
  return program;
}

/** A copy of the sources, so that the package stays as it is. */
async function prepare(tree, sources) {
  for (const part of parts) cpSync(join(sources, part), join(tree, part), { recursive: true });
  const standIns = join(recipe, 'stand-ins');
  for (const name of readdirSync(standIns)) {
    // Where the wrap file would have its download unpacked: meson takes what it finds there.
    const wrap = readFileSync(join(tree, 'subprojects', `${name}.wrap`), 'utf8');
    const [, directory] = /^directory\s*=\s*(\S+)$/m.exec(wrap) ?? [];
    if (directory === undefined) throw new Error(`${name}.wrap of mediasoup names no directory`);
    cpSync(join(standIns, name), join(tree, 'subprojects', directory), { recursive: true });
  }
  for (const name of readdirSync(recipe).filter((file) => file.endsWith('.patch'))) {
    await run('patch', ['-p1', '-i', join(recipe, name)], { cwd: tree });
  }
  // Debian 12 has meson 1.0.1, and nothing in there needs a newer one.
  const build = join(tree, 'meson.build');
  const text = readFileSync(build, 'utf8');
  writeFileSync(build, text.replace(/meson_version: '>= 1\.[0-9]+\.[0-9]+'/, "meson_version: '>= 1.0.0'"));
}

/** Of all that the result is made of, but for the distribution. */
function fingerprint(workerPackage) {
  const hash = createHash('sha256').update(readFileSync(join(workerPackage, 'package.json')));
  const ingredients = filesUnder(recipe).filter((path) => !path.endsWith('.md'));
  for (const path of ingredients) hash.update(path).update(readFileSync(join(recipe, path)));
  return hash.digest('hex');
}

function filesUnder(directory, below = '') {
  const entries = readdirSync(join(directory, below), { withFileTypes: true });
  return entries
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(below, entry.name);
      return entry.isDirectory() ? filesUnder(directory, path) : [path];
    });
}

function jobs() {
  const processors = availableParallelism?.() ?? cpus().length;
  return Math.max(1, Math.min(processors, Math.floor(freemem() / compilerBytes)));
}

function run(command, args, { cwd, onLine }) {
  return new Promise((resolve, reject) => {
    // Tools speak English to whoever reads their errors in a log.
    const child = spawn(command, args, { cwd, env: { ...env, LC_ALL: 'C' }, stdio: ['ignore', 'pipe', 'pipe'] });
    const stop = () => child.kill();
    process.once('exit', stop);
    const tail = [];
    const take = (line) => {
      onLine?.(line);
      tail.push(line);
      if (tail.length > tailLinesMax) tail.shift();
    };
    createInterface({ input: child.stdout }).on('line', take);
    createInterface({ input: child.stderr }).on('line', take);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      process.off('exit', stop);
      if (code === 0) return resolve();
      return reject(new Error([...tail, `${command} ended with ${signal ?? `code ${code}`}`].join('\n')));
    });
  });
}
