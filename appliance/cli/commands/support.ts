/** `weir support`: one file for whoever is to help, without secrets or pictures. */

import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { systemClock } from '../../../storage/base/clock.ts';
import { appError, errnoOf } from '../../../storage/base/errors.ts';
import { collectSupport, mainEntry } from '../../roles/index.ts';
import type { CommandContext } from '../command-context.ts';
import { addConfigFlags } from '../config-flags.ts';
import { runningConfigOf } from '../running-config.ts';

const traceSecondsMax = 120;

type Flags = {
  readonly out?: string;
  readonly camera?: string;
  readonly traceSeconds: string;
  readonly maskHosts?: boolean;
};

export function addSupportCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('support')
    .summary('one file for whoever is to help, without secrets or pictures')
    .description(
      'Collects logs, metrics, configuration, versions, alarms and what the doctor says into one file (tar.gz). No password, token, key or picture is in it; read it before you send it. Works whether Weir runs or not.',
    )
    .option('--out <file>', 'where to write it (default: weir-support-<time>.tar.gz here)')
    .option('--camera <name-or-id>', 'add what is said with this camera, without login and payload')
    .option('--trace-seconds <seconds>', `how long that camera is listened to, up to ${traceSecondsMax}`, '10')
    .option('--mask-hosts', 'replace names and addresses of hosts by words');
  addConfigFlags(command, 'all').action(async (flags: Flags) => {
    const { output, signal, surroundings } = context;
    const seconds = Number(flags.traceSeconds);
    if (!(seconds >= 1 && seconds <= traceSecondsMax)) {
      throw appError('invalid_argument', `--trace-seconds must be 1 to ${traceSecondsMax}`);
    }
    const { config, configOrigin } = await runningConfigOf(command, surroundings);
    const time = new Date(systemClock.wallMs()).toISOString().slice(0, 19).replace(/[:T]/g, '-');
    const path = resolve(surroundings.workingDirectory, flags.out ?? `weir-support-${time}.tar.gz`);
    const traceMs = flags.camera === undefined ? 0 : seconds * 1000;
    const wishes = { camera: flags.camera, traceMs, areHostsMasked: flags.maskHosts === true };
    const bytes = await output.progress('collecting', () =>
      collectSupport({ clock: systemClock }, { entry: mainEntry, signal, config, configOrigin, ...wishes }),
    );
    await writeFile(path, bytes, { mode: 0o600 }).catch((error: unknown) => {
      throw appError('failed_precondition', `cannot write ${path} (${errnoOf(error)})`, {
        hint: 'name another by --out',
      });
    });
    output.result({ path, byteLength: bytes.length }, () => [`${path} (${Math.ceil(bytes.length / 1000)} kB)`]);
  });
}
