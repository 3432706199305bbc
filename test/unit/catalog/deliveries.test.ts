import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { type DeliveryEvent, waitingMax } from '../../../storage/catalog/index.ts';
import { openTestCatalog } from './kit.ts';

async function openWithWebhook() {
  const { catalog, path } = await openTestCatalog();
  const { deliveries, webhooks } = catalog.tables;
  const settings = { name: 'guard', sealedUrl: 'v1.u', sealedSecret: 'v1.s', origin: 'https://guard.example' };
  const facts = { tls: 'verify', severityMin: 'warning', codes: null, isEnabled: true } as const;
  const { id: webhookId } = webhooks.create({ ...settings, ...facts }, 1);
  const add = (id: string, event: DeliveryEvent) =>
    deliveries.add({ id, webhookId, alarmId: null, event, body: '{}' }, 1);
  return { path, deliveries, webhookId, add };
}

test('alarms are told before the notifications of streams, however many of those wait', async () => {
  const { deliveries, webhookId, add } = await openWithWebhook();

  add('first', 'kvs.notification');
  add('second', 'kvs.notification');
  add('alarm', 'alarm.raised');

  expect(deliveries.firstWaiting(webhookId)?.id).toBe('alarm');
});

test('no notification pushes an alarm out: where too much waits, the oldest notification is given up', async () => {
  const { path, deliveries, webhookId, add } = await openWithWebhook();

  add('alarm', 'alarm.raised');
  add('notification 0', 'kvs.notification');
  // One by one would take ten seconds.
  const others = new Database(path);
  others.exec(`
    with recursive number(i) as (select 1 union all select i + 1 from number where i < ${waitingMax - 2})
    insert into deliveries (id, webhook_id, event, body, created_ms, state, attempts, next_attempt_ms)
      select 'notification ' || i, '${webhookId}', 'kvs.notification', '{}', 1, 'waiting', 0, 1 from number`);
  others.close();
  add('last', 'kvs.notification');

  expect(deliveries.waiting()).toMatchObject([{ webhookId, waiting: waitingMax }]);
  expect(deliveries.firstWaiting(webhookId)?.id).toBe('alarm');
  const oldest = deliveries.list(webhookId, { limit: 2, before: 3 });
  expect(oldest).toMatchObject([{ id: 'notification 0', state: 'given-up', body: null }, { state: 'waiting' }]);
});
