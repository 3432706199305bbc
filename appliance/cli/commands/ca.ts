/** `weir ca`: our own authority, for browsers and tools to trust. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { appError, errnoOf } from '../../../storage/base/errors.ts';
import { writeFileAtomic } from '../../../storage/base/files.ts';
import { pathsOf } from '../../roles/index.ts';
import { certificateFacts } from '../../tls/index.ts';
import type { CommandContext } from '../command-context.ts';
import { addConfigFlags, configOf } from '../config-flags.ts';

export function addCaCommands(program: Command, context: CommandContext): void {
  const ca = program.command('ca').summary("export the authority of Weir's own certificate");
  const exportCommand = ca
    .command('export')
    .description(
      'Writes the certificate of our authority (PEM) to standard output or a file, to be trusted by browsers and tools.',
    )
    .option('--out <file>', 'write to this file and show the fingerprint');
  addConfigFlags(exportCommand, 'finding').action(async (flags: { out?: string }) => {
    const config = await configOf(exportCommand, context.surroundings);
    const certificate = await authorityIn(pathsOf(config).tls);
    const { fingerprint, notAfterMs } = certificateFacts(certificate);
    const facts = { fingerprint, notAfter: new Date(notAfterMs).toISOString() };
    if (flags.out === undefined) {
      context.output.result({ ...facts, certificate }, () => [certificate.trimEnd()]);
      return;
    }
    await writeFileAtomic(flags.out, certificate);
    context.output.result({ ...facts, file: flags.out }, () => [`${flags.out}: SHA-256 ${fingerprint}`]);
  });
}

async function authorityIn(directory: string): Promise<string> {
  try {
    return await readFile(join(directory, 'authority.pem'), 'utf8');
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    throw appError('not_found', `there is no authority in ${directory} yet`, {
      hint: 'it is made at the first start with tls.mode own',
    });
  }
}
