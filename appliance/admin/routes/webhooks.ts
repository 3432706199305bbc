/** Whom alarms are told over HTTP. Addresses and secrets are kept sealed; a secret is told once, when it is made. */

import { Gauge } from 'prom-client';
import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import type { Webhook } from '../../../storage/catalog/index.ts';
import { alarmCodes, severities } from '../../alarms/index.ts';
import { newSecret, parseTarget, webhookLimits } from '../../webhooks/index.ts';
import { asking, askingEach } from '../access.ts';
import { callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { adminLimits } from '../limits.ts';
import { requestSignal } from '../request-signal.ts';
import { pathPart } from '../resources.ts';
import { displayName, idParam } from '../shapes.ts';

const code = z.enum(alarmCodes as [string, ...string[]]);

const webhookInput = z.strictObject({
  name: displayName,
  url: z.string().min(1).max(webhookLimits.urlCharactersMax).describe('http or https; kept sealed'),
  tls: z.enum(['verify', 'any']).default('verify'),
  severityMin: z.enum(severities).default('warning').describe('less severe alarms are not told'),
  codes: z
    .array(code)
    .max(alarmCodes.length)
    .nullable()
    .default(null)
    .describe('null: alarms of all codes; none: only topics lead here'),
  isEnabled: z.boolean().default(true),
});

const webhookChange = z.strictObject({
  name: displayName.optional(),
  url: z.string().min(1).max(webhookLimits.urlCharactersMax).optional(),
  tls: z.enum(['verify', 'any']).optional(),
  severityMin: z.enum(severities).optional(),
  codes: z.array(code).max(alarmCodes.length).nullable().optional(),
  isEnabled: z.boolean().optional(),
});

const webhookShape = z.object({
  id: z.string(),
  name: z.string(),
  origin: z.string().describe('scheme, host and port of its address; the rest is not told'),
  tls: z.enum(['verify', 'any']),
  severityMin: z.enum(severities),
  codes: z.array(z.string()).nullable(),
  isEnabled: z.boolean(),
  waiting: z.number().describe('deliveries that it is still to be told'),
  oldestWaitingMs: z.number().nullable(),
  createdMs: z.number(),
  updatedMs: z.number(),
});

const deliveryShape = z.object({
  sequence: z.number(),
  id: z.string().describe('the header webhook-id: the same for every attempt'),
  event: z.string(),
  alarmId: z.string().nullable(),
  createdMs: z.number(),
  state: z.enum(['waiting', 'delivered', 'given-up']),
  attempts: z.number(),
  nextAttemptMs: z.number().nullable(),
  status: z.number().nullable(),
  durationMs: z.number().nullable(),
  error: z.string().nullable(),
  endedMs: z.number().nullable(),
});

const withSecret = z.object({ webhook: webhookShape, secret: z.string().describe('told once') });
const params = z.strictObject({ webhookId: idParam });

export function addWebhookRoutes(app: App, context: Context): void {
  const { catalog, courier, feed, random, webhookSecrets } = context;
  const { webhooks, deliveries } = catalog.tables;
  /** One test at a time for each target: a button is pressed twice. */
  const testing = new Set<string>();
  const one = (action: string) => asking(action, (request) => `webhook/${pathPart(request, 'webhookId')}`);
  addWebhookMetrics(context);

  const answersOf = (list: readonly Webhook[]): z.infer<typeof webhookShape>[] => {
    const waiting = new Map(deliveries.waiting().map((each) => [each.webhookId, each]));
    return list.map(({ sealedUrl: _, sealedSecret: __, codes, ...webhook }) => ({
      ...webhook,
      codes: codes === null ? null : [...codes],
      waiting: waiting.get(webhook.id)?.waiting ?? 0,
      oldestWaitingMs: waiting.get(webhook.id)?.oldestMs ?? null,
    }));
  };
  const answerOf = (webhook: Webhook) => answersOf([webhook])[0] as z.infer<typeof webhookShape>;
  const sealed = (url: string) => ({
    sealedUrl: webhookSecrets.seal(parseTarget(url).href),
    origin: parseTarget(url).origin,
  });

  app.get(
    '/api/webhooks',
    {
      config: askingEach('webhooks:read'),
      schema: { summary: 'Webhooks', response: { 200: z.object({ webhooks: z.array(webhookShape) }) } },
    },
    async (request) => {
      const caller = callerOf(request);
      return {
        webhooks: answersOf(webhooks.list().filter(({ id }) => caller.may('webhooks:read', `webhook/${id}`))),
      };
    },
  );

  app.post(
    '/api/webhooks',
    {
      config: asking('webhooks:create', 'webhook'),
      schema: {
        summary: 'Make a webhook; the answer has the secret that its deliveries are signed with, once',
        body: webhookInput,
        response: { 201: withSecret },
      },
    },
    async (request, reply) => {
      const { url, ...settings } = request.body;
      const secret = newSecret(random);
      const webhook = catalog.change(callerOf(request).actor, ({ nowMs, note }) => {
        const made = webhooks.create({ ...settings, ...sealed(url), sealedSecret: webhookSecrets.seal(secret) }, nowMs);
        note({
          action: 'webhooks:create',
          resource: `webhook/${made.id}`,
          detail: { name: made.name, origin: made.origin },
        });
        return made;
      });
      feed.changed('webhooks');
      return reply.code(201).send({ webhook: answerOf(webhook), secret });
    },
  );

  app.get(
    '/api/webhooks/:webhookId',
    { config: one('webhooks:read'), schema: { summary: 'One webhook', params, response: { 200: webhookShape } } },
    async (request) => answerOf(webhooks.require(request.params.webhookId)),
  );

  app.patch(
    '/api/webhooks/:webhookId',
    {
      config: one('webhooks:update'),
      schema: { summary: 'Change a webhook', params, body: webhookChange, response: { 200: webhookShape } },
    },
    async (request) => {
      const { url, ...rest } = request.body;
      const settings = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
      const webhook = catalog.change(callerOf(request).actor, ({ nowMs, note }) => {
        const { webhookId } = request.params;
        const changed = webhooks.update(webhookId, { ...settings, ...(url === undefined ? {} : sealed(url)) }, nowMs);
        const fields = [...Object.keys(settings), ...(url === undefined ? [] : ['url'])];
        note({ action: 'webhooks:update', resource: `webhook/${webhookId}`, detail: { name: changed.name, fields } });
        return changed;
      });
      feed.changed('webhooks');
      courier.look();
      return answerOf(webhook);
    },
  );

  app.delete(
    '/api/webhooks/:webhookId',
    {
      config: one('webhooks:delete'),
      schema: {
        summary: 'Remove a webhook, with all that it was still to be told',
        params,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      catalog.change(callerOf(request).actor, ({ note }) => {
        const { id, name } = webhooks.remove(request.params.webhookId);
        note({ action: 'webhooks:delete', resource: `webhook/${id}`, detail: { name } });
      });
      feed.changed('webhooks');
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/api/webhooks/:webhookId/secret',
    {
      config: one('webhooks:update'),
      schema: {
        summary: 'Make a new secret; what is sent from now on is signed with it',
        params,
        response: { 200: withSecret },
      },
    },
    async (request) => {
      const secret = newSecret(random);
      const webhook = catalog.change(callerOf(request).actor, ({ nowMs, note }) => {
        const sealedSecret = webhookSecrets.seal(secret);
        const changed = webhooks.update(request.params.webhookId, { sealedSecret }, nowMs);
        note({ action: 'webhooks:update', resource: `webhook/${changed.id}`, detail: { fields: ['secret'] } });
        return changed;
      });
      return { webhook: answerOf(webhook), secret };
    },
  );

  app.post(
    '/api/webhooks/:webhookId/test',
    {
      config: one('webhooks:test'),
      schema: {
        summary: 'Send a signed message that says nothing, once, and tell what became of it',
        params,
        response: {
          200: z.object({
            ok: z.boolean(),
            deliveryId: z.string(),
            status: z.number().nullable(),
            durationMs: z.number(),
            error: z.string().nullable(),
          }),
        },
      },
    },
    async (request, reply) => {
      const webhook = webhooks.require(request.params.webhookId);
      if (testing.has(webhook.id)) throw appError('resource_exhausted', 'a test of this webhook is on its way', {});
      testing.add(webhook.id);
      try {
        const { id, ...attempt } = await courier.test(webhook, { signal: requestSignal(reply) });
        return { ok: attempt.error === null, deliveryId: id, ...attempt };
      } finally {
        testing.delete(webhook.id);
      }
    },
  );
  app.get(
    '/api/webhooks/:webhookId/deliveries',
    {
      config: one('webhooks:read'),
      schema: {
        summary: 'What it was told and is to be told, newest first',
        params,
        querystring: z.strictObject({
          before: z.coerce.number().int().min(1).optional().describe('the `next` of the previous answer'),
          limit: z.coerce.number().int().min(1).max(adminLimits.pageRowsMax).default(adminLimits.pageRowsDefault),
        }),
        response: { 200: z.object({ deliveries: z.array(deliveryShape), next: z.number().nullable() }) },
      },
    },
    async (request) => {
      const { id } = webhooks.require(request.params.webhookId);
      const { before, limit } = request.query;
      const rows = deliveries.list(id, { limit, before });
      return {
        deliveries: rows.map(({ body: _, webhookId: __, nextAttemptMs, ...row }) => ({
          ...row,
          nextAttemptMs: row.state === 'waiting' ? nextAttemptMs : null,
        })),
        next: rows.length < limit ? null : (rows.at(-1)?.sequence ?? null),
      };
    },
  );
}

function addWebhookMetrics({ catalog, clock, courier, registry }: Context): void {
  const registers = [registry];
  new Gauge({
    name: 'weir_webhook_attempts_total',
    help: 'Deliveries tried since the start, by how it went',
    labelNames: ['webhook', 'outcome'],
    registers,
    collect() {
      this.reset();
      for (const [key, count] of courier.outcomes) {
        const [webhook = '', outcome = ''] = key.split(' ');
        this.set({ webhook, outcome }, count);
      }
    },
  });
  const oldest = new Gauge({
    name: 'weir_webhook_oldest_waiting_seconds',
    help: 'Age of the oldest delivery that waits',
    labelNames: ['webhook'],
    registers,
  });
  new Gauge({
    name: 'weir_webhook_waiting',
    help: 'Deliveries that wait',
    labelNames: ['webhook'],
    registers,
    collect() {
      this.reset();
      oldest.reset();
      for (const { webhookId, waiting, oldestMs } of catalog.tables.deliveries.waiting()) {
        this.set({ webhook: webhookId }, waiting);
        oldest.set({ webhook: webhookId }, Math.max(0, clock.wallMs() - oldestMs) / 1_000);
      }
    },
  });
}
