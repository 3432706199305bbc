/** Policies: what roles and single grants allow and deny. */

import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import type { Policy } from '../../../storage/catalog/index.ts';
import { asking, askingEach } from '../access.ts';
import { callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { pathPart } from '../resources.ts';

/** What the site calls a policy. */
export const policyName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'has other characters than a-z, 0-9 and -');
/** A pattern of actions or resources. */
export const policyPattern = z
  .string()
  .max(256)
  .regex(/^[A-Za-z0-9*:/_.-]+$/, 'has characters that no action or resource has');

const statements = z
  .array(
    z.strictObject({
      effect: z.enum(['allow', 'deny']),
      actions: z.array(policyPattern).min(1).max(50),
      resources: z.array(policyPattern).min(1).max(100),
    }),
  )
  .max(100);

const policyShape = z.object({
  name: z.string(),
  description: z.string(),
  statements,
  isBuiltIn: z.boolean(),
  updatedMs: z.number(),
});

const policyFields = { description: z.string().max(500).default(''), statements };
const policyParams = z.strictObject({ name: policyName });
const onPolicy = (request: Parameters<typeof pathPart>[0]) => `policy/${pathPart(request, 'name')}`;

export function addPolicyRoutes(app: App, context: Context): void {
  const { catalog, feed } = context;
  const put = (
    caller: ReturnType<typeof callerOf>,
    policy: Pick<Policy, 'name' | 'description' | 'statements'>,
    options: { readonly isNew: boolean },
  ) => {
    const stored = catalog.change(caller.actor, ({ nowMs, note }) => {
      if (options.isNew && catalog.tables.policies.find(policy.name) !== undefined) {
        throw appError('already_exists', `a policy is called "${policy.name}" already`, { field: 'name' });
      }
      note({ action: 'policies:write', resource: `policy/${policy.name}`, detail: { isNew: options.isNew } });
      return catalog.tables.policies.put(policy, nowMs);
    });
    feed.changed('policies');
    return answerOf(stored);
  };

  app.get(
    '/api/policies',
    {
      config: askingEach('policies:read'),
      schema: { summary: 'Policies and roles', response: { 200: z.object({ policies: z.array(policyShape) }) } },
    },
    async (request) => {
      const caller = callerOf(request);
      const seen = catalog.tables.policies.list().filter((row) => caller.may('policies:read', `policy/${row.name}`));
      return { policies: seen.map(answerOf) };
    },
  );

  app.post(
    '/api/policies',
    {
      config: asking('policies:write', 'policy'),
      schema: {
        summary: 'Make a policy',
        body: z.strictObject({ name: policyName, ...policyFields }),
        response: { 201: policyShape },
      },
    },
    async (request, reply) => reply.code(201).send(put(callerOf(request), request.body, { isNew: true })),
  );

  app.get(
    '/api/policies/:name',
    {
      config: asking('policies:read', onPolicy),
      schema: { summary: 'One policy', params: policyParams, response: { 200: policyShape } },
    },
    async (request) => {
      const policy = catalog.tables.policies.find(request.params.name);
      if (policy === undefined) throw appError('not_found', 'no such policy', { policy: request.params.name });
      return answerOf(policy);
    },
  );

  app.put(
    '/api/policies/:name',
    {
      config: asking('policies:write', onPolicy),
      schema: {
        summary: 'Make or replace a policy; roles of the release cannot be replaced',
        params: policyParams,
        body: z.strictObject(policyFields),
        response: { 200: policyShape },
      },
    },
    async (request) => put(callerOf(request), { name: request.params.name, ...request.body }, { isNew: false }),
  );

  app.delete(
    '/api/policies/:name',
    {
      config: asking('policies:write', onPolicy),
      schema: { summary: 'Remove a policy that nobody has', params: policyParams, response: { 204: z.null() } },
    },
    async (request, reply) => {
      const { name } = request.params;
      catalog.change(callerOf(request).actor, ({ note }) => {
        catalog.tables.policies.remove(name);
        note({ action: 'policies:write', resource: `policy/${name}`, detail: { isRemoved: true } });
      });
      feed.changed('policies');
      return reply.code(204).send(null);
    },
  );
}

function answerOf(policy: Policy): z.infer<typeof policyShape> {
  return {
    ...policy,
    statements: policy.statements.map(({ effect, actions, resources }) => ({
      effect,
      actions: [...actions],
      resources: [...resources],
    })),
  };
}
