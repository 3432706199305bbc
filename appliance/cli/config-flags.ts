/** Every key of the configuration as a flag, written from the schema. */

import { type Command, Option } from 'commander';
import { appError } from '../../storage/base/errors.ts';
import { type Config, configKeys, flagName, keyName, loadConfig } from '../config/index.ts';
import { installDirectory } from '../roles/index.ts';

const group = 'Configuration (see docker/weir.sample.yaml for what each means):';
/** What a command that only talks to a running Weir needs to find it. */
const findingKeys = ['dataDirectory'];

export type Surroundings = {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
};

/** Adds the flags to a command: all keys, or only those that find a running Weir. */
export function addConfigFlags(command: Command, which: 'all' | 'finding'): Command {
  command.addOption(
    new Option('--config <file>', 'configuration file (default: weir.yaml in the data directory)').helpGroup(group),
  );
  for (const key of configKeys()) {
    if (which === 'finding' && !findingKeys.includes(keyName(key))) continue;
    const shown = key.defaultValue === undefined ? '' : ` (default: ${JSON.stringify(key.defaultValue)})`;
    command.addOption(new Option(`--${flagName(key)} <value>`, `${key.facts.description}${shown}`).helpGroup(group));
  }
  return command;
}

/** The configuration as a command's flags, the environment and the file say. @throws AppError invalid_argument */
export function configOf(command: Command, surroundings: Surroundings): Promise<Config> {
  return loadConfig({ ...surroundings, flags: flagsOf(command), configFile: configFileOf(command), installDirectory });
}

/** The file that `--config` names. */
export function configFileOf(command: Command): string | undefined {
  const { config } = command.optsWithGlobals<Record<string, unknown>>();
  return typeof config === 'string' ? config : undefined;
}

/** Keys that were given as flags, by name. @throws AppError invalid_argument */
export function flagsOf(command: Command): Record<string, string> {
  const options = command.optsWithGlobals<Record<string, unknown>>();
  const flags: Record<string, string> = {};
  for (const key of configKeys()) {
    const value = options[camelCase(flagName(key))];
    if (value === undefined) continue;
    if (typeof value !== 'string') throw appError('invalid_argument', `--${flagName(key)} needs a value`);
    flags[keyName(key)] = value;
  }
  return flags;
}

/** As commander names what a flag sets. */
function camelCase(flag: string): string {
  return flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
