/** API tokens of programs. The secret is told once, when the token is made. */

import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import { asking, askingEach } from '../access.ts';
import { callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { pathPart } from '../resources.ts';
import { displayName, idParam } from '../shapes.ts';
import { time } from '../times.ts';
import { sealDigests } from '../token-digests.ts';
import { grantFields } from './users.ts';

const tokenShape = z.object({
  id: z.string(),
  name: z.string(),
  role: z.string().nullable(),
  policies: z.array(z.string()),
  createdBy: z.string(),
  createdMs: z.number(),
  expiresMs: z.number().nullable(),
  lastUsedMs: z.number().nullable(),
});

export function addTokenRoutes(app: App, context: Context): void {
  const { authentication, catalog, clock, feed } = context;

  app.get(
    '/api/tokens',
    {
      config: askingEach('tokens:read'),
      schema: { summary: 'API tokens', response: { 200: z.object({ tokens: z.array(tokenShape) }) } },
    },
    async (request) => {
      const caller = callerOf(request);
      const seen = catalog.tables.tokens.list().filter((token) => caller.may('tokens:read', `token/${token.id}`));
      return { tokens: seen.map((token) => ({ ...token, policies: [...token.policies] })) };
    },
  );

  app.post(
    '/api/tokens',
    {
      config: asking('tokens:create', 'token'),
      schema: {
        summary: 'Make an API token; the answer has its secret, once',
        body: z.strictObject({
          name: displayName,
          role: grantFields.role.default('viewer'),
          policies: grantFields.policies.default([]),
          expires: time.nullable().default(null),
        }),
        response: { 201: z.object({ token: tokenShape, secret: z.string() }) },
      },
    },
    async (request, reply) => {
      const { name, role, policies, expires } = request.body;
      if (expires !== null && expires <= clock.wallMs()) {
        throw appError('invalid_argument', 'the token would have expired already', { field: 'expires' });
      }
      const caller = callerOf(request);
      const { secret, tokenHash } = authentication.newToken();
      const token = catalog.change(caller.actor, ({ nowMs, note }) => {
        catalog.tables.policies.requireAll([...(role === null ? [] : [role]), ...policies]);
        const createdBy = caller.subject.name;
        const sealed = (id: string) => sealDigests(context.digests, { id, name, secret });
        const made = catalog.tables.tokens.create(
          { name, role, policies, createdBy, expiresMs: expires, tokenHash, sealDigests: sealed },
          nowMs,
        );
        note({ action: 'tokens:create', resource: `token/${made.id}`, detail: { name, role, policies } });
        return made;
      });
      feed.changed('tokens');
      return reply.code(201).send({ token: { ...token, policies: [...token.policies] }, secret });
    },
  );

  app.delete(
    '/api/tokens/:tokenId',
    {
      config: asking('tokens:delete', (request) => `token/${pathPart(request, 'tokenId')}`),
      schema: {
        summary: 'Remove a token: it opens nothing from now on',
        params: z.strictObject({ tokenId: idParam }),
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const { tokenId } = request.params;
      catalog.change(callerOf(request).actor, ({ note }) => {
        const { name } = catalog.tables.tokens.remove(tokenId);
        note({ action: 'tokens:delete', resource: `token/${tokenId}`, detail: { name } });
      });
      feed.changed('tokens');
      return reply.code(204).send(null);
    },
  );
}
