import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { SiteKey } from '../../../appliance/secrets/index.ts';
import { Courier, Heartbeat, newSecret } from '../../../appliance/webhooks/index.ts';
import { type Clock, systemClock } from '../../../storage/base/clock.ts';
import { createLog } from '../../../storage/base/log.ts';
import { Catalog, endedMax } from '../../../storage/catalog/index.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { isSignedWith, startReceiver } from './receiver.ts';

/** Time that runs so many times faster, so that delays of minutes are tested in seconds. */
function fastClock(speed: number): Clock {
  const beginMs = systemClock.wallMs();
  return {
    wallMs: () => beginMs + (systemClock.wallMs() - beginMs) * speed,
    monotonicMs: () => systemClock.monotonicMs() * speed,
    sleep: (durationMs, signal) => systemClock.sleep(durationMs / speed, signal),
    after: (durationMs, callback) => systemClock.after(durationMs / speed, callback),
    every: (periodMs, callback) => systemClock.every(periodMs / speed, callback),
  };
}

async function startCourier(
  options: { readonly speed?: number; readonly directory?: string; readonly addresses?: 'site' | 'public' } = {},
) {
  const directory = options.directory ?? (await temporaryDirectory());
  const clock = fastClock(options.speed ?? 20);
  const catalog = new Catalog({ clock, random: randomBytes }, { path: join(directory, 'catalog.sqlite') });
  catalog.start();
  const box = (await SiteKey.open(join(directory, 'site.key'), randomBytes)).box('webhook');
  const addresses = () => options.addresses ?? 'site';
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const deps = { clock, log: createLog({ level: 'warn', destination }), catalog, box, addresses };
  const courier = new Courier({ ...deps, random: () => 0.5 });
  courier.start();
  const close = async () => {
    await courier.close();
    await catalog.close();
  };
  onTestFinished(close);
  const { webhooks, deliveries } = catalog.tables;
  return {
    ...{ courier, catalog, clock, directory, deps, close, logged: () => lines.join('') },
    add: (name: string, url: string) => {
      const secret = newSecret(randomBytes);
      const settings = { tls: 'verify', severityMin: 'warning', codes: null, isEnabled: true } as const;
      const webhook = webhooks.create(
        { name, ...settings, origin: new URL(url).origin, sealedUrl: box.seal(url), sealedSecret: box.seal(secret) },
        clock.wallMs(),
      );
      return { webhook, secret };
    },
    tell: (webhookId: string, n: number) => {
      const body = JSON.stringify({ n, text: 'Tür' });
      deliveries.add({ id: deliveries.newId(), webhookId, alarmId: null, event: 'alarm.raised', body }, clock.wallMs());
      courier.look();
    },
  };
}

test('what is told is signed, and told in order to each target, one at a time', async () => {
  const site = await startCourier();
  const [a, b] = [await startReceiver(), await startReceiver()];
  const first = site.add('a', a.url);
  const second = site.add('b', b.url);

  for (let n = 0; n < 20; n++) {
    site.tell(first.webhook.id, n);
    site.tell(second.webhook.id, 100 + n);
  }
  await until('all is told', () => a.received.length === 20 && b.received.length === 20);

  expect(a.received.map(({ json }) => json.n)).toEqual(Array.from({ length: 20 }, (_, n) => n));
  expect(b.received.map(({ json }) => json.n)).toEqual(Array.from({ length: 20 }, (_, n) => 100 + n));
  expect(a.received.every((one) => isSignedWith(first.secret, one))).toBe(true);
  expect(a.received.some((one) => isSignedWith(second.secret, one))).toBe(false);
});

test.each([
  ['refuses', 503, 'answered 503'],
  ['hangs up', 0, 'socket hang up'],
  ['redirects', 302, 'answered 302: redirects are not followed'],
])(
  'a target that %s is told again later, in order, under the same id, and the log says why',
  async (_, status, error) => {
    const site = await startCourier();
    const target = await startReceiver();
    const { webhook } = site.add('a', target.url);
    target.answer(status);

    site.tell(webhook.id, 1);
    site.tell(webhook.id, 2);
    await until('it was tried three times', () => target.received.length >= 3);
    expect(site.catalog.tables.deliveries.list(webhook.id, { limit: 9 })[1]).toMatchObject({
      state: 'waiting',
      error: expect.stringContaining(error),
    });
    target.answer(200);
    await until('both are told', () => target.told().length === 2);

    expect(target.told().map(({ json }) => json.n)).toEqual([1, 2]);
    expect(new Set(target.received.filter(({ json }) => json.n === 1).map(({ id }) => id)).size).toBe(1);
    await until('the log says so', () =>
      site.catalog.tables.deliveries.list(webhook.id, { limit: 9 }).every(({ state }) => state === 'delivered'),
    );
  },
);

test('a target that never answers costs its time and nobody else', async () => {
  const site = await startCourier({ speed: 50 });
  const [mute, well] = [await startReceiver(), await startReceiver()];
  mute.answer(-1);
  const stuck = site.add('mute', mute.url).webhook;
  const other = site.add('well', well.url).webhook;

  site.tell(stuck.id, 1);
  for (let n = 0; n < 5; n++) site.tell(other.id, n);
  await until('the other one is told', () => well.told().length === 5);
  await until('the mute one is given its time', () =>
    site.catalog.tables.deliveries.firstWaiting(stuck.id)?.error?.includes('no answer within'),
  );
});

test('what nobody takes is given up after three days, and the next is told then', async () => {
  const site = await startCourier({ speed: 40_000 });
  const target = await startReceiver();
  target.answer(500);
  const { webhook } = site.add('a', target.url);

  site.tell(webhook.id, 1);
  await until(
    'it is given up',
    () => site.catalog.tables.deliveries.list(webhook.id, { limit: 1 })[0]?.state === 'given-up',
    50_000,
  );

  const [given] = site.catalog.tables.deliveries.list(webhook.id, { limit: 1 });
  expect((given?.endedMs ?? 0) - (given?.createdMs ?? 0)).toBeGreaterThan(72 * 3_600_000);
  expect(given?.body).toBeNull();
  target.answer(204);
  site.tell(webhook.id, 2);
  await until('the next is told', () => target.told().length === 1);
});

test('nothing is sent to an address that is not allowed', async () => {
  const site = await startCourier({ addresses: 'public' });
  const target = await startReceiver();
  const { webhook } = site.add('a', target.url);
  const metadata = site.add('m', 'http://169.254.169.254/latest/meta-data').webhook;

  const attempts = [
    await site.courier.test(webhook, { signal: new AbortController().signal }),
    await site.courier.test(metadata, { signal: new AbortController().signal }),
  ];

  expect(attempts.map(({ error }) => error?.includes('not allowed'))).toEqual([true, true]);
  expect(target.received).toEqual([]);
});

test('a test is sent at once, beside what waits, and stands in the log', async () => {
  const site = await startCourier();
  const target = await startReceiver();
  const { webhook, secret } = site.add('a', target.url);
  target.answer(503);
  site.tell(webhook.id, 1);
  await until('something waits', () => target.received.length > 0);
  target.answer(200);

  const attempt = await site.courier.test(webhook, { signal: new AbortController().signal });

  expect(attempt).toMatchObject({ status: 200, error: null });
  const told = target.received.find(({ id }) => id === attempt.id);
  expect(told?.json.event).toBe('test');
  expect(told !== undefined && isSignedWith(secret, told)).toBe(true);
  expect(site.catalog.tables.deliveries.list(webhook.id, { limit: 9 }).map(({ event }) => event)).toContain('test');
});

test('a new process tells what the one before could not', async () => {
  const before = await startCourier();
  const target = await startReceiver();
  target.answer(503);
  const { webhook } = before.add('a', target.url);
  for (let n = 0; n < 3; n++) before.tell(webhook.id, n);
  await until('it was tried', () => target.received.length > 0);
  await before.close();
  target.answer(200);

  await startCourier({ directory: before.directory });
  await until('all is told', () => target.told().length === 3);

  expect(target.told().map(({ json }) => json.n)).toEqual([0, 1, 2]);
});

test('what was told is not told again because the disk did not take the note of it', async () => {
  const site = await startCourier();
  const target = await startReceiver();
  const { webhook } = site.add('a', target.url);
  site.tell(webhook.id, 1);
  const other = new Database(join(site.directory, 'catalog.sqlite'));
  onTestFinished(() => void other.close());
  other.exec('begin immediate');

  await until('the note fails', () => site.logged().includes('webhook not told'));
  await until('it was looked again', () => site.logged().split('database is locked').length > 2, 60_000);
  other.exec('rollback');
  await until(
    'it is noted',
    () => site.catalog.tables.deliveries.list(webhook.id, { limit: 1 })[0]?.state === 'delivered',
  );

  expect(target.received).toHaveLength(1);
});

test('the log of a target keeps its newest rows, and what waits is never forgotten', async () => {
  const site = await startCourier();
  const { webhook } = site.add('a', 'http://127.0.0.1:9/');
  const { deliveries } = site.catalog.tables;
  deliveries.add({ id: 'waits', webhookId: webhook.id, alarmId: null, event: 'alarm.raised', body: '{}' }, 1);
  for (let n = 0; n < endedMax + 5; n++) {
    deliveries.addEnded(
      { id: `t${n}`, webhookId: webhook.id, event: 'test' },
      { status: 200, durationMs: 1, error: null },
      1,
    );
  }

  const kept = deliveries.list(webhook.id, { limit: 5_000 });
  expect(kept).toHaveLength(endedMax + 1);
  expect(kept.at(-1)?.id).toBe('waits');
});

test('the heart beats while the appliance is well, and is silent while it is not', async () => {
  const site = await startCourier({ speed: 50 });
  const target = await startReceiver();
  let illness: string | undefined;
  let asked = 0;
  const heartbeat = new Heartbeat({
    ...site.deps,
    illness: () => {
      asked++;
      return illness;
    },
  });
  onTestFinished(() => heartbeat.close());
  heartbeat.start();
  const settings = { origin: '', method: 'POST', periodS: 10, tls: 'verify' } as const;
  heartbeat.write({ ...settings, sealedUrl: site.deps.box.seal(target.url) }, 1);
  heartbeat.restart();

  await until('it beats', () => target.received.length >= 3);
  illness = 'keeper: cannot be reached';
  const { beats } = heartbeat;
  const askedWell = asked;
  await until('its time came again and again', () => asked > askedWell + 5);
  // One may have been on its way.
  expect(heartbeat.beats).toBeLessThanOrEqual(beats + 1);
  illness = undefined;
  await until('it beats again', () => heartbeat.beats > beats + 2);

  expect(target.received[0]?.json).toEqual({ version: 1, event: 'heartbeat' });
  expect(heartbeat.last).toMatchObject({ status: 204, error: null });
});
