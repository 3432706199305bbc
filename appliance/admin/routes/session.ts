/** Logging in and out, one's password, and where one is logged in. */

import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import { asking, publicly } from '../access.ts';
import { allowedActions, type Subject } from '../authoriser.ts';
import { callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { isEncryptedFor } from '../identify.ts';
import { adminLimits } from '../limits.ts';
import { clearSessionCookie, setSessionCookie } from '../session-cookie.ts';
import { idParam } from '../shapes.ts';

const passwordText = z.string().min(1).max(adminLimits.passwordCharactersMax);

const sessionShape = z.object({
  subject: z.object({
    kind: z.enum(['user', 'token', 'access-key', 'device', 'role', 'stream-key', 'local', 'anonymous']),
    id: z.string(),
    name: z.string(),
    role: z.string().nullable(),
    mustChangePassword: z.boolean(),
  }),
  expiresMs: z.number().nullable(),
  actions: z.array(z.string()).describe('with wildcards: what to offer, not what is allowed'),
});

const sessionRow = z.object({
  id: z.string(),
  userId: z.string(),
  createdMs: z.number(),
  lastSeenMs: z.number(),
  expiresMs: z.number(),
  address: z.string(),
  userAgent: z.string(),
  isCurrent: z.boolean(),
});

export function addSessionRoutes(app: App, context: Context): void {
  const { authentication, catalog, clock, feed } = context;

  app.post(
    '/api/session',
    {
      config: publicly,
      schema: {
        summary: 'Log in',
        security: [],
        body: z.strictObject({ name: z.string().min(1).max(64), password: passwordText }),
        response: { 200: sessionShape },
      },
    },
    async (request, reply) => {
      const { name, password } = request.body;
      const { cookie, session } = await authentication.login(name, password, originOf(request));
      const subject = authentication.userSubject(session.userId);
      if (subject === undefined) throw appError('unauthenticated', 'wrong name or password', {});
      reply.header('set-cookie', setSessionCookie(cookie, isEncryptedFor(request)));
      return answerOf(subject, session.expiresMs);
    },
  );

  app.get(
    '/api/session',
    { config: asking('own:read', 'own'), schema: { summary: 'Who is asking', response: { 200: sessionShape } } },
    async (request) => {
      const { subject, session } = callerOf(request);
      return answerOf(subject, session?.expiresMs ?? null);
    },
  );

  app.delete(
    '/api/session',
    { config: asking('own:logout', 'own'), schema: { summary: 'Log out', response: { 204: z.null() } } },
    async (request, reply) => {
      const { session, actor } = callerOf(request);
      if (session !== undefined) {
        catalog.change(actor, ({ note }) => {
          catalog.tables.sessions.remove(session.id);
          note({ action: 'own:logout', resource: `session/${session.id}` });
        });
        feed.refreshCallers();
      }
      reply.header('set-cookie', clearSessionCookie(isEncryptedFor(request)));
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/api/session/password',
    {
      config: asking('own:password', 'own'),
      schema: {
        summary: "Change one's password; ends one's other sessions",
        body: z.strictObject({ currentPassword: passwordText, newPassword: passwordText }),
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const { subject, session } = callerOf(request);
      if (subject.kind !== 'user') throw appError('failed_precondition', 'only people have a password', {});
      await authentication.changePassword(subject.id, { ...request.body, sessionId: session?.id }, originOf(request));
      feed.refreshCallers();
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/api/sessions',
    {
      config: asking('own:sessions', 'own'),
      schema: {
        summary: "Where one is logged in; others' with the action sessions:read",
        querystring: z.strictObject({ user: z.string().max(32).optional().describe('an account, or * for all') }),
        response: { 200: z.object({ sessions: z.array(sessionRow) }) },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      const user = request.query.user ?? caller.subject.id;
      if (user !== caller.subject.id) caller.require('sessions:read', 'session');
      const sessions = catalog.tables.sessions.list({
        ...(user === '*' ? {} : { userId: user }),
        nowMs: clock.wallMs(),
        idleMsMax: adminLimits.sessionIdleMsMax,
      });
      return { sessions: sessions.map((row) => ({ ...row, isCurrent: row.id === caller.session?.id })) };
    },
  );

  app.delete(
    '/api/sessions/:sessionId',
    {
      config: asking('own:sessions', 'own'),
      schema: {
        summary: "End a session; others' with the action sessions:delete",
        params: z.strictObject({ sessionId: idParam }),
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const { sessionId } = request.params;
      const session = catalog.tables.sessions.find(sessionId);
      if (session?.userId !== caller.subject.id || caller.subject.kind !== 'user') {
        caller.require('sessions:delete', 'session');
      }
      if (session === undefined) throw appError('not_found', 'no such session', { sessionId });
      catalog.change(caller.actor, ({ note }) => {
        catalog.tables.sessions.remove(sessionId);
        note({ action: 'sessions:delete', resource: `session/${sessionId}`, detail: { user: session.userId } });
      });
      feed.refreshCallers();
      return reply.code(204).send(null);
    },
  );
}

function answerOf(subject: Subject, expiresMs: number | null): z.infer<typeof sessionShape> {
  const { kind, id, name, role, mustChangePassword } = subject;
  return { subject: { kind, id, name, role, mustChangePassword }, expiresMs, actions: allowedActions(subject) };
}

function originOf(request: FastifyRequest) {
  return {
    address: callerOf(request).address,
    userAgent: request.headers['user-agent'] ?? '',
    requestId: request.id,
  };
}
