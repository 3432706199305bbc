/** The role `onvif`: cameras asked over ONVIF, in a process of its own, since what they answer is a stranger's. */

import { join } from 'node:path';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { countedSink, type EventSink, Onvif, onvifRequests, registerOnvifMetrics } from '../../gateway/onvif/index.ts';
import { AddressPolicy } from '../../storage/base/address-policy.ts';
import { type Closable, Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { LaneServer } from '../../storage/lane/index.ts';
import type { Plan } from '../../storage/model/camera.ts';
import type { RoleContext } from './role-context.ts';

export async function startOnvif(context: RoleContext): Promise<Closable> {
  const { clock, config, log, random, paths, link, start } = context;
  const lifetime = new Lifetime();
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });

  const sink = countedSink(loggedEvents(log), registry);
  const addresses = new AddressPolicy({ networks: config.cameras.allowedNetworks });
  const onvif = lifetime.own(new Onvif({ addresses, clock, log, random, sink }));
  registerOnvifMetrics({ onvif, registry });
  const requests = onvifRequests({ clock, onvif, metrics: () => registry.metrics() }, { signal: lifetime.signal });
  const server = new LaneServer(
    { log, handlers: { requests } },
    { path: join(paths.run, 'onvif.sock'), role: 'onvif' },
  );
  lifetime.own(server);
  await server.start();
  const apply = ({ devices }: Plan) => {
    onvif.apply(devices).catch((error: unknown) => log.error('devices could not be taken over', { error }));
  };
  link.onPlan(apply);
  apply(start.plan);
  return lifetime;
}

/** Events as lines of the log. */
function loggedEvents(log: Log): EventSink {
  return {
    began: ({ rangeId, cameraId, kind, detail }) => log.debug('event began', { rangeId, cameraId, kind, ...detail }),
    ended: ({ rangeId, cameraId, kind }, { endMs, isCertain }) =>
      log.debug('event ended', { rangeId, cameraId, kind, endMs, isCertain }),
  };
}
