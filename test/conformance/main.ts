/**
 * `npm run conformance`: runs every test that claims a point of the checklist, writes `gateway/kvs/CONFORMANCE.md`, and ends with the
 * line "N passed, N failed" of points.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { checklist } from './checklist.ts';
import { clientsOf } from './clients.ts';
import { conformanceText, type PointResult } from './document.ts';
import { pointsOf, proofsIn } from './proofs.ts';

type Report = {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[];
  }[];
};

type Outcome = {
  readonly file: string;
  readonly title: string;
  readonly points: readonly number[];
  readonly status: string;
};

const root = join(import.meta.dirname, '..', '..');

async function runTests(files: readonly string[]): Promise<Outcome[]> {
  const directory = await mkdtemp(join(tmpdir(), 'weir-conformance-'));
  try {
    const report = join(directory, 'report.json');
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    // By its beginning, so that tests of the same files which claim no point are left out.
    const named = ['--testNamePattern', String.raw`(^|\s)\([\d, ]+\) `];
    const child = spawn(process.execPath, [vitest, 'run', ...reporters, ...named, ...files], {
      cwd: root,
      stdio: 'inherit',
    });
    await once(child, 'close');
    const { testResults }: Report = JSON.parse(await readFile(report, 'utf8'));
    return testResults.flatMap(({ name: file, assertionResults }) =>
      assertionResults.map(({ title, status }) => ({
        file: relative(root, file),
        title,
        points: pointsOf(title),
        status,
      })),
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function resultOf(number: number, outcomes: readonly Outcome[]): Promise<PointResult> {
  const own = outcomes.filter(({ points }) => points.includes(number));
  const ran = own.filter(({ status }) => status === 'passed' || status === 'failed');
  const clients = (await Promise.all(ran.map(({ file, title }) => clientsOf(root, file, title)))).flat();
  const status = ran.some((one) => one.status === 'failed') ? 'failed' : ran.length > 0 ? 'passed' : 'not tried';
  return { status, clients: [...new Set(clients)].sort() };
}

const proofs = await proofsIn(root);
const outcomes = await runTests([...new Set(proofs.map(({ file }) => file))]);
const results = new Map<number, PointResult>();
for (const { number } of checklist) results.set(number, await resultOf(number, outcomes));
await writeFile(join(root, 'gateway', 'kvs', 'CONFORMANCE.md'), conformanceText(results));
const count = (status: PointResult['status']) =>
  [...results.values()].filter((result) => result.status === status).length;
process.stdout.write(`points: ${count('not tried')} not tried\n`);
process.stdout.write(`${count('passed')} passed, ${count('failed')} failed\n`);
process.exitCode = count('failed') === 0 && count('passed') > 0 ? 0 : 1;
