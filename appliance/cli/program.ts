/** The command line as a whole: its commands, its help, and what a mistake in it looks like. */

import { Command, CommanderError } from 'commander';
import { appError } from '../../storage/base/errors.ts';
import { releaseVersion } from '../roles/index.ts';
import type { CommandContext } from './command-context.ts';
import { addCaCommands } from './commands/ca.ts';
import { addCameraCommands } from './commands/cameras.ts';
import { addCheckCommand } from './commands/check.ts';
import { addDeviceCommands } from './commands/devices.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addEventCommands } from './commands/events.ts';
import { addImportCommand } from './commands/import.ts';
import { addKeyCommands } from './commands/keys.ts';
import { addRebuildIndexCommand } from './commands/rebuild-index.ts';
import { addSecretCommands } from './commands/secrets.ts';
import { addServeCommand } from './commands/serve.ts';
import { addSiteCommands } from './commands/site.ts';
import { addSupportCommand } from './commands/support.ts';
import { addTopicCommands } from './commands/topics.ts';
import { addUserCommands } from './commands/users.ts';
import { exitCodeMeanings } from './exit-codes.ts';
import type { Terminal } from './output.ts';

const examples = `
Examples:
  weir serve --demo                                    see something within seconds
  weir cameras add gate rtsp://10.0.0.21/stream1 --username admin --password-stdin < password
  weir cameras list --json | jq '.cameras[] | select(.state.state != "live") | .name'
  weir users reset-password admin                      the way back in, on the machine itself
  weir device add gate --policy uploader --out keys     a certificate by which a camera gets keys
  weir ca export --out weir-ca.pem                     to be trusted by browsers
  weir import morning.mp4 --camera gate --at 2026-01-31T06:00:00+01:00
  weir apply site.yaml --dry-run                       cameras, accounts and settings from one file
  weir check --level hash                              are all recordings whole?
  weir doctor                                          what is wrong, why, and what to do next
  weir support --camera gate                           one file for whoever is to help, without secrets

Files:
  data/              everything Weir keeps, in the folder it is installed in; --data-directory names another
  data/weir.yaml     its configuration; docker/weir.sample.yaml explains every key

Environment:
  WEIR_<KEY>         any key of the configuration, WEIR_LISTEN_PORT for listen.port; a flag wins over it
  WEIR_CONFIG        the configuration file

Exit codes:
${exitCodeMeanings.map(([code, meaning]) => `  ${String(code).padEnd(4)} ${meaning}`).join('\n')}`;

export function makeProgram(context: CommandContext, terminal: Terminal): Command {
  const program = new Command('weir')
    .description('Records cameras on a server of your own, keeps and serves the recordings.')
    .option('--json', 'print results and errors as JSON')
    .option('-V, --version', 'print the version')
    .on('option:version', () => {
      const version = releaseVersion();
      context.output.result({ version }, () => [version]);
      throw new CommanderError(0, 'weir.version', version);
    })
    .helpOption('-h, --help', 'show this, or a command and its flags: weir cameras add --help')
    .addHelpText('after', examples)
    .showSuggestionAfterError(true)
    .configureOutput({
      writeOut: (text) => void terminal.out.write(text),
      writeErr: (text) => void terminal.err.write(text),
      // A mistake is told once, by whoever ends the process.
      outputError: () => {},
    });
  addServeCommand(program, context);
  addCameraCommands(program, context);
  addUserCommands(program, context);
  addKeyCommands(program, context);
  addDeviceCommands(program, context);
  addSecretCommands(program, context);
  addTopicCommands(program, context);
  addCaCommands(program, context);
  addCheckCommand(program, context);
  addDoctorCommand(program, context);
  addRebuildIndexCommand(program, context);
  addImportCommand(program, context);
  addEventCommands(program, context);
  addSiteCommands(program, context);
  addSupportCommand(program, context);
  forAll(program, (command) => {
    command.exitOverride().copyInheritedSettings(program);
    if (command !== program && command.commands.length === 0) command.option('--json', 'print JSON');
    command.hook('preAction', (_, action) => {
      context.output.isJson = action.optsWithGlobals<{ json?: boolean }>().json === true;
    });
  });
  return program;
}

/** Undefined when help or a version was asked for, which is no failure. */
export function usageError(error: unknown) {
  if (!(error instanceof CommanderError)) return error;
  if (error.exitCode === 0) return undefined;
  const message = error.message.replace(/^error: /, '').replace(/\n/g, ' ');
  if (message === '(outputHelp)') return appError('invalid_argument', 'say what to do');
  return appError('invalid_argument', message, {
    hint: 'weir --help lists commands, weir <command> --help their flags',
  });
}

function forAll(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) forAll(child, visit);
}
