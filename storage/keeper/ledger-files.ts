/** Reads what `ingest` processes appended to `state/<ingest>/ledger/*.jsonl`, from where it was last read. */

import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errnoOf } from '../base/errors.ts';
import type { LedgerEntry } from '../index/index.ts';
import { type PauseReason, pauseReasons } from '../model/ledger.ts';
import { type GapReason, gapReasons } from '../model/run.ts';

/** Some lines of one file. */
export type LedgerPage = {
  /** `<ingest>/<file name>`: the cursor's name. */
  readonly file: string;
  readonly path: string;
  readonly entries: readonly LedgerEntry[];
  /** Lines that are not ours: counted and passed over. */
  readonly badLines: number;
  /** Bytes read so far: all whole lines. */
  readonly cursor: number;
  /** Nobody appends any more and everything was read: the file may go. */
  readonly isFinished: boolean;
};

/** One read: 10,000 lines, a day of a process with 100 restless cameras. The next tick reads on. */
const pageBytesMax = 2 * 1024 * 1024;

const reason = z.enum(Object.keys(gapReasons) as [GapReason, ...GapReason[]]);
const why = z.enum(Object.keys(pauseReasons) as [PauseReason, ...PauseReason[]]).exactOptional();
const streamId = z.string().min(1).max(200);
const runId = z.string().max(64);
const detail = z.string().max(1_000).exactOptional();
const ms = z.number();

const lineShape = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('wanted'), streamId, atMs: ms }),
  z.object({ kind: z.literal('unwanted'), streamId, atMs: ms, why }),
  z.object({ kind: z.literal('run-began'), streamId, runId, atMs: ms }),
  z.object({ kind: z.literal('run-ended'), streamId, runId, atMs: ms, reason, detail }),
  z.object({ kind: z.literal('waiting'), streamId, atMs: ms, reason, detail }),
  z.object({ kind: z.literal('loss'), streamId, runId, beginMs: ms, endMs: ms, reason, detail }),
]);

/** All pages with something new, or that are finished, oldest file of each process first. */
export async function readLedgerPages(
  stateDirectory: string,
  cursorOf: (file: string) => number,
): Promise<LedgerPage[]> {
  const pages: LedgerPage[] = [];
  for (const ingest of await directoriesIn(stateDirectory)) {
    const directory = join(stateDirectory, ingest, 'ledger');
    const names = (await namesIn(directory)).filter((name) => name.endsWith('.jsonl')).sort(byEpochAndNumber);
    for (const [i, name] of names.entries()) {
      const page = await readPage(
        { file: `${ingest}/${name}`, path: join(directory, name), process: `${ingest}.${epochOf(name)}` },
        { cursor: cursorOf(`${ingest}/${name}`), isClosed: i < names.length - 1 },
      );
      if (page.entries.length > 0 || page.badLines > 0 || page.isFinished) pages.push(page);
      // The next file's lines come after this one's.
      if (!page.isFinished) break;
    }
  }
  return pages;
}

/** One line, or undefined when it is not one of ours. */
export function parseLedgerLine(text: string): LedgerEntry['line'] | undefined {
  try {
    return lineShape.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function readPage(
  source: { readonly file: string; readonly path: string; readonly process: string },
  { cursor, isClosed }: { readonly cursor: number; readonly isClosed: boolean },
): Promise<LedgerPage> {
  const { file, path, process } = source;
  const { bytes, isAll } = await readFrom(path, cursor);
  const wholeBytes = bytes.lastIndexOf(0x0a) + 1;
  const lines = bytes
    .toString('utf8', 0, wholeBytes)
    .split('\n')
    .filter((line) => line !== '');
  const parsed = lines.map(parseLedgerLine);
  const entries = parsed.flatMap((line) => (line === undefined ? [] : [{ process, line }]));
  // A line without an end in a file that nobody appends to was cut off by a crash.
  const isFinished = isClosed && isAll;
  const badLines = parsed.length - entries.length + (isFinished && wholeBytes < bytes.byteLength ? 1 : 0);
  return { file, path, entries, badLines, cursor: cursor + (isFinished ? bytes.byteLength : wholeBytes), isFinished };
}

async function readFrom(path: string, offset: number): Promise<{ readonly bytes: Buffer; readonly isAll: boolean }> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const length = Math.max(0, Math.min(pageBytesMax, size - offset));
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, offset);
    return { bytes: buffer.subarray(0, bytesRead), isAll: offset + bytesRead >= size };
  } finally {
    await file.close();
  }
}

function epochOf(name: string): number {
  return Number(/^(\d+)-/.exec(name)?.[1] ?? 0);
}

function byEpochAndNumber(a: string, b: string): number {
  const [epochA = 0, numberA = 0] = a.split(/[-.]/).map(Number);
  const [epochB = 0, numberB = 0] = b.split(/[-.]/).map(Number);
  return epochA - epochB || numberA - numberB;
}

async function directoriesIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(ifMissing);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

async function namesIn(path: string): Promise<string[]> {
  return readdir(path).catch(ifMissing);
}

function ifMissing(error: unknown): never[] {
  if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
  throw error;
}
