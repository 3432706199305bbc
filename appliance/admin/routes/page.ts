/** The page: files that `npm start` built, for everyone; what they show comes from the API, for those who are logged in. */

import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fastifyStatic } from '@fastify/static';
import { publicly } from '../access.ts';
import type { App } from '../http-app.ts';

const missing = `<!doctype html><meta charset="utf-8"><title>Weir</title>
<p>Weir runs, but its page was not built: run <code>npm start</code> again, or use the API at <code>/api/openapi.json</code>.</p>
`;

export async function addPageRoutes(app: App, directory: string): Promise<void> {
  const isBuilt = await access(join(directory, 'index.html')).then(
    () => true,
    () => false,
  );
  if (!isBuilt) {
    app.get('/', { config: publicly, schema: { hide: true } }, (_request, reply) =>
      reply.type('text/html; charset=utf-8').send(missing),
    );
    return;
  }
  await app.register(fastifyStatic, { root: directory, serve: false, index: false, dotfiles: 'deny' });
  app.get('/', { config: publicly, schema: { hide: true } }, (_request, reply) =>
    // A new release's page names new assets: it is asked for each time.
    reply.header('cache-control', 'no-cache').sendFile('index.html', { cacheControl: false }),
  );
  app.get<{ Params: { '*': string } }>('/assets/*', { config: publicly, schema: { hide: true } }, (request, reply) =>
    // Their names carry a digest of their content.
    reply
      .header('cache-control', 'public, max-age=31536000, immutable')
      .sendFile(`assets/${request.params['*']}`, { cacheControl: false }),
  );
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (!entry.isFile() || entry.name === 'index.html') continue;
    app.get(`/${entry.name}`, { config: publicly, schema: { hide: true } }, (_request, reply) =>
      reply.sendFile(entry.name, { maxAge: 3_600_000 }),
    );
  }
}
