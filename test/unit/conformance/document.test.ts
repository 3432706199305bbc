import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checklist } from '../../conformance/checklist.ts';
import { triedPoints } from '../../conformance/document.ts';
import { pointsOf, proofsIn } from '../../conformance/proofs.ts';

const root = join(import.meta.dirname, '..', '..', '..');

test('the list has each point once, in order', () => {
  expect(checklist.map(({ number }) => number)).toEqual(Array.from({ length: 110 }, (_, i) => i + 1));
});

test('names of tests claim points by numbers at their beginning, and no others', () => {
  expect(pointsOf('(39, 57) each fragment is acknowledged')).toEqual([39, 57]);
  expect(pointsOf('a range of (3) is taken')).toEqual([]);
});

test('the document tells of every point that a test claims, and each of these exists', async () => {
  const claimed = (await proofsIn(root)).flatMap(({ points }) => points);
  const told = triedPoints(await readFile(join(root, 'gateway', 'kvs', 'CONFORMANCE.md'), 'utf8'));
  const known = new Set(checklist.map(({ number }) => number));

  expect(claimed.filter((number) => !known.has(number))).toEqual([]);
  // Run `npm run conformance` where this fails.
  expect(told.filter((number) => !claimed.includes(number))).toEqual([]);
});
