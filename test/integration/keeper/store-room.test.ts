/** Room of stores: what is removed for it is as much as is lacking, and on the store that lacks it. */

import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { silentLog } from '../../../storage/base/log.ts';
import { pathsUnder } from '../../../storage/model/paths.ts';
import { DirectoryStore, type ObjectSpace } from '../../../storage/objects/index.ts';
import { recordRun } from '../../kit/recorded-runs.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { createSite, minute, settled } from './kit.ts';

const log = silentLog;
const now = Date.now();
const MiB = 1024 * 1024;

/** A disk of its own that somebody else has filled up to `freeBytes`, and that takes its time for a file. */
class SmallDisk extends DirectoryStore {
  freeBytes = 1_000 * MiB;
  putMs = 0;
  deletedBytes = 0;

  override async putFile(...[key, path, options]: Parameters<DirectoryStore['putFile']>): Promise<void> {
    const isDue = Date.now() + this.putMs;
    if (this.putMs > 0) await until('the disk has time', () => Date.now() >= isDue);
    return super.putFile(key, path, options);
  }

  override async delete(...[key, options]: Parameters<DirectoryStore['delete']>): Promise<void> {
    const { byteLength = 0 } = (await this.stat(key)) ?? {};
    await super.delete(key, options);
    this.freeBytes += byteLength;
    this.deletedBytes += byteLength;
  }

  override async space(): Promise<ObjectSpace> {
    return { freeBytes: this.freeBytes, totalBytes: 1_000 * MiB, device: -1 };
  }
}

test('what a full disk lacks is removed once, however long the store is busy with a backlog', async () => {
  let disk: SmallDisk | undefined;
  const site = await createSite({
    store: (paths) => {
      disk = new SmallDisk({ log }, { directory: join(paths.data, 'disk') });
      return disk;
    },
  });
  const reserveBytes = 10 * MiB;
  const later = pathsUnder(await temporaryDirectory());
  for (const i of [0, 1, 2, 3]) {
    const run = { fragments: 100, firstCounter: 1 + i * 1_000, beginMs: now - (600 - 100 * i) * minute };
    await recordRun(i < 2 ? site.paths : later, { seed: `run ${i}`, ...run });
  }
  const keeper = await site.startKeeper({ diskReserveBytes: reserveBytes });
  await settled(keeper, 20);
  const segmentBytes = keeper.index.queries.segments.after('door', undefined, 1)[0]?.byteLength ?? 0;

  if (disk === undefined) throw new Error('the site made its store');
  disk.freeBytes = reserveBytes - 3 * segmentBytes;
  disk.putMs = 500;
  for (const name of await readdir(join(later.journalFinished, 'door'))) {
    await rename(join(later.journalFinished, 'door', name), join(site.paths.journalFinished, 'door', name));
  }
  await until('the backlog is being stored', () => keeper.state.backlog.segments > 0);
  await until('the backlog is stored', () => keeper.state.backlog.segments === 0);

  expect(disk.deletedBytes / segmentBytes).toBeLessThan(5);
});
