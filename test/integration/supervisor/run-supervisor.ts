/** A supervisor of fake roles as a process, so that it can be killed: `run-supervisor.ts <data directory>`. */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { loadConfig } from '../../../appliance/config/index.ts';
import { cameraPurpose, SiteKey } from '../../../appliance/secrets/index.ts';
import { Supervisor } from '../../../appliance/supervisor/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { pathsUnder } from '../../../storage/model/paths.ts';

const [data = ''] = process.argv.slice(2);
const config = await loadConfig({
  flags: { dataDirectory: data },
  environment: {},
  workingDirectory: data,
  installDirectory: data,
});
const paths = pathsUnder(data);
const box = (await SiteKey.open(join(data, 'site.key'), randomBytes)).box(cameraPurpose);
const supervisor = new Supervisor(
  { clock: systemClock, log: silentLog, box, show: (lines) => process.stdout.write(`${lines.join('\n')}\n`) },
  { config, paths, isDemo: false, entry: join(import.meta.dirname, 'fake-role.ts') },
);
process.on('SIGTERM', () => {
  supervisor.close().then(() => process.exit(0));
});
supervisor.start().catch((error: unknown) => {
  process.stdout.write(`refused: ${error instanceof Error ? error.message : error}\n`);
  process.exit(5);
});
