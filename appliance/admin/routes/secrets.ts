/** The site's secret store. What a secret says goes in and never out again. */

import { z } from 'zod';
import { asking, askingEach } from '../access.ts';
import { callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { pathPart } from '../resources.ts';
import { secretResource } from '../secret-store.ts';

const secretShape = z.object({
  name: z.string(),
  arn: z.string().describe('what KVS clients name it by'),
  createdBy: z.string(),
  createdMs: z.number(),
});

/** A part of ARNs. */
const secretName = z.string().regex(/^[a-zA-Z0-9_.-]{1,64}$/, 'must be 1 to 64 of a-z, A-Z, 0-9, _, . and -');

/** An address, or a small JSON document. */
const valueCharactersMax = 4_096;

const secretValue = z.string().min(1).max(valueCharactersMax);

export function addSecretRoutes(app: App, { secretStore, feed }: Context): void {
  const one = (action: string) => asking(action, (request) => secretResource(pathPart(request, 'name')));

  app.get(
    '/api/secrets',
    {
      config: askingEach('secrets:read'),
      schema: {
        summary: 'Secrets of the site, without what they say',
        response: { 200: z.object({ secrets: z.array(secretShape) }) },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      const seen = secretStore.list().filter(({ name }) => caller.may('secrets:read', secretResource(name)));
      return { secrets: seen };
    },
  );

  app.post(
    '/api/secrets',
    {
      config: asking('secrets:create', 'secret'),
      schema: {
        summary: 'Keep a secret: the address of a camera with user and password, for edge configurations',
        body: z.strictObject({ name: secretName, value: secretValue }),
        response: { 201: secretShape },
      },
    },
    async (request, reply) => {
      const made = secretStore.add(request.body, callerOf(request).actor);
      feed.changed('secrets');
      return reply.code(201).send(made);
    },
  );

  app.put(
    '/api/secrets/:name',
    {
      config: one('secrets:update'),
      schema: {
        summary:
          'Let a secret say something else under the same ARN; cameras that were configured by it keep what it said',
        params: z.strictObject({ name: secretName }),
        body: z.strictObject({ value: secretValue }),
        response: { 200: secretShape },
      },
    },
    async (request) => {
      const { value } = request.body;
      const replaced = secretStore.replace({ name: request.params.name, value }, callerOf(request).actor);
      feed.changed('secrets');
      return replaced;
    },
  );

  app.delete(
    '/api/secrets/:name',
    {
      config: one('secrets:delete'),
      schema: {
        summary: 'Forget a secret; cameras that were configured by it keep what it said',
        params: z.strictObject({ name: secretName }),
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      secretStore.remove(request.params.name, callerOf(request).actor);
      feed.changed('secrets');
      return reply.code(204).send(null);
    },
  );
}
