/** Usage by day: as JSON, and as CSV for spreadsheets. */

import { z } from 'zod';
import { Calendar } from '../../../storage/index/index.ts';
import { asking } from '../access.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';

const day = z.iso.date();
const rowsMax = 200_000;

const rowShape = z.object({
  day: z.string(),
  streamId: z.string(),
  stream: z.string(),
  direction: z.enum(['in', 'stored', 'out']),
  protocol: z.string(),
  subjectKind: z.string(),
  subjectId: z.string(),
  bytes: z.number(),
  requests: z.number(),
});

type Row = z.infer<typeof rowShape>;

const columns = Object.keys(rowShape.shape) as (keyof Row)[];

export function addUsageRoute(app: App, { catalog, clock, facts }: Context): void {
  app.get(
    '/api/usage',
    {
      config: asking('usage:read', 'usage'),
      schema: {
        summary: 'Bytes that came in, are stored and went out, by day, stream or channel, protocol and who asked',
        querystring: z.strictObject({
          from: day.optional().describe('first day, in the time zone of the site; 30 days ago'),
          to: day.optional().describe('last day; today'),
          stream: z.string().max(64).optional().describe('id of one stream'),
          format: z.enum(['json', 'csv']).default('json'),
        }),
        response: { 200: z.union([z.object({ rows: z.array(rowShape), isCut: z.boolean() }), z.string()]) },
      },
    },
    async (request, reply) => {
      const { from, to, stream, format } = request.query;
      const calendar = new Calendar(facts.timeZone);
      const nowMs = clock.wallMs();
      const found = catalog.tables.usage.between({
        firstDay: from ?? calendar.dayOf(nowMs - 30 * 86_400_000),
        lastDay: to ?? calendar.dayOf(nowMs),
        streamId: stream,
        limit: rowsMax,
      });
      const { cameras, channels } = catalog.tables;
      const named = [...cameras.streams(), ...channels.list()];
      const names = new Map(named.map(({ id, name }) => [id, name]));
      const rows = found.map((row): Row => ({ ...row, stream: names.get(row.streamId) ?? '' }));
      if (format === 'json') return { rows, isCut: rows.length === rowsMax };
      reply.type('text/csv; charset=utf-8').header('content-disposition', 'attachment; filename="weir-usage.csv"');
      return `${[columns.join(','), ...rows.map((row) => columns.map((name) => row[name]).join(','))].join('\r\n')}\r\n`;
    },
  );
}
