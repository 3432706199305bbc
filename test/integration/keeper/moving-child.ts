/** A keeper with two stores in a process of its own, to be killed: `node moving-child.ts <root> <ssd> <hdd>`. */

import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { Keeper, StoreMover } from '../../../storage/keeper/index.ts';
import { pathsUnder } from '../../../storage/model/paths.ts';
import { DirectoryStore, OrderedStores } from '../../../storage/objects/index.ts';

const [root = '', ssd = '', hdd = ''] = process.argv.slice(2);
const log = silentLog;
const storeOf = (key: string) => (keeper.isIndexOpen ? keeper.index.queries.places.storeOf(key) : undefined);
const stores = new OrderedStores(
  { clock: systemClock, storeOf },
  {
    stores: [
      { name: 'ssd', store: new DirectoryStore({ log }, { directory: ssd }) },
      { name: 'hdd', store: new DirectoryStore({ log }, { directory: hdd }) },
    ],
    identities: { path: join(root, 'stores.json'), mayMake: true },
  },
);
const keeper: Keeper = new Keeper(
  { clock: systemClock, log, store: stores },
  { paths: pathsUnder(root), periodMs: 5, diskReserveBytes: 0 },
);
const plans = [
  { name: 'ssd', moveOnAfterHours: 0, timeoutMs: 10_000 },
  { name: 'hdd', moveOnAfterHours: undefined, timeoutMs: 10_000 },
];
const mover = new StoreMover(
  { clock: systemClock, log, keeper, stores },
  { plans, directory: pathsUnder(root).moving, periodMs: 5 },
);
await keeper.start();
await mover.start();
let isSaid = false;
for (;;) {
  await systemClock.sleep(1);
  if (mover.moved > 0 && !isSaid) writeSync(1, 'moving\n');
  isSaid ||= mover.moved > 0;
}
