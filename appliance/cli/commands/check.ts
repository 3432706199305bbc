/** `weir check`: are all recordings whole? Looks at files and index itself, whether Weir runs or not, and never writes. */

import { type Command, Option } from 'commander';
import { systemClock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import { createLog } from '../../../storage/base/log.ts';
import type { CheckLevel, CheckResult } from '../../../storage/keeper/index.ts';
import { objectStoreOf, pathsOf } from '../../roles/index.ts';
import type { CommandContext } from '../command-context.ts';
import { addConfigFlags } from '../config-flags.ts';
import { runningConfigOf } from '../running-config.ts';

const levels: readonly CheckLevel[] = ['presence', 'size', 'hash'];

export function addCheckCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('check')
    .summary('are all recordings whole?')
    .description(
      'Compares index, files and object store, and tells what is missing or damaged. Reads only, so it may run beside the appliance.',
    )
    .addOption(
      new Option(
        '--level <level>',
        'presence: rows and files meet; size: lengths and tables too; hash: every byte is read',
      )
        .choices(levels)
        .default('size'),
    );
  addConfigFlags(command, 'all').action(async (flags: { level: CheckLevel }) => {
    const { config } = await runningConfigOf(command, context.surroundings);
    const paths = pathsOf(config);
    // Loaded when needed: the supervisor, which this program also is, has no use for a database.
    const { check } = await import('../../../storage/keeper/index.ts');
    const log = createLog({ level: 'silent' });
    const { environment } = context.surroundings;
    const store = await objectStoreOf({ clock: systemClock, log }, { config, paths, environment });
    const result = await context.output.progress('checking', (tell) =>
      check(
        { clock: systemClock, log, store },
        {
          paths,
          level: flags.level,
          signal: context.signal,
          onProgress: ({ done, total, findings }) =>
            tell(`${done} of about ${total} looked at, ${findings === 0 ? 'nothing found' : `${findings} found`}`),
        },
      ).finally(() => store.close()),
    );
    context.output.result(result, () => linesOf(result));
    const alarms = result.findings.filter((finding) => finding.severity === 'alarm').length;
    if (alarms > 0) {
      throw appError('data_loss', `${alarms} ${alarms === 1 ? 'recording is' : 'recordings are'} damaged or missing`);
    }
  });
}

function linesOf({ level, findings, segments, objects, files, skipped }: CheckResult): string[] {
  return [
    ...findings.flatMap(({ severity, invariant, what, where, hint }) => [
      `${severity} (invariant ${invariant}): ${what}`,
      `  ${where}`,
      `  ${hint}`,
    ]),
    ...skipped.map((text) => `not looked at: ${text}`),
    `${segments} segments, ${objects} objects, ${files} journal files at level ${level}: ${findings.length === 0 ? 'all well' : `${findings.length} found`}`,
  ];
}
