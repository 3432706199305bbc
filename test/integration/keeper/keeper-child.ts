/** A keeper in a process of its own, to be killed: `node keeper-child.ts <root>`; prints `open` once its index is. */

import { writeSync } from 'node:fs';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { Keeper } from '../../../storage/keeper/index.ts';
import { pathsUnder } from '../../../storage/model/paths.ts';
import { DirectoryStore } from '../../../storage/objects/index.ts';

const paths = pathsUnder(process.argv[2] ?? '');
const store = new DirectoryStore({ log: silentLog }, { directory: paths.objects });
const keeper = new Keeper({ clock: systemClock, log: silentLog, store }, { paths, periodMs: 5, diskReserveBytes: 0 });
await keeper.start();
let isSaid = false;
for (;;) {
  await systemClock.sleep(5);
  if (keeper.isIndexOpen && !isSaid) writeSync(1, 'open\n');
  isSaid ||= keeper.isIndexOpen;
}
