/** `weir rebuild-index`: the index of recordings out of files and objects alone. While it is away nothing records less, and nothing is lost. */

import type { Command } from 'commander';
import { systemClock } from '../../../storage/base/clock.ts';
import { createLog } from '../../../storage/base/log.ts';
import { objectStoreOf, pathsOf, storeTimeoutMsOf } from '../../roles/index.ts';
import { InstanceLock } from '../../supervisor/index.ts';
import type { CommandContext } from '../command-context.ts';
import { addConfigFlags, configOf } from '../config-flags.ts';

export function addRebuildIndexCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('rebuild-index')
    .summary('the index of recordings, anew from files and objects')
    .description(
      'Moves db/index.sqlite aside and fills another one from every stored segment. Weir must be stopped; it does the same by itself when its index is missing or damaged. May be interrupted: the next start goes on.',
    );
  addConfigFlags(command, 'all').action(async () => {
    const config = await configOf(command, context.surroundings);
    const paths = pathsOf(config);
    // Loaded when needed: the supervisor, which this program also is, has no use for a database.
    const { rebuildIndex } = await import('../../../storage/keeper/index.ts');
    const log = createLog({ level: 'silent' });
    const { environment } = context.surroundings;
    const lock = new InstanceLock(
      { clock: systemClock },
      { dataDirectory: paths.data, runDirectory: paths.run, roles: ['keeper'] },
    );
    await lock.start();
    try {
      const store = await objectStoreOf({ clock: systemClock, log }, { config, paths, environment, mayMake: true });
      const result = await context.output.progress('rebuilding the index', (tell) =>
        rebuildIndex(
          { clock: systemClock, log, store },
          {
            paths,
            storeTimeoutMs: storeTimeoutMsOf(config),
            signal: context.signal,
            onProgress: ({ objects, segments }) => tell(`${objects} objects read, ${segments} segments found`),
          },
        ).finally(() => store.close()),
      );
      context.output.result(result, () => [
        `${result.segments} segments are in the index; ${result.gaps} gaps between them are explained by their runs`,
        ...(result.unreadable === 0 ? [] : [`${result.unreadable} objects could not be read: weir check names them`]),
      ]);
    } finally {
      await lock.close();
    }
  });
}
