/**
 * The configuration of the Weir that a command looks at. While it runs that is what it was started with, which it left in its data
 * directory; flags of the command win over it. Else it is what the command's flags, environment and file say.
 */

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { systemClock } from '../../storage/base/clock.ts';
import { type AppError, isAppError } from '../../storage/base/errors.ts';
import { pathsUnder } from '../../storage/model/paths.ts';
import { type Config, withFlags } from '../config/index.ts';
import type { ConfigOrigin } from '../doctor/index.ts';
import { installDirectory } from '../roles/index.ts';
import { readRunningConfiguration } from '../supervisor/index.ts';
import { configFileOf, configOf, flagsOf, type Surroundings } from './config-flags.ts';

export type RunningConfig = {
  readonly config: Config;
  readonly configOrigin: ConfigOrigin;
  /** What is wrong with the command's own: of a Weir that runs this is told of its next start. */
  readonly configFault: { readonly message: string; readonly hint: string | undefined } | undefined;
};

/** @throws AppError invalid_argument  a flag is wrong; or no Weir runs and its configuration is wrong */
export async function runningConfigOf(command: Command, surroundings: Surroundings): Promise<RunningConfig> {
  const own = await configOf(command, surroundings).catch((error: unknown) => {
    if (!isAppError(error, 'invalid_argument')) throw error;
    return error;
  });
  const configFault = own instanceof Error ? { message: own.message, hint: own.hint } : undefined;
  // Whoever names a file wants that one.
  const running = configFileOf(command) === undefined ? await runningIn(own, command, surroundings) : undefined;
  if (running !== undefined) return { config: running, configOrigin: 'running', configFault };
  if (own instanceof Error) throw own;
  return { config: own, configOrigin: 'command', configFault: undefined };
}

async function runningIn(
  own: Config | AppError,
  command: Command,
  { environment, workingDirectory }: Surroundings,
): Promise<Config | undefined> {
  const flags = flagsOf(command);
  const named = flags.dataDirectory ?? environment.WEIR_DATA_DIRECTORY;
  const guessed = named === undefined ? resolve(installDirectory, 'data') : resolve(workingDirectory, named);
  const dataDirectory = own instanceof Error ? guessed : own.dataDirectory;
  const runDirectory = pathsUnder(dataDirectory).run;
  const running = await readRunningConfiguration({ clock: systemClock }, { runDirectory });
  // A container has the same directory under another name than its host.
  return running && withFlags(running, { flags: { ...flags, dataDirectory }, workingDirectory });
}
