/** The role `keeper`: the keeper and its requests on a socket. It looks at directories by itself, and at once when a recorder died. */

import { join } from 'node:path';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { type Closable, Lifetime } from '../../storage/base/lifecycle.ts';
import { check, Keeper, keeperRequests, registerKeeperMetrics, StoreMover } from '../../storage/keeper/index.ts';
import { LaneServer } from '../../storage/lane/index.ts';
import { OrderedStores } from '../../storage/objects/index.ts';
import { objectStoreOf, storePlansOf, storeTimeoutMsOf } from './object-store.ts';
import type { RoleContext } from './role-context.ts';

export async function startKeeper(context: RoleContext): Promise<Closable> {
  const { clock, log, config, paths, link, start } = context;
  const lifetime = new Lifetime();
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });

  const storeOf = (key: string) => (keeper.isIndexOpen ? keeper.index.queries.places.storeOf(key) : undefined);
  const store = lifetime.own(
    await objectStoreOf({ clock, log }, { config, paths, environment: process.env, storeOf, mayMake: true }),
  );
  const { bytesMax, hotBytesMax } = config.storage;
  const keeper: Keeper = lifetime.own(
    new Keeper(
      { clock, log, store, furtherProblems: () => mover?.problems ?? [] },
      { paths, hotBytesMax, storeTimeoutMs: storeTimeoutMsOf(config), ...(bytesMax === undefined ? {} : { bytesMax }) },
    ),
  );
  const mover =
    store instanceof OrderedStores
      ? new StoreMover({ clock, log, keeper, stores: store }, { plans: storePlansOf(config), directory: paths.moving })
      : undefined;
  keeper.setPlan(start.plan);
  registerKeeperMetrics({ keeper, registry }, { wallMs: () => clock.wallMs() });
  link.onPlan((plan) => keeper.setPlan(plan));
  link.onIngestEnded(() => keeper.lookNow());

  const requests = keeperRequests(
    { keeper, registry, runCheck: (options) => check({ clock, log, store }, { paths, ...options }) },
    { signal: lifetime.signal },
  );
  const server = new LaneServer(
    { log, handlers: { requests } },
    { path: join(paths.run, 'keeper.sock'), role: 'keeper' },
  );
  lifetime.own(server);
  // The socket first: where another keeper has it, this one must not touch index and files.
  await server.start();
  await keeper.start();
  if (mover !== undefined) await lifetime.own(mover).start();
  return lifetime;
}
