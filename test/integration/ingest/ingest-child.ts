/** An `Ingest` in a process of its own, to be killed: its plan comes as JSON by argument. */

import { Registry } from 'prom-client';
import { Ingest } from '../../../gateway/ingest/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { createLog } from '../../../storage/base/log.ts';
import { pathsUnder } from '../../../storage/model/paths.ts';

const [data = '', plan = ''] = process.argv.slice(2);
const log = createLog({ level: 'info' });
const ingest = new Ingest(
  { clock: systemClock, log, registry: new Registry(), random: Math.random },
  { paths: pathsUnder(data), name: 'ingest-0', syncPeriodMs: 300 },
);
await ingest.start();
await ingest.apply(JSON.parse(plan));
