import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseLedgerLine, readLedgerPages } from '../../../storage/keeper/ledger-files.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

const line = (atMs: number) => `${JSON.stringify({ kind: 'wanted', streamId: 'door', atMs })}\n`;

async function ledgerOf(files: Readonly<Record<string, string>>): Promise<string> {
  const state = await temporaryDirectory();
  await mkdir(`${state}/ingest-0/ledger`, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(`${state}/ingest-0/ledger/${name}`, text);
  return state;
}

const times = (pages: Awaited<ReturnType<typeof readLedgerPages>>) =>
  pages.flatMap((page) => page.entries.map((entry) => ('atMs' in entry.line ? entry.line.atMs : 0)));

test('reads whole lines from where it was, and leaves the last file of a process open', async () => {
  const state = await ledgerOf({ '1-0.jsonl': `${line(1)}${line(2)}{"kind":"wan` });

  const first = await readLedgerPages(state, () => 0);
  await appendFile(`${state}/ingest-0/ledger/1-0.jsonl`, 'ted","streamId":"door","atMs":3}\n');
  const second = await readLedgerPages(state, () => first[0]?.cursor ?? 0);

  expect(times(first)).toEqual([1, 2]);
  expect(first[0]).toMatchObject({ file: 'ingest-0/1-0.jsonl', isFinished: false, badLines: 0 });
  expect(times(second)).toEqual([3]);
});

test('reads files in the order of epoch and number, and tells which are finished', async () => {
  const state = await ledgerOf({
    '10-0.jsonl': line(4),
    '9-10.jsonl': line(3),
    '9-2.jsonl': line(2),
    '9-1.jsonl': line(1),
  });

  const pages = await readLedgerPages(state, () => 0);

  expect(times(pages)).toEqual([1, 2, 3, 4]);
  expect(pages.map((page) => page.isFinished)).toEqual([true, true, true, false]);
  expect(pages.at(-1)?.entries[0]?.process).toBe('ingest-0.10');
});

test('a line cut off by a crash ends its file once a newer one is there', async () => {
  const state = await ledgerOf({ '1-0.jsonl': `${line(1)}{"kind":`, '2-0.jsonl': line(2) });

  const [dead, living] = await readLedgerPages(state, () => 0);

  expect(dead).toMatchObject({ isFinished: true, badLines: 1 });
  expect(times([...(living === undefined ? [] : [living])])).toEqual([2]);
});

test('lines that are not ours are counted and passed over', async () => {
  const state = await ledgerOf({
    '1-0.jsonl': `nonsense\n${line(1)}{"kind":"wanted","streamId":7,"atMs":1}\n${line(2)}`,
  });

  const [page] = await readLedgerPages(state, () => 0);

  expect(page?.badLines).toBe(2);
  expect(times(page === undefined ? [] : [page])).toEqual([1, 2]);
});

test('nothing there is nothing to read', async () => {
  expect(await readLedgerPages('/nonexistent', () => 0)).toEqual([]);
});

test('no text makes the parser throw', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseLedgerLine(text)));
  expect(parseLedgerLine('{"kind":"waiting","streamId":"a","atMs":1,"reason":"no such reason"}')).toBeUndefined();
});
