/** Events of a camera reach the keeper, over its socket, whichever of both is restarted meanwhile. */

import { join } from 'node:path';
import { Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import { keeperEvents } from '../../../appliance/roles/event-store.ts';
import { EventOutbox, type EventRange } from '../../../gateway/onvif/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { IndexReader } from '../../../storage/index/index.ts';
import { Keeper, keeperRequests } from '../../../storage/keeper/index.ts';
import { LaneClient, LaneServer } from '../../../storage/lane/index.ts';
import { pathsUnder } from '../../../storage/model/paths.ts';
import { DirectoryStore } from '../../../storage/objects/index.ts';
import { planOfSources, recordingPolicy } from '../../kit/plans.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';

const [clock, log] = [systemClock, silentLog];

test('events that began and ended while the keeper was away are there when it is back; one of no stream holds up nobody', async () => {
  const paths = pathsUnder(await temporaryDirectory());
  const path = join(paths.run, 'keeper.sock');
  const startKeeper = async () => {
    const store = new DirectoryStore({ log }, { directory: paths.objects });
    const keeper = new Keeper({ clock, log, store }, { paths, periodMs: 50 });
    const runCheck = () => Promise.reject(new Error('not asked for'));
    const { signal } = new AbortController();
    const requests = keeperRequests({ keeper, registry: new Registry(), runCheck }, { signal });
    const server = new LaneServer({ log, handlers: { requests } }, { path, role: 'keeper' });
    await server.start();
    const source = { kind: 'rtsp', url: 'rtsp://camera', transport: 'tcp', tls: 'any' } as const;
    const facts = { streamId: 'door', cameraId: 'c', role: 'main', name: 'Door', source, revision: 1 } as const;
    keeper.setPlan(planOfSources({ ...facts, recording: recordingPolicy() }));
    await keeper.start();
    return async () => {
      await server.close();
      await keeper.close();
    };
  };
  const client = new LaneClient({ clock, log }, { path, name: 'onvif' });
  client.start();
  onTestFinished(() => client.close());
  const outbox = new EventOutbox(
    { clock, log, store: keeperEvents({ keeper: client }) },
    { path: join(paths.state, 'onvif', 'events.json') },
  );
  await outbox.start();
  onTestFinished(() => outbox.close());
  const index = new IndexReader({ clock, log }, { path: paths.index });
  onTestFinished(() => index.close());
  const events = () => index.eventsBetween('door', { beginMs: 0, endMs: Number.MAX_SAFE_INTEGER });
  const event = (rangeId: string, changes: Partial<EventRange> = {}): EventRange => ({
    ...{ rangeId, streamId: 'door', cameraId: 'c', kind: 'motion', beginMs: Date.now(), detail: { rule: 'gate' } },
    ...changes,
  });

  const close = await startKeeper();
  const first = event('first');
  outbox.began(first);
  await until('the first is marked', () => events().length === 1);
  await close();
  outbox.ended(first, { endMs: first.beginMs + 3_000 });
  outbox.began(event('of-nothing', { streamId: 'gone' }));
  const second = event('second');
  outbox.began(second);
  outbox.ended(second, { endMs: second.beginMs + 1_000 });
  const closeAgain = await startKeeper();

  await until('all is told', () => outbox.size === 0 || events().length === 2);
  await until('both have ended', () => events().every(({ endMs }) => endMs !== undefined));
  expect(events()).toMatchObject([
    { rangeId: 'first', source: 'onvif', endMs: first.beginMs + 3_000, detail: { rule: 'gate' } },
    { rangeId: 'second', endMs: second.beginMs + 1_000 },
  ]);
  await closeAgain();
});
