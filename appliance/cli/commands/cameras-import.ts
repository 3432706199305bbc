/** `weir cameras import`: many cameras from a list. */

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { appError, errnoOf } from '../../../storage/base/errors.ts';
import { cameraColumns, splitCameraList } from '../../bulk/index.ts';
import { apiOf, type CommandContext } from '../command-context.ts';
import { addConfigFlags } from '../config-flags.ts';
import { table } from '../output.ts';

const resultsShape = z.looseObject({
  results: z.array(
    z.looseObject({
      line: z.number(),
      name: z.string(),
      url: z.string(),
      result: z.enum(['added', 'exists', 'refused']),
      message: z.string().nullable(),
      hint: z.string().nullable(),
    }),
  ),
});

type Result = z.infer<typeof resultsShape>['results'][number];
type Flags = {
  readonly username?: string;
  readonly passwordStdin?: boolean;
  readonly dryRun?: boolean;
  readonly test?: boolean;
};

/** As many as the server tests in one request. */
const testedRowsMax = 8;

export function addCameraImportCommand(cameras: Command, context: CommandContext): void {
  const { output } = context;
  const command = cameras
    .command('import <cameras.csv>')
    .description(
      `Adds the cameras of a CSV list, and says what became of each. Its first line names the columns: ${cameraColumns.join(', ')}; name and url are needed.`,
    )
    .option('--username <name>', 'user of all cameras that have none of their own in the list')
    .option('--password-stdin', 'read their password from standard input')
    .option('--test', 'add only what answers now')
    .option('--dry-run', 'only say what would be added');
  addConfigFlags(command, 'finding').action(async (file: string, flags: Flags) => {
    const text = await readList(resolve(context.surroundings.workingDirectory, file));
    const password = flags.passwordStdin === true ? (await context.readInput()).replace(/\r?\n$/, '') : '';
    const { username } = flags;
    if (flags.passwordStdin === true && username === undefined) {
      throw appError('invalid_argument', '--password-stdin needs --username');
    }
    const api = await apiOf(command, context);
    const options = {
      credentials: username === undefined ? null : { username, password },
      isTested: flags.test === true,
      isDryRun: flags.dryRun === true,
    };
    const send = async (csv: string) =>
      resultsShape.parse(await api.call('POST', '/api/cameras/bulk', { csv, ...options })).results;
    const results = flags.test === true ? await inParts(text, send, context) : await send(text);
    output.result({ results }, () => [
      ...table(['line', 'name', 'result', 'why'], results.map(row)),
      sum(results, flags),
    ]);
    const refused = results.filter(({ result }) => result === 'refused').length;
    if (refused > 0) {
      throw appError('failed_precondition', `${refused} of ${results.length} cameras were refused`, {
        hint: 'correct the list and import it again: cameras that are there already are left alone',
      });
    }
  });
}

/** Tests take long: a few cameras a request, with a sign of life between. */
async function inParts(
  text: string,
  send: (csv: string) => Promise<Result[]>,
  { output, signal }: CommandContext,
): Promise<Result[]> {
  const parts = splitCameraList(text, testedRowsMax);
  const sumRows = parts.reduce((rows, { lines }) => rows + lines.length, 0);
  return output.progress('testing and adding', async (tell) => {
    const all: Result[] = [];
    for (const { csv, lines } of parts) {
      signal.throwIfAborted();
      const results = await send(csv);
      all.push(...results.map((result, i) => ({ ...result, line: lines[i] ?? result.line })));
      tell(`${all.length} of ${sumRows}`);
    }
    return all;
  });
}

async function readList(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw appError('not_found', `there is no file ${path}`, { cause: error });
    throw error;
  }
}

function row({ line, name, result, message, hint }: Result): string[] {
  return [String(line), name, result, [message, hint].filter((text) => text !== null).join('; ')];
}

function sum(results: readonly Result[], { dryRun }: Flags): string {
  const count = (result: Result['result']) => results.filter((each) => each.result === result).length;
  return `${count('added')} ${dryRun === true ? 'would be added' : 'added'}, ${count('exists')} there already, ${count('refused')} refused`;
}
