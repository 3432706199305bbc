/** What commands work with. */

import type { Command } from 'commander';
import type { ApiClient } from '../api-client/index.ts';
import { pathsOf } from '../roles/index.ts';
import { configOf, type Surroundings } from './config-flags.ts';
import type { Output } from './output.ts';

export type CommandContext = {
  readonly output: Output;
  readonly surroundings: Surroundings;
  /** One line or everything from standard input: passwords do not stand in a command, where all see them. */
  readonly readInput: () => Promise<string>;
  /** Aborts when the person or the system asks the command to end. */
  readonly signal: AbortSignal;
};

/** The running Weir of the command's data directory. Its client is loaded when it is asked for: the supervisor asks nobody. */
export async function apiOf(command: Command, context: CommandContext): Promise<ApiClient> {
  const config = await configOf(command, context.surroundings);
  const { ApiClient } = await import('../api-client/index.ts');
  return new ApiClient({ runDirectory: pathsOf(config).run });
}
