/** The audit list: read, never written by hand. */

import { z } from 'zod';
import { asking } from '../access.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { adminLimits } from '../limits.ts';

const entryShape = z.object({
  id: z.number(),
  atMs: z.number(),
  subject: z.object({ kind: z.string(), id: z.string(), name: z.string() }),
  action: z.string(),
  resource: z.string(),
  outcome: z.enum(['done', 'refused']),
  address: z.string(),
  requestId: z.string(),
  detail: z.record(z.string(), z.unknown()),
});

export function addAuditRoutes(app: App, { catalog }: Context): void {
  app.get(
    '/api/audit',
    {
      config: asking('audit:read', 'audit'),
      schema: {
        summary: 'Who did what when, newest first',
        querystring: z.strictObject({
          before: z.coerce.number().int().min(1).optional().describe('the `next` of the previous answer'),
          limit: z.coerce.number().int().min(1).max(adminLimits.pageRowsMax).default(adminLimits.pageRowsDefault),
          action: z.string().max(64).optional(),
          subject: z.string().max(32).optional().describe('id of an account or token'),
        }),
        response: { 200: z.object({ entries: z.array(entryShape), next: z.number().nullable() }) },
      },
    },
    async (request) => {
      const { before, limit, action, subject } = request.query;
      const entries = catalog.tables.audit.list({ limit, beforeId: before, action, subjectId: subject });
      return { entries, next: entries.length < limit ? null : (entries.at(-1)?.id ?? null) };
    },
  );
}
