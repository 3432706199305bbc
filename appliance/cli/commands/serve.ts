/** `weir serve`: the appliance, or one role of it. */

import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { systemClock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import { createLog } from '../../../storage/base/log.ts';
import { mainEntry, pathsOf, runRoleAlone, siteKeyPath } from '../../roles/index.ts';
import { cameraPurpose, SiteKey } from '../../secrets/index.ts';
import { LogFiles, Supervisor } from '../../supervisor/index.ts';
import type { CommandContext } from '../command-context.ts';
import { addConfigFlags, configOf } from '../config-flags.ts';
import { makeDataDirectory } from '../data-directory.ts';

const rolesAlone = /^(ingest(-\d{1,2})?|keeper|serve|onvif)$/;

export function addServeCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('serve')
    .summary('run the appliance')
    .description(
      'Runs the appliance: records the cameras, keeps the recordings, serves page and API. Ends on SIGTERM or Ctrl-C after what was recorded is safe.',
    )
    .option('--demo', 'add a demo camera with a test picture, a clock and a tone')
    .option(
      '--role <name>',
      'run one role alone: ingest, keeper, serve or onvif (a container of its own, or for developers)',
    );
  addConfigFlags(command, 'all').action(async (options: { demo?: boolean; role?: string }) => {
    const config = await configOf(command, context.surroundings);
    const show = (lines: readonly string[]) => context.output.note(lines.join('\n'));
    await makeDataDirectory(config.dataDirectory);
    if (options.role !== undefined) {
      if (!rolesAlone.test(options.role)) {
        throw appError('invalid_argument', `there is no role ${options.role}`, {
          hint: 'use ingest, keeper, serve or onvif',
        });
      }
      const name = options.role === 'ingest' ? 'ingest-0' : options.role;
      await runRoleAlone({ name, config, show, signal: context.signal });
      return;
    }
    const paths = pathsOf(config);
    const logs = new LogFiles({ clock: systemClock }, { directory: paths.logs });
    const siteKey = await SiteKey.open(siteKeyPath(config), randomBytes);
    const supervisor = new Supervisor(
      {
        clock: systemClock,
        log: createLog({
          level: config.logLevel,
          identity: { role: 'supervisor' },
          tap: (line) => logs.append('supervisor', [line]),
        }),
        logs,
        box: siteKey.box(cameraPurpose),
        refreshKeys: () => siteKey.reload(),
        show,
      },
      { config, paths, isDemo: options.demo === true, entry: mainEntry },
    );
    const { signal } = context;
    try {
      await supervisor.start().catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    } finally {
      await supervisor.close();
      await logs.close();
    }
  });
}
