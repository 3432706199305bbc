/** A keeper over a temporary data directory with real files, and what its tests ask of it. */

import { appendFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { IndexReader } from '../../../storage/index/index.ts';
import { type CheckLevel, check, type Finding, Keeper, type KeeperOptions } from '../../../storage/keeper/index.ts';
import type { LedgerLine } from '../../../storage/model/ledger.ts';
import { type Paths, pathsUnder } from '../../../storage/model/paths.ts';
import { DirectoryStore, type ObjectStore } from '../../../storage/objects/index.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';

export const minute = 60_000;

export type Site = {
  readonly paths: Paths;
  readonly store: ObjectStore;
  readonly index: IndexReader;
  readonly clock: Clock;
  /** A started keeper, closed when the test ends. */
  startKeeper(options?: Partial<KeeperOptions>): Promise<Keeper>;
  /** Appends lines to the ledger of `ingest-0`. */
  tell(...lines: LedgerLine[]): Promise<void>;
  /** As `tell`, in another file: `<epoch>-<number>`. */
  tellAs(file: string, ...lines: LedgerLine[]): Promise<void>;
  findings(level?: CheckLevel): Promise<readonly Finding[]>;
  localFiles(): Promise<string[]>;
  objects(): Promise<string[]>;
};

export async function createSite(
  changes: { readonly clock?: Clock; readonly store?: (paths: Paths) => ObjectStore } = {},
): Promise<Site> {
  const paths = pathsUnder(await temporaryDirectory());
  const clock = changes.clock ?? systemClock;
  const store = changes.store?.(paths) ?? new DirectoryStore({ log: silentLog }, { directory: paths.objects });
  const index = new IndexReader({ clock: systemClock, log: silentLog }, { path: paths.index });
  onTestFinished(() => index.close());
  const tellAs = async (file: string, ...lines: LedgerLine[]) => {
    const directory = join(paths.state, 'ingest-0', 'ledger');
    await mkdir(directory, { recursive: true });
    await appendFile(join(directory, `${file}.jsonl`), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  };
  return {
    paths,
    store,
    index,
    clock,
    async startKeeper(options = {}) {
      const keeper = new Keeper(
        { clock, log: silentLog, store },
        { paths, periodMs: 20, diskReserveBytes: 0, storeTimeoutMs: 2_000, ...options },
      );
      onTestFinished(() => keeper.close());
      await keeper.start();
      return keeper;
    },
    tell: (...lines) => tellAs('1-0', ...lines),
    tellAs,
    async findings(level = 'hash') {
      const seen = new DirectoryStore({ log: silentLog }, { directory: paths.objects });
      const { findings, skipped } = await check({ clock: systemClock, log: silentLog, store: seen }, { paths, level });
      expect(skipped).toEqual([]);
      return findings;
    },
    localFiles: () => filesUnder(paths.journalFinished),
    objects: async () => (await filesUnder(paths.objects)).filter((name) => !name.startsWith('.')),
  };
}

/** Waits until nothing is left to take in or to store. */
export async function settled(keeper: Keeper, segments: number): Promise<void> {
  const isSettled = () => {
    const { isIndexOpen, backlog, rebuild } = keeper.state;
    if (!isIndexOpen || rebuild !== undefined || backlog.segments > 0) return false;
    return keeper.index.queries.streams.segmentCount() === segments;
  };
  // A file that a store refuses for itself alone is tried again after 10 s, 20 s more, and 40 s more (`refusals.ts`).
  await until(`${segments} segments are stored`, isSettled, 90_000);
}

export function expectNothing(findings: readonly Finding[]): void {
  expect(findings).toEqual([]);
}

/** Names of all files below a directory. */
export async function filesUnder(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .sort();
}
