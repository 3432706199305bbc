/** The role `onvif`: cameras asked over ONVIF, in a process of its own, since what they answer is a stranger's. */

import { join } from 'node:path';
import { collectDefaultMetrics, Registry } from 'prom-client';
import {
  countedSink,
  EventOutbox,
  type EventSink,
  Onvif,
  onvifRequests,
  registerOnvifMetrics,
} from '../../gateway/onvif/index.ts';
import { AddressPolicy } from '../../storage/base/address-policy.ts';
import { type Closable, Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { LaneClient, LaneServer } from '../../storage/lane/index.ts';
import type { Plan } from '../../storage/model/camera.ts';
import { keeperEvents } from './event-store.ts';
import type { RoleContext } from './role-context.ts';

export async function startOnvif(context: RoleContext): Promise<Closable> {
  const { clock, config, log, random, paths, link, start } = context;
  const lifetime = new Lifetime();
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });

  const keeper = lifetime.own(new LaneClient({ clock, log }, { path: join(paths.run, 'keeper.sock'), name: 'onvif' }));
  keeper.start();
  const store = keeperEvents({ keeper });
  const outbox = new EventOutbox({ clock, log, store }, { path: join(paths.state, 'onvif', 'events.json') });
  lifetime.own(outbox);
  await outbox.start();
  const sink = countedSink(loggedEvents(log, outbox), registry);
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

/** Events as lines of the log, too. */
function loggedEvents(log: Log, sink: EventSink): EventSink {
  return {
    began(range) {
      const { rangeId, cameraId, kind, detail } = range;
      log.debug('event began', { ...detail, rangeId, cameraId, kind });
      sink.began(range);
    },
    ended(range, end) {
      const { rangeId, cameraId, kind } = range;
      log.debug('event ended', { rangeId, cameraId, kind, ...end });
      sink.ended(range, end);
    },
  };
}
