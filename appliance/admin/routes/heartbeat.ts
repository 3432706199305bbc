/** The heartbeat: a URL that is asked for while the appliance is well. */

import { Gauge } from 'prom-client';
import { z } from 'zod';
import { parseTarget, webhookLimits } from '../../webhooks/index.ts';
import { asking } from '../access.ts';
import { callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';

const heartbeatShape = z.object({
  settings: z
    .object({
      origin: z.string().describe('scheme, host and port of its address; the rest is not told'),
      method: z.enum(['GET', 'POST']),
      periodS: z.number(),
      tls: z.enum(['verify', 'any']),
    })
    .nullable()
    .describe('null: there is none'),
  isWell: z
    .boolean()
    .describe(
      'every part works (as /readyz says), alarms are watched, and no critical alarm stands; else nothing is sent',
    ),
  illness: z.string().nullable(),
  last: z
    .object({ atMs: z.number(), status: z.number().nullable(), durationMs: z.number(), error: z.string().nullable() })
    .nullable()
    .describe('null: none since the start'),
});

export function addHeartbeatRoutes(app: App, { catalog, heartbeat, registry, webhookSecrets }: Context): void {
  const answer = (): z.infer<typeof heartbeatShape> => {
    const { settings, illness, last } = heartbeat;
    const { sealedUrl: _, ...shown } = settings ?? {};
    return {
      settings: settings === undefined ? null : (shown as Omit<typeof settings, 'sealedUrl'>),
      isWell: illness === undefined,
      illness: illness ?? null,
      last: last ?? null,
    };
  };
  new Gauge({
    name: 'weir_heartbeats_total',
    help: 'Heartbeats that arrived since the start',
    registers: [registry],
    collect() {
      this.set(heartbeat.beats);
    },
  });

  app.get(
    '/api/heartbeat',
    {
      config: asking('webhooks:read', 'webhook/heartbeat'),
      schema: { summary: 'The heartbeat, and whether the appliance is well', response: { 200: heartbeatShape } },
    },
    async () => answer(),
  );

  app.put(
    '/api/heartbeat',
    {
      config: asking('webhooks:update', 'webhook/heartbeat'),
      schema: {
        summary: 'Ask for a URL every so often while the appliance is well',
        body: z.strictObject({
          url: z.string().min(1).max(webhookLimits.urlCharactersMax).describe('http or https; kept sealed'),
          method: z.enum(['GET', 'POST']).default('GET'),
          periodS: z.number().int().min(10).max(3_600).default(60),
          tls: z.enum(['verify', 'any']).default('verify'),
        }),
        response: { 200: heartbeatShape },
      },
    },
    async (request) => {
      const { url: text, ...settings } = request.body;
      const { href, origin } = parseTarget(text);
      catalog.change(callerOf(request).actor, ({ nowMs, note }) => {
        heartbeat.write({ ...settings, origin, sealedUrl: webhookSecrets.seal(href) }, nowMs);
        note({ action: 'webhooks:update', resource: 'webhook/heartbeat', detail: { ...settings, origin } });
      });
      heartbeat.restart();
      return answer();
    },
  );

  app.delete(
    '/api/heartbeat',
    {
      config: asking('webhooks:delete', 'webhook/heartbeat'),
      schema: { summary: 'No heartbeat any more', response: { 204: z.null() } },
    },
    async (request, reply) => {
      catalog.change(callerOf(request).actor, ({ nowMs, note }) => {
        heartbeat.write(undefined, nowMs);
        note({ action: 'webhooks:delete', resource: 'webhook/heartbeat' });
      });
      heartbeat.restart();
      return reply.code(204).send(null);
    },
  );
}
