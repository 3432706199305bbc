/** `kill -9` at random moments: of the writer, then of its recovery. The seed is printed; WEIR_SEED repeats a run. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import {
  deadOpenDirectories,
  readSegment,
  recoverOpenDirectory,
  verifySegment,
} from '../../../storage/journal/index.ts';
import { pathsUnder } from '../../../storage/model/paths.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

const rounds = 10;
const child = new URL('./writer-child.ts', import.meta.url).pathname;

/** Starts a child, lets it live for `lifeMs` after its first line, kills it and answers what it said. */
async function runAndKill(args: readonly string[], lifeMs: number): Promise<string[]> {
  const running = spawn(process.execPath, [child, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(running, 'close');
  const lines: string[] = [];
  let isFirst = true;
  createInterface({ input: running.stdout }).on('line', (line) => {
    lines.push(line);
    if (isFirst) killLater(running, lifeMs);
    isFirst = false;
  });
  await ended;
  return lines;
}

function killLater(running: ChildProcess, lifeMs: number): void {
  systemClock.after(lifeMs, () => running.kill('SIGKILL'));
}

test('kill -9 of writer and recovery at random moments loses no fragment that was in the file', {
  timeout: 240_000,
}, async () => {
  const seed = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`seed ${seed}`);
  const random = lcg(seed);
  const root = await temporaryDirectory();
  const paths = pathsUnder(root);
  const committed = new Set<string>();
  let outcomes = 0;

  for (let round = 0; round < rounds; round++) {
    const lines = await runAndKill(['write', root, String(seed + round)], random() * 400);
    expect(lines.filter((line) => line.startsWith('failed'))).toEqual([]);
    for (const line of lines) if (line.startsWith('committed ')) committed.add(line.slice(10));
    for (let i = 0; i < 2; i++) outcomes += (await runAndKill(['recover', root], random() * 25)).length - 1;
  }
  for (const { directory } of await deadOpenDirectories(paths)) {
    const options = { directory, finishedDirectory: paths.journalFinished, files: 'all' } as const;
    outcomes += (await recoverOpenDirectory({ log: silentLog }, options)).length;
  }

  expect(await readdir(paths.journalOpen)).toEqual([]);
  const names = (await readdir(join(paths.journalFinished, 'stream-1'))).sort();
  const files = names.map((name) => join(paths.journalFinished, 'stream-1', name));
  const segments = await Promise.all(files.map(readSegment));
  const numbers = segments.flatMap((segment) => segment.fragments.map((fragment) => fragment.number as string));
  expect(numbers).toEqual([...numbers].sort());
  expect(new Set(numbers).size).toBe(numbers.length);
  expect([...committed].filter((number) => !numbers.includes(number))).toEqual([]);
  // What was committed but not said before the kill may be there too; what was never committed is not.
  expect(numbers.length - committed.size).toBeLessThanOrEqual(rounds * 2);
  for (const file of files) expect(await verifySegment(file)).toEqual({ damaged: [], isDigestWrong: false });
  for (const [index, segment] of segments.entries()) {
    const before = segments[index - 1];
    if (before?.runId === segment.runId) expect(segment.previousDigest).toEqual(before.digest);
  }
  console.log(`${committed.size} fragments in ${files.length} files, ${outcomes} files recovered`);
  expect(committed.size).toBeGreaterThan(rounds);
});

function lcg(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
