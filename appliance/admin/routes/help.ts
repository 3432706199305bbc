/** `/help/<code>`: the runbook, for everyone who is logged in. */

import { z } from 'zod';
import { Runbook, runbookStyle } from '../../runbook/index.ts';
import { asking } from '../access.ts';
import type { App } from '../http-app.ts';

const html = 'text/html; charset=utf-8';

export function addHelpRoutes(app: App): void {
  const runbook = new Runbook();
  runbook.start();
  const config = asking('own:read', 'own');

  app.get('/help', { config, schema: { summary: 'The runbook: all pages, as HTML' } }, async (_request, reply) =>
    reply.type(html).send(runbook.htmlOfList()),
  );

  app.get('/help/style.css', { config, schema: { hide: true } }, async (_request, reply) =>
    reply.type('text/css; charset=utf-8').send(runbookStyle),
  );

  app.get(
    '/help/:code',
    {
      config,
      schema: {
        summary: 'What a code means, how to confirm it and what to do, as HTML',
        params: z.strictObject({ code: z.string().regex(/^[a-z][a-z_-]{0,63}$/) }),
      },
    },
    async (request, reply) => reply.type(html).send(await runbook.html(request.params.code)),
  );

  app.get(
    '/api/runbook',
    {
      config,
      schema: {
        summary: 'Codes that have a page under /help',
        response: { 200: z.object({ pages: z.array(z.object({ code: z.string(), title: z.string() })) }) },
      },
    },
    async () => ({ pages: runbook.list() }),
  );
}
