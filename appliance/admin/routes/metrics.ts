/** `/metrics`: what every role measures, in one text for Prometheus. */

import { Gauge } from 'prom-client';
import type { Log } from '../../../storage/base/log.ts';
import { asking } from '../access.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { adminLimits } from '../limits.ts';
import { mergeMetrics, type RoleMetrics } from '../merge-metrics.ts';

export function addMetricsRoute(app: App, context: Context): void {
  const { ingests, keeper, log, onvif, registry } = context;
  addOwnMetrics(context);

  app.get(
    '/metrics',
    { config: asking('metrics:read', 'metrics'), schema: { summary: 'Prometheus text of all roles' } },
    async (_request, reply) => {
      const asked = [
        ...[...ingests].map(([role, lane]) =>
          metricsOf(role, () => lane.request('metrics', {}, { timeoutMs: adminLimits.metricsRequestMs }), log),
        ),
        metricsOf('keeper', () => keeper.metrics(), log),
        ...(onvif.isConnected ? [metricsOf('onvif', () => onvif.metrics(), log)] : []),
      ];
      const others = (await Promise.all(asked)).flatMap((metrics) => metrics ?? []);
      const own = { role: 'serve', text: await registry.metrics() };
      return reply.type('text/plain; version=0.0.4; charset=utf-8').send(mergeMetrics([own, ...others]));
    },
  );
}

/** A role that cannot be asked is missing from the text, which alarms better than stale numbers. */
async function metricsOf(role: string, request: () => Promise<unknown>, log: Log): Promise<RoleMetrics | undefined> {
  try {
    const text = await request();
    if (typeof text === 'string' && text.length <= adminLimits.metricsBytesMax) return { role, text };
    log.warn('metrics of a role left out', { role, reason: 'it answered with something else than a text' });
  } catch (error) {
    log.debug('metrics of a role left out', { role, error });
  }
  return undefined;
}

function addOwnMetrics({ feed, registry, roles }: Context): void {
  new Gauge({
    name: 'weir_role_up',
    help: 'Whether a process of the appliance runs (1) or not (0)',
    labelNames: ['name'],
    registers: [registry],
    collect() {
      for (const { role, state } of roles.list()) this.set({ name: role }, state === 'running' ? 1 : 0);
    },
  });
  new Gauge({
    name: 'weir_role_restarts_total',
    help: 'How often a process of the appliance was started again',
    labelNames: ['name'],
    registers: [registry],
    collect() {
      for (const { role, restarts } of roles.list()) this.set({ name: role }, restarts);
    },
  });
  new Gauge({
    name: 'weir_event_sockets',
    help: 'Pages that follow live states',
    registers: [registry],
    collect() {
      this.set(feed.size);
    },
  });
}
