/** Files wait where nobody can reach them, however many, and keep nothing else from the store. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { must } from '../../../storage/base/assert.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { IndexWriter } from '../../../storage/index/index.ts';
import { readSegment } from '../../../storage/journal/index.ts';
import { LocalFiles } from '../../../storage/keeper/local-files.ts';
import { StoreGate } from '../../../storage/keeper/store-gate.ts';
import { StoreOut } from '../../../storage/keeper/store-out.ts';
import { pathsUnder } from '../../../storage/model/paths.ts';
import { DirectoryStore, type ObjectInfo } from '../../../storage/objects/index.ts';
import { recordRun } from '../../kit/recorded-runs.ts';
import { someRunId, someSegment } from '../../kit/segments.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { minute } from './kit.ts';

const now = Date.UTC(2026, 0, 10);
/** Several batches. */
const unreachable = 300;

/** A directory store that counts what it is asked for. */
class CountingStore extends DirectoryStore {
  stats = 0;

  override stat(key: string): Promise<ObjectInfo | undefined> {
    this.stats++;
    return super.stat(key);
  }
}

/** An index whose oldest rows are of a journal directory that is away, and a spare one beside it. */
async function createJournal() {
  const data = await temporaryDirectory();
  const clock = new SimulatedClock();
  const paths = pathsUnder(data);
  const spare = {
    ...paths,
    journalOpen: join(data, 'spare', 'open'),
    journalFinished: join(data, 'spare', 'finished'),
  };
  const store = new CountingStore({ log: silentLog }, { directory: paths.objects });
  await store.start();
  await mkdir(join(data, 'db'), { recursive: true });
  const index = new IndexWriter({ clock, log: silentLog }, { path: paths.index });
  await index.start();
  onTestFinished(() => index.close());
  index.transaction(({ segments }) => {
    for (let i = 0; i < unreachable; i++) {
      const segment = someSegment({
        ...{ runId: someRunId('away'), sequence: i, firstCounter: 1 + i * 30 },
        beginMs: now - 1_000 * minute + i * minute,
      });
      segments.insert(segment, { location: 'local', takenInMs: now });
    }
  });
  const files = new LocalFiles({ directories: [paths.journalFinished, spare.journalFinished] });
  const gate = new StoreGate({ clock, log: silentLog, store }, { timeoutMs: 60_000 });
  const storeOut = new StoreOut({ clock, log: silentLog, index, gate, files }, { hotBytesMax: 0 });
  return {
    clock,
    store,
    storeOut,
    paths,
    /** What is recorded into the spare directory, with its row. */
    async record(seed: string) {
      const { files } = await recordRun(spare, { seed, beginMs: now, fragments: 10, firstCounter: 100_000 });
      const segment = await readSegment(must(files[0], 'one file'));
      return index.transaction(({ segments }) => segments.insert(segment, { location: 'local', takenInMs: now }));
    },
    /** As retention does. */
    removeSome: (count: number) =>
      index.transaction(({ segments }) => {
        for (const segment of index.queries.segments.oldestFrom('door', 0, count))
          segments.remove(segment, { reason: 'age', isUrgent: false, nowMs: now });
      }),
    isStored: (segmentId: number) => index.queries.segments.byId(segmentId)?.location === 'stored',
    /** As the store loop does in one look. Returns the batches. */
    async storeAll() {
      let batches = 0;
      while ((await storeOut.storeSome()) > 0) batches++;
      return batches;
    },
  };
}

test('what is recorded on a spare is stored at one look, whatever waits for a journal disk that is away', async () => {
  const { storeOut, store, storeAll, record, isStored } = await createJournal();
  const { segmentId } = await record('new');

  await storeAll();

  expect(isStored(segmentId)).toBe(true);
  expect(storeOut.refused.size).toBe(unreachable);
  expect(storeOut.refused.problem?.message).toContain('journal directory is not there');
  expect(store.stats).toBe(0);
});

test('rows that are left alone for a while are passed over, and come due again without delaying others', async () => {
  const { clock, storeOut, storeAll, record, isStored } = await createJournal();
  await storeAll();
  const second = await record('second');

  expect(await storeAll()).toBe(1);
  expect(isStored(second.segmentId)).toBe(true);

  await clock.advance(15_000);
  const third = await record('third');
  await storeAll();

  expect(isStored(third.segmentId)).toBe(true);
  expect(storeOut.refused.size).toBe(unreachable);
});

test('of rows that were removed meanwhile nobody is told any more', async () => {
  const { storeOut, storeAll, removeSome } = await createJournal();
  await storeAll();

  removeSome(100);
  await storeAll();

  expect(storeOut.refused.size).toBe(unreachable - 100);
});

test('when the disk is back, what the store has already is asked for before anything counts as lost', async () => {
  const { clock, paths, store, storeOut, storeAll } = await createJournal();
  await storeAll();

  await mkdir(paths.journalFinished, { recursive: true });
  await mkdir(join(paths.data, 'spare', 'finished'), { recursive: true });
  await clock.advance(15_000);
  await storeAll();

  expect(store.stats).toBe(unreachable);
  expect(storeOut.lost.size).toBe(unreachable);
  expect(storeOut.refused.size).toBe(0);
});
