/** Access keys of KVS clients. The secret is told once, when the key is made. */

import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import { asking, askingEach } from '../access.ts';
import { accessKeyAnswer, newAccessKey } from '../access-keys.ts';
import { callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { pathPart } from '../resources.ts';
import { displayName } from '../shapes.ts';
import { time } from '../times.ts';
import { policyName } from './policies.ts';

const keyShape = z.object({
  id: z.string().describe('the access key id'),
  name: z.string(),
  policies: z.array(z.string()),
  isDisabled: z.boolean(),
  createdBy: z.string(),
  createdMs: z.number(),
  expiresMs: z.number().nullable(),
  lastUsedMs: z.number().nullable(),
});

const policyNames = z.array(policyName).min(1).max(20);
const keyParams = z.strictObject({ accessKeyId: z.string().regex(/^\w{1,128}$/, 'is not an access key id') });
const onKey = (request: Parameters<typeof pathPart>[0]) => `access-key/${pathPart(request, 'accessKeyId')}`;

export function addAccessKeyRoutes(app: App, context: Context): void {
  const { catalog, clock, random, accessKeySecrets, feed } = context;

  app.get(
    '/api/access-keys',
    {
      config: askingEach('access-keys:read'),
      schema: { summary: 'Access keys of KVS clients', response: { 200: z.object({ accessKeys: z.array(keyShape) }) } },
    },
    async (request) => {
      const caller = callerOf(request);
      const seen = catalog.tables.accessKeys.list();
      return {
        accessKeys: seen.filter((key) => caller.may('access-keys:read', `access-key/${key.id}`)).map(accessKeyAnswer),
      };
    },
  );

  app.post(
    '/api/access-keys',
    {
      config: asking('access-keys:create', 'access-key'),
      schema: {
        summary: 'Make an access key; the answer has its secret, once',
        body: z.strictObject({ name: displayName, policies: policyNames, expires: time.nullable().default(null) }),
        response: { 201: z.object({ accessKey: keyShape, secretAccessKey: z.string() }) },
      },
    },
    async (request, reply) => {
      const { name, policies, expires } = request.body;
      if (expires !== null && expires <= clock.wallMs()) {
        throw appError('invalid_argument', 'the access key would have expired already', { field: 'expires' });
      }
      const caller = callerOf(request);
      const { id, secret } = newAccessKey(random);
      const key = catalog.change(caller.actor, ({ nowMs, note }) => {
        catalog.tables.policies.requireAll(policies);
        const createdBy = caller.subject.name;
        const sealedSecret = accessKeySecrets.seal(secret);
        const made = catalog.tables.accessKeys.create(
          { id, name, policies, createdBy, expiresMs: expires, sealedSecret },
          nowMs,
        );
        note({ action: 'access-keys:create', resource: `access-key/${id}`, detail: { name, policies } });
        return made;
      });
      feed.changed('access-keys');
      return reply.code(201).send({ accessKey: accessKeyAnswer(key), secretAccessKey: secret });
    },
  );

  app.patch(
    '/api/access-keys/:accessKeyId',
    {
      config: asking('access-keys:update', onKey),
      schema: {
        summary: 'Disable or enable an access key, or give it other policies',
        params: keyParams,
        body: z.strictObject({ isDisabled: z.boolean().optional(), policies: policyNames.optional() }),
        response: { 200: keyShape },
      },
    },
    async (request) => {
      const { accessKeyId } = request.params;
      const { isDisabled, policies } = request.body;
      const change = {
        ...(isDisabled === undefined ? {} : { isDisabled }),
        ...(policies === undefined ? {} : { policies }),
      };
      const key = catalog.change(callerOf(request).actor, ({ note }) => {
        if (policies !== undefined) catalog.tables.policies.requireAll(policies);
        const updated = catalog.tables.accessKeys.update(accessKeyId, change);
        note({
          action: 'access-keys:update',
          resource: `access-key/${accessKeyId}`,
          detail: { name: updated.name, ...change },
        });
        return updated;
      });
      feed.changed('access-keys');
      return accessKeyAnswer(key);
    },
  );

  app.delete(
    '/api/access-keys/:accessKeyId',
    {
      config: asking('access-keys:delete', onKey),
      schema: {
        summary: 'Remove an access key: it signs nothing from now on',
        params: keyParams,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const { accessKeyId } = request.params;
      catalog.change(callerOf(request).actor, ({ note }) => {
        const { name } = catalog.tables.accessKeys.remove(accessKeyId);
        note({ action: 'access-keys:delete', resource: `access-key/${accessKeyId}`, detail: { name } });
      });
      feed.changed('access-keys');
      return reply.code(204).send(null);
    },
  );
}
