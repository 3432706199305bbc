/** `weir import`: files become footage of a camera, at their time. */

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { appError, type ErrorCode, errnoOf, errorCodes, isAppError } from '../../../storage/base/errors.ts';
import type { ApiClient } from '../../api-client/index.ts';
import { apiOf, type CommandContext } from '../command-context.ts';
import { addConfigFlags } from '../config-flags.ts';

const importShape = z.looseObject({
  id: z.string(),
  state: z.string(),
  fileBytes: z.number(),
  durationMs: z.number().nullable(),
  mediaMs: z.number(),
  beginMs: z.number().nullable(),
  endMs: z.number().nullable(),
  fragments: z.number(),
  bytes: z.number(),
  alreadyThere: z.number(),
  skipped: z.number(),
  dropped: z.record(z.string(), z.number()),
  notes: z.array(z.string()),
  fault: z.object({ code: z.enum(errorCodes), message: z.string(), hint: z.string().nullable() }).nullable(),
  remainingMs: z.number().nullable(),
});
const camerasShape = z.looseObject({ cameras: z.array(z.looseObject({ id: z.string(), name: z.string() })) });

type Import = z.infer<typeof importShape>;
type Flags = {
  readonly camera: string;
  readonly at: string;
  readonly skipExisting?: boolean;
  readonly keep?: boolean;
};

/** How often a running import is asked how far it is. */
const lookMs = 300;

export function addImportCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('import <file...>')
    .summary('bring video files in as footage')
    .description(
      'Brings MP4, MKV and MPEG-TS files into a camera, at the time when they were made. Several files follow one another. ' +
        'Run again after an interruption: what is stored already is passed over, and nothing is doubled.',
    )
    .requiredOption('--camera <camera>', 'its name or id')
    .addOption(
      new Option(
        '--at <time>',
        'when the first picture was taken (2026-01-31T12:00:00+01:00), or "file" for what the file says',
      ).makeOptionMandatory(),
    )
    .option(
      '--skip-existing',
      'import only what is missing; otherwise footage that lies there already is a reason to stop',
    )
    .option('--keep', 'protect the footage by a hold: for files that are older than the camera keeps its recordings');
  addConfigFlags(command, 'finding').action(async (files: readonly string[], flags: Flags) => {
    const api = await apiOf(command, context);
    const cameraId = await cameraIdOf(api, flags.camera);
    const done: (Import & { readonly file: string })[] = [];
    let at = flags.at;
    let fault: Import['fault'] = null;
    for (const file of files) {
      const result = await importFile(api, { file, cameraId, at, flags }, context);
      done.push({ file, ...result });
      fault ??= result.fault;
      // Without an end nobody knows where the next file goes on; after a part of one, there would be a gap.
      if (result.state !== 'done') break;
      if (flags.at !== 'file') at = String(result.endMs ?? at);
    }
    context.output.result({ imports: done }, () => done.flatMap(linesOf));
    if (fault === null) return;
    const left = files.length - done.length;
    const hint = [fault.hint ?? undefined, left > 0 ? `${left} more files were not begun` : undefined];
    throw failure(fault.code, fault.message, hint.filter((text) => text !== undefined).join('; '));
  });
}

async function importFile(
  api: ApiClient,
  request: { readonly file: string; readonly cameraId: string; readonly at: string; readonly flags: Flags },
  { output, signal }: CommandContext,
): Promise<Import> {
  const { file, cameraId, at, flags } = request;
  const { size } = await statOf(file);
  const query = new URLSearchParams({ at, name: basename(file).slice(0, 255) });
  if (flags.skipExisting === true) query.set('skipExisting', 'true');
  if (flags.keep === true) query.set('keep', 'true');
  return output.progress(`importing ${basename(file)}`, async (tell) => {
    let sentBytes = 0;
    const body = createReadStream(file, { highWaterMark: 256 * 1024 });
    body.on('data', (chunk) => {
      sentBytes += chunk.length;
      tell(`${megabytes(sentBytes)} of ${megabytes(size)} sent`, {
        file,
        state: 'sending',
        sentBytes,
        fileBytes: size,
      });
    });
    const path = `/api/cameras/${cameraId}/imports`;
    let status = importShape.parse(await api.upload(`${path}?${query}`, { body, byteLength: size, signal }));
    while (status.state === 'waiting' || status.state === 'running') {
      const { state, fileBytes, bytes, mediaMs, durationMs, remainingMs } = status;
      tell(progressText(status), { file, state, fileBytes, bytes, mediaMs, durationMs, remainingMs });
      await output.pause(lookMs, signal).catch(async () => {
        await api.call('DELETE', `${path}/${status.id}`);
        throw appError('cancelled', 'the import was stopped', { hint: 'what is stored stays; the same line goes on' });
      });
      status = importShape.parse(await api.call('GET', `${path}/${status.id}`).catch(interrupted));
    }
    return status;
  });
}

/** The server died, and does not remember. */
function interrupted(error: unknown): never {
  if (!isAppError(error, 'unavailable') && !isAppError(error, 'not_found')) throw error;
  throw appError('unavailable', `the import was interrupted: ${error.message}`, {
    cause: error,
    hint: 'run the same line again when Weir runs: it goes on, and nothing is doubled',
  });
}

async function cameraIdOf(api: ApiClient, wanted: string): Promise<string> {
  const { cameras } = camerasShape.parse(await api.call('GET', '/api/cameras'));
  const found = cameras.find(({ id, name }) => id === wanted || name === wanted);
  if (found !== undefined) return found.id;
  throw appError('not_found', `no camera is called "${wanted}"`, {
    hint: cameras.length === 0 ? 'there are no cameras yet' : `there are ${cameras.map(({ name }) => name).join(', ')}`,
  });
}

async function statOf(file: string): Promise<{ size: number }> {
  try {
    return await stat(file);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw appError('not_found', `there is no file ${file}`);
    throw error;
  }
}

function progressText({ state, mediaMs, durationMs, bytes, remainingMs }: Import): string {
  if (state === 'waiting') return 'waits for its turn';
  const left = remainingMs === null ? '' : `, ${seconds(remainingMs)} left`;
  return `${seconds(mediaMs)} of ${durationMs === null ? 'unknown' : seconds(durationMs)} read, ${megabytes(bytes)} stored${left}`;
}

function linesOf(result: Import & { readonly file: string }): string[] {
  const { file, state, beginMs, endMs, fragments, bytes, alreadyThere, skipped, dropped, notes } = result;
  const span = beginMs === null || endMs === null ? '' : ` ${iso(beginMs)} to ${iso(endMs)}`;
  const there = alreadyThere === 0 ? '' : `, ${alreadyThere} were there already`;
  const passed = skipped === 0 ? '' : `, ${skipped} passed over where footage lies`;
  const lost = Object.entries(dropped).map(([reason, count]) => `  ${leftOutText(count, reason)}`);
  return [
    `${file}: ${state}${span}, ${fragments} fragments, ${megabytes(bytes)}${there}${passed}`,
    ...notes.map((note) => `  ${note}`),
    ...lost,
  ];
}

/** Why the recorder could not store a frame, for people: of one, and of several. */
const leftOutReasons: Readonly<Record<string, readonly [string, string]>> = {
  'before-key': ['no picture before it can be decoded alone', 'no picture before them can be decoded alone'],
  'before-run': ['it lies before the first picture', 'they lie before the first picture'],
  'track-left-out': ['its track begins in the middle of the file', 'their track begins in the middle of the file'],
  'too-late': ['it comes much later in the file than its time', 'they come much later in the file than their times'],
  'time-jump': ['its time does not fit the rest of the file', 'their times do not fit the rest of the file'],
  'run-end': ['it lies behind the end of another track', 'they lie behind the end of another track'],
  'bad-size': ['it is empty, or larger than any picture', 'they are empty, or larger than any picture'],
  'not-writable': ['the disk took nothing at that time', 'the disk took nothing at that time'],
};

function leftOutText(count: number, reason: string): string {
  const [ofOne, ofMany] = leftOutReasons[reason] ?? [reason, reason];
  return count === 1 ? `1 frame left out: ${ofOne}` : `${count} frames left out: ${ofMany}`;
}

function failure(code: ErrorCode, message: string, hint: string) {
  return appError(code, message, hint === '' ? {} : { hint });
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
