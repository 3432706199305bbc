/** `weir doctor`: what is wrong, why, and what to do next; whether Weir runs or does not even start. */

import type { Command } from 'commander';
import { systemClock } from '../../../storage/base/clock.ts';
import { isAppError } from '../../../storage/base/errors.ts';
import { loadConfig } from '../../config/index.ts';
import { areas, type Diagnosis, worstOf } from '../../doctor/index.ts';
import { diagnose, installDirectory, mainEntry } from '../../roles/index.ts';
import { helpPath } from '../../runbook/index.ts';
import type { CommandContext } from '../command-context.ts';
import { addConfigFlags } from '../config-flags.ts';
import { doctorExitCodes } from '../exit-codes.ts';
import { type RunningConfig, runningConfigOf } from '../running-config.ts';

const marks = { fault: 'FAULT', warning: 'warn', unchecked: '-', ok: 'ok' } as const;

export function addDoctorCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('doctor')
    .summary('what is wrong, why, and what to do next')
    .description(
      'Looks at machine, ports, disks, clock, names, certificates, databases, object store, ffmpeg and every camera, within about 15 s; works whether Weir runs, hangs or does not start. Writes 64 KiB to each disk and removes them, puts one object into the store and deletes it, and changes nothing else.',
    )
    .option('--all', 'show what is well too');
  addConfigFlags(command, 'all').action(async (flags: { all?: boolean }) => {
    const { output, signal } = context;
    const { config, configOrigin, configFault } = await configOrDefaults(command, context);
    const diagnosis = await output.progress('looking', () =>
      diagnose({ clock: systemClock }, { entry: mainEntry, signal, config, configOrigin, configFault }),
    );
    const verdict = worstOf(diagnosis.findings);
    output.result({ verdict, configOrigin, ...diagnosis }, () => [
      ...(configOrigin === 'running' ? ['looked at by the configuration that the running Weir was started with'] : []),
      ...linesOf(diagnosis, { isAll: flags.all === true }),
    ]);
    output.exitCode = doctorExitCodes[verdict];
  });
}

/** With a mistake in the configuration, the defaults in the same data directory: it is looked at all the same. */
async function configOrDefaults(command: Command, { surroundings }: CommandContext): Promise<RunningConfig> {
  try {
    return await runningConfigOf(command, surroundings);
  } catch (error) {
    if (!isAppError(error, 'invalid_argument')) throw error;
    const { dataDirectory } = command.optsWithGlobals<{ dataDirectory?: string }>();
    const directory = dataDirectory ?? surroundings.environment.WEIR_DATA_DIRECTORY;
    const config = await loadConfig({
      flags: directory === undefined ? {} : { dataDirectory: directory },
      environment: {},
      // A file without anything: the one that is there has the mistake.
      configFile: '/dev/null',
      workingDirectory: surroundings.workingDirectory,
      installDirectory,
    });
    return { config, configOrigin: 'command', configFault: { message: error.message, hint: error.hint } };
  }
}

function linesOf({ findings, durationMs, isRunning }: Diagnosis, { isAll }: { readonly isAll: boolean }): string[] {
  const lines: string[] = [];
  for (const area of areas) {
    const here = findings.filter((finding) => finding.area === area);
    const shown = isAll ? here : here.filter(({ verdict }) => verdict === 'fault' || verdict === 'warning');
    for (const { verdict, subject, text, next, code } of shown) {
      lines.push(`${marks[verdict].padEnd(5)}  ${area}: ${subject}: ${text}`);
      if (next !== undefined) lines.push(`       ${next}`);
      if (code !== undefined) lines.push(`       appliance/runbook/${code}.md, ${helpPath(code)} on the page`);
    }
  }
  const count = (verdict: string) => findings.filter((finding) => finding.verdict === verdict).length;
  const counts = `${count('fault')} faults, ${count('warning')} warnings, ${count('ok')} well, ${count('unchecked')} not checked`;
  return [...lines, `${counts}; Weir ${isRunning ? 'runs' : 'does not run'}; ${(durationMs / 1000).toFixed(1)} s`];
}
