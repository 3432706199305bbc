/** `weir events`: mark that something happened at a camera, end it, list and take it back. */

import type { Command } from 'commander';
import { z } from 'zod';
import { systemClock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import type { ApiClient } from '../../api-client/index.ts';
import { apiOf, type CommandContext } from '../command-context.ts';
import { addConfigFlags } from '../config-flags.ts';
import { table } from '../output.ts';

const camerasShape = z.looseObject({ cameras: z.array(z.looseObject({ id: z.string(), name: z.string() })) });
const madeShape = z.looseObject({ id: z.string() });
const rangesShape = z.looseObject({
  ranges: z.array(
    z.looseObject({
      id: z.string(),
      kind: z.string(),
      source: z.string(),
      beginMs: z.number(),
      endMs: z.number().nullable(),
    }),
  ),
});

const dayMs = 86_400_000;

type Span = { readonly begin: string; readonly end: string };

export function addEventCommands(program: Command, context: CommandContext): void {
  const events = program.command('events').summary('mark footage that matters, list what marked it');
  const { output } = context;

  const mark = events
    .command('mark <camera>')
    .description('Marks that something happened: footage around it is kept as that of an event, also of the past.')
    .option('--begin <time>', 'when it began: 2026-01-31T12:00:00+01:00 (default: now)')
    .option(
      '--end <time>',
      'when it ended; with --begin alone it goes on until `weir events end`, for a day at most; without both it is this moment',
    )
    .option('--kind <kind>', 'what it was, in a word of a-z, 0-9 and -', 'manual')
    .option('--note <text>', 'a remark for people');
  type MarkFlags = Partial<Span> & { readonly kind: string; readonly note?: string };
  addConfigFlags(mark, 'finding').action(async (camera: string, flags: MarkFlags) => {
    const api = await apiOf(mark, context);
    const { kind, note } = flags;
    const now = new Date(systemClock.wallMs()).toISOString();
    const { begin = now, end = flags.begin === undefined ? now : null } = flags;
    const detail = note === undefined ? {} : { note };
    const made = madeShape.parse(await api.call('POST', await pathOf(api, camera), { begin, end, kind, detail }));
    output.result(made, () => [`marked as ${made.id}`]);
  });

  const end = events
    .command('end <camera> <id>')
    .description('Ends an event that goes on, or ends it at another time.')
    .requiredOption('--end <time>', 'when it ended');
  addConfigFlags(end, 'finding').action(async (camera: string, id: string, flags: { readonly end: string }) => {
    const api = await apiOf(end, context);
    await api.call('PATCH', `${await pathOf(api, camera)}/${encodeURIComponent(id)}`, { end: flags.end });
    output.result({ id }, () => [`${id} has ended`]);
  });

  const remove = events
    .command('remove <camera> <id>')
    .description('Takes an event back: what only it marked goes as if nothing had happened.');
  addConfigFlags(remove, 'finding').action(async (camera: string, id: string) => {
    const api = await apiOf(remove, context);
    await api.call('DELETE', `${await pathOf(api, camera)}/${encodeURIComponent(id)}`);
    output.result({ id }, () => [`${id} is gone`]);
  });

  const list = events
    .command('list <camera>')
    .description('Lists events of a span, the newest last: of the last 24 hours when none is given.')
    .option('--begin <time>', 'from when on (default: 24 hours before the end)')
    .option('--end <time>', 'up to when (default: now)');
  addConfigFlags(list, 'finding').action(async (camera: string, flags: Partial<Span>) => {
    const api = await apiOf(list, context);
    const query = new URLSearchParams(wholeSpan(flags, systemClock.wallMs()));
    const found = rangesShape.parse(await api.call('GET', `${await pathOf(api, camera)}?${query}`));
    output.result(found, () =>
      table(
        ['begin', 'end', 'kind', 'by', 'id'],
        found.ranges.map(({ id, kind, source, beginMs, endMs }) => [
          new Date(beginMs).toISOString(),
          endMs === null ? 'goes on' : new Date(endMs).toISOString(),
          ...[kind, source, id],
        ]),
      ),
    );
  });
}

/** What is no time at all is left to the server to refuse, by its name. */
function wholeSpan({ begin, end }: Partial<Span>, nowMs: number): Span {
  const writtenMs = end === undefined ? nowMs : /^\d+$/.test(end) ? Number(end) : Date.parse(end);
  const endMs = Number.isFinite(writtenMs) ? writtenMs : nowMs;
  return { begin: begin ?? String(Math.round(endMs - dayMs)), end: end ?? String(Math.ceil(nowMs)) };
}

async function pathOf(api: ApiClient, camera: string): Promise<string> {
  const { cameras } = camerasShape.parse(await api.call('GET', '/api/cameras'));
  const found = cameras.find(({ id }) => id === camera) ?? cameras.find(({ name }) => name === camera);
  if (found === undefined) throw appError('not_found', `no camera is called "${camera}"`);
  return `/api/cameras/${found.id}/event-ranges`;
}
