/** `npm test` and `npm run check`: types, lint, then tests; everything runs even when something before it failed. */

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stdout } from 'node:process';
import { exec } from './child.mjs';

/**
 * Runs the checks and prints "N passed, N failed" as the last line, in which types and lint count as one each.
 * Resolves with the exit code: 0 only when all passed and there was at least one test. `servers` resolves when what tests talk to
 * is built: it goes on beside types and lint, and no test waits for it.
 */
export async function runChecks(context, { vitestArgs, servers = Promise.resolve() }) {
  const modules = (...path) => join('node_modules', ...path);
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const check = async (name, args) => {
    stdout.write(`\n== ${name}\n`);
    const code = await exec(context, args);
    stdout.write(code === 0 ? 'passed\n' : `failed with code ${code}\n`);
    counts[code === 0 ? 'passed' : 'failed']++;
  };
  const tsc = modules('typescript', 'bin', 'tsc');
  await check('types', [tsc, '--noEmit']);
  if (existsSync(join(context.root, 'appliance/page/tsconfig.json'))) {
    await check('types of the page', [tsc, '--noEmit', '-p', 'appliance/page']);
  }
  await check('lint and format', [modules('@biomejs', 'biome', 'bin', 'biome'), 'check']);
  await servers;
  stdout.write('\n== tests\n');
  add(counts, await runVitest(context, vitestArgs));
  if (counts.skipped > 0) stdout.write(`${counts.skipped} skipped\n`);
  stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`);
  return counts.failed === 0 ? 0 : 1;
}

async function runVitest(context, args) {
  const directory = mkdtempSync(join(tmpdir(), 'weir-vitest-'));
  const report = join(directory, 'report.json');
  try {
    const code = await exec(context, [
      join('node_modules', 'vitest', 'vitest.mjs'),
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...args,
    ]);
    return countsOf(report, code);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A run that broke off, or in which no test ran, has failed whatever its report says. */
export function countsOf(report, code) {
  const result = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : {};
  const passed = result.numPassedTests ?? 0;
  const failed = result.numFailedTests ?? 0;
  const isBroken = failed === 0 && (code !== 0 || passed === 0);
  return { passed, failed: isBroken ? 1 : failed, skipped: (result.numPendingTests ?? 0) + (result.numTodoTests ?? 0) };
}

function add(target, source) {
  for (const name of Object.keys(target)) target[name] += source[name];
}
