/** People's accounts. Passwords are made here once and told once; afterwards they are their owners' matter. */

import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import type { User } from '../../../storage/catalog/index.ts';
import { asking, askingEach } from '../access.ts';
import { callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { pathPart } from '../resources.ts';
import { displayName, idParam } from '../shapes.ts';

const policyName = z.string().min(1).max(64);

/** What decides what a person or a token may do. */
export const grantFields = {
  role: policyName.nullable().describe('a policy such as admin, operator or viewer; null: only `policies` count'),
  policies: z.array(policyName).max(20),
};

const userShape = z.object({
  id: z.string(),
  name: z.string(),
  role: z.string().nullable(),
  policies: z.array(z.string()),
  isDisabled: z.boolean(),
  mustChangePassword: z.boolean(),
  createdMs: z.number(),
  updatedMs: z.number(),
});

const withPassword = z.object({
  user: userShape,
  oneTimePassword: z.string().describe('told this once; must be replaced at the first login'),
});

const userParams = z.strictObject({ userId: idParam });
const onUser = (request: Parameters<typeof pathPart>[0]) => `user/${pathPart(request, 'userId')}`;

export function addUserRoutes(app: App, context: Context): void {
  const { catalog, feed, passwords } = context;
  const requireGrants = (grants: {
    readonly role?: string | null | undefined;
    readonly policies?: readonly string[] | undefined;
  }) => catalog.tables.policies.requireAll([...(grants.role ? [grants.role] : []), ...(grants.policies ?? [])]);

  app.get(
    '/api/users',
    {
      config: askingEach('users:read'),
      schema: { summary: 'Accounts', response: { 200: z.object({ users: z.array(userShape) }) } },
    },
    async (request) => {
      const caller = callerOf(request);
      const seen = catalog.tables.users.list().filter((user) => caller.may('users:read', `user/${user.id}`));
      return { users: seen.map(answerOf) };
    },
  );

  app.post(
    '/api/users',
    {
      config: asking('users:create', 'user'),
      schema: {
        summary: 'Add an account; the answer has its one-time password',
        body: z.strictObject({
          name: displayName,
          role: grantFields.role.default('viewer'),
          policies: grantFields.policies.default([]),
        }),
        response: { 201: withPassword },
      },
    },
    async (request, reply) => {
      const { name, role, policies } = request.body;
      const oneTimePassword = passwords.oneTime();
      const passwordHash = await passwords.hash(oneTimePassword);
      const user = catalog.change(callerOf(request).actor, ({ nowMs, note }) => {
        requireGrants({ role, policies });
        const created = catalog.tables.users.create(
          { name, role, policies, passwordHash, mustChangePassword: true },
          nowMs,
        );
        note({ action: 'users:create', resource: `user/${created.id}`, detail: { name, role, policies } });
        return created;
      });
      feed.changed('users');
      return reply.code(201).send({ user: answerOf(user), oneTimePassword });
    },
  );

  app.get(
    '/api/users/:userId',
    {
      config: asking('users:read', onUser),
      schema: { summary: 'One account', params: userParams, response: { 200: userShape } },
    },
    async (request) => answerOf(requireUser(context, request.params.userId)),
  );

  app.patch(
    '/api/users/:userId',
    {
      config: asking('users:update', onUser),
      schema: {
        summary: 'Change an account; disabling it ends its sessions',
        params: userParams,
        body: z.strictObject({
          name: displayName.optional(),
          role: grantFields.role.optional(),
          policies: grantFields.policies.optional(),
          isDisabled: z.boolean().optional(),
        }),
        response: { 200: userShape },
      },
    },
    async (request) => {
      const { userId } = request.params;
      const change = withoutUndefined(request.body);
      const user = catalog.change(callerOf(request).actor, ({ nowMs, note }) => {
        requireGrants(request.body);
        const changed = catalog.tables.users.update(userId, change, nowMs);
        if (changed.isDisabled) catalog.tables.sessions.removeOf(userId);
        const detail = { name: changed.name, role: changed.role, changed: Object.keys(change) };
        note({ action: 'users:update', resource: `user/${userId}`, detail });
        return changed;
      });
      feed.changed('users');
      return answerOf(user);
    },
  );

  app.post(
    '/api/users/:userId/password',
    {
      config: asking('users:update', onUser),
      schema: {
        summary: 'Give an account a one-time password; ends its sessions',
        params: userParams,
        response: { 200: withPassword },
      },
    },
    async (request) => {
      const { userId } = request.params;
      requireUser(context, userId);
      const oneTimePassword = passwords.oneTime();
      const passwordHash = await passwords.hash(oneTimePassword);
      const user = catalog.change(callerOf(request).actor, ({ nowMs, note }) => {
        const changed = catalog.tables.users.update(userId, { passwordHash, mustChangePassword: true }, nowMs);
        catalog.tables.sessions.removeOf(userId);
        note({ action: 'users:update', resource: `user/${userId}`, detail: { changed: ['password'] } });
        return changed;
      });
      feed.changed('users');
      return { user: answerOf(user), oneTimePassword };
    },
  );

  app.delete(
    '/api/users/:userId',
    {
      config: asking('users:delete', onUser),
      schema: { summary: 'Remove an account', params: userParams, response: { 204: z.null() } },
    },
    async (request, reply) => {
      const { userId } = request.params;
      catalog.change(callerOf(request).actor, ({ note }) => {
        const { name } = catalog.tables.users.remove(userId);
        note({ action: 'users:delete', resource: `user/${userId}`, detail: { name } });
      });
      feed.changed('users');
      return reply.code(204).send(null);
    },
  );
}

function requireUser({ catalog }: Context, userId: string): User {
  const user = catalog.tables.users.find(userId);
  if (user === undefined) throw appError('not_found', 'no such account', { userId });
  return user;
}

function answerOf({ passwordHash: _, ...user }: User): z.infer<typeof userShape> {
  return { ...user, policies: [...user.policies] };
}

/** A partial change as `exactOptionalPropertyTypes` has it: absent, not undefined. */
function withoutUndefined<T extends object>(change: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]?: Exclude<T[Key], undefined>;
  };
}
