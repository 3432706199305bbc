/** One role without a supervisor (`weir serve --role ingest`): for containers that run one process each, and for developers. */

import { randomBytes } from 'node:crypto';
import { systemClock } from '../../storage/base/clock.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import { createLog } from '../../storage/base/log.ts';
import type { Plan } from '../../storage/model/camera.ts';
import type { Config } from '../config/index.ts';
import { cameraPurpose, SiteKey } from '../secrets/index.ts';
import { InstanceLock, planForRole } from '../supervisor/index.ts';
import { LocalLink } from './local-link.ts';
import { makeContext, startRole } from './run-role.ts';
import { pathsOf, siteKeyPath } from './setting-paths.ts';

/** Runs until the signal aborts. @throws AppError failed_precondition  another process has this role already */
export async function runRoleAlone(options: {
  readonly name: string;
  readonly config: Config;
  readonly signal: AbortSignal;
  readonly show: (lines: readonly string[]) => void;
}): Promise<void> {
  const { name, config, signal, show } = options;
  const lifetime = new Lifetime();
  const log = createLog({ level: config.logLevel, identity: { role: name } });
  const paths = pathsOf(config);
  const lock = new InstanceLock(
    { clock: systemClock },
    { dataDirectory: paths.data, runDirectory: paths.run, roles: [name] },
  );
  await lifetime.own(lock).start();
  const key = await SiteKey.open(siteKeyPath(config), randomBytes);
  const keys = { box: key.box(cameraPurpose), refreshKeys: () => key.reload() };
  const planFor = (plan: Plan) => planForRole(plan, name, { processes: config.ingest.processes });
  const link = lifetime.own(
    new LocalLink({ clock: systemClock, log, ...keys }, { planPath: paths.plan, planFor, show }),
  );
  const start = { type: 'start', config, isDemo: false, plan: await link.start() } as const;
  try {
    lifetime.own(await startRole(makeContext({ name, log, link, start })));
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  } finally {
    await lifetime.close();
  }
}
