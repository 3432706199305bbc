/** Alarms, webhooks and help as a person and a program at the port see them. */

import { expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { type SiteOptions, startSite, type TestSite } from '../admin/kit.ts';
import { isSignedWith, startReceiver } from './receiver.ts';

/** A keeper whose problems the test chooses. */
function keeperWith(problems: { readonly code: string; readonly message: string }[]): SiteOptions {
  return { requests: { state: () => ({ isIndexOpen: true, problems }) } };
}

const clockDoubt = { code: 'clock-doubt', message: 'the clock was set forward' };

async function alarmsOf(client: Awaited<ReturnType<TestSite['admin']>>, query = '') {
  return (await client.get(`/api/alarms${query}`)).json.alarms as {
    id: string;
    code: string;
    title: string;
    subjects: { id: string }[];
  }[];
}

async function makeWebhook(admin: Awaited<ReturnType<TestSite['admin']>>, url: string, settings = {}) {
  const { status, json } = await admin.post('/api/webhooks', { name: 'Night desk', url, ...settings });
  expect(status).toBe(201);
  return json as { webhook: { id: string; origin: string }; secret: string };
}

/** The kit's own keeper is said to wait for its start, which is an alarm too, half a minute later. */
const onlyClock = { codes: ['clock-doubt'] };
const ofClock = 'code=clock-doubt';

test('an alarm is listed, told, acknowledged and over, and each of it reaches the webhook, signed and in order', {
  timeout: 120_000,
}, async () => {
  const problems: (typeof clockDoubt)[] = [];
  const site = await startSite(keeperWith(problems));
  const admin = await site.admin();
  const target = await startReceiver();
  const { webhook, secret } = await makeWebhook(admin, target.url, onlyClock);
  problems.push(clockDoubt);

  const [alarm] = await until('the alarm stands', async () => {
    const alarms = await alarmsOf(admin, `?${ofClock}`);
    return alarms.length > 0 && alarms;
  });
  const acknowledged = await admin.post(`/api/alarms/${alarm?.id}/acknowledge`, { note: 'NTP server replaced' });
  const again = await admin.post(`/api/alarms/${alarm?.id}/acknowledge`, {});
  problems.pop();
  await until('it is over', async () => (await alarmsOf(admin, `?${ofClock}`)).length === 0, 60_000);
  await until('all was told', () => target.told().length === 3);

  expect(alarm).toMatchObject({
    severity: 'error',
    state: 'standing',
    title: 'clock of this machine: is in doubt: the clock was set forward',
    help: '/help/clock-doubt',
    subjectCount: 1,
    acknowledged: null,
  });
  expect(acknowledged.json.acknowledged).toMatchObject({ by: 'admin', note: 'NTP server replaced' });
  expect(again.status).toBe(412);
  expect(target.told().map(({ json }) => [json.event, json.alarm.code])).toEqual([
    ['alarm.raised', 'clock-doubt'],
    ['alarm.acknowledged', 'clock-doubt'],
    ['alarm.cleared', 'clock-doubt'],
  ]);
  expect(target.received.every((one) => one.json.id === one.id && isSignedWith(secret, one))).toBe(true);
  expect(await alarmsOf(admin, `?state=past&${ofClock}`)).toMatchObject([{ id: alarm?.id, state: 'past' }]);
  const log = (await admin.get(`/api/webhooks/${webhook.id}/deliveries`)).json.deliveries;
  expect(log).toMatchObject([{ event: 'alarm.cleared', state: 'delivered', status: 204, attempts: 1 }, {}, {}]);
  const audit = (await admin.get('/api/audit?action=alarms:acknowledge')).json.entries;
  expect(audit).toMatchObject([{ resource: `alarm/${alarm?.id}`, subject: { name: 'admin' } }]);
});

test('an alarm stands on when serve starts anew, and is not told twice', { timeout: 120_000 }, async () => {
  const problems: (typeof clockDoubt)[] = [];
  const before = await startSite(keeperWith(problems));
  const admin = await before.admin();
  const target = await startReceiver();
  await makeWebhook(admin, target.url, onlyClock);
  problems.push(clockDoubt);
  await until('it was told', () => target.told().length === 1);
  const [alarm] = await alarmsOf(admin, `?${ofClock}`);
  await before.close();

  const after = await startSite({ ...keeperWith(problems), data: before.data });
  const again = await after.admin();
  await until('the keeper was asked', async () => (await again.get('/api/system')).json.keeper !== null);
  problems.pop();
  await until('it is over', () => target.told().length === 2, 60_000);

  expect(target.told().map(({ json }) => [json.event, json.alarm.id])).toEqual([
    ['alarm.raised', alarm?.id],
    ['alarm.cleared', alarm?.id],
  ]);
});

test('whoever may see one camera sees its alarms, without the names of the others', async () => {
  const first = await startSite();
  const admin = await first.admin();
  const add = async (name: string) => {
    const made = await admin.post('/api/cameras', { name, source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/' } });
    return { id: made.json.id as string, streamId: made.json.streams[0].id as string };
  };
  const [door, yard] = [await add('Door'), await add('Yard')];
  const endMs = Date.now();
  first.writer.transaction((change) => {
    for (const { streamId } of [door, yard]) {
      const gap = { detail: undefined, runId: undefined, origin: 'ledger' } as const;
      const key = change.segments.streamKey(streamId);
      change.gaps.add(key, { ...gap, beginMs: endMs - 3_600_000, endMs: endMs - 60_000, reason: 'packet-loss' });
    }
  });
  await admin.put('/api/policies/door', {
    statements: [{ effect: 'allow', actions: ['alarms:read', 'alarms:acknowledge'], resources: [`camera/${door.id}`] }],
  });
  const { secret } = (await admin.post('/api/tokens', { name: 'guard', role: null, policies: ['door'] })).json;
  await first.close();
  const site = await startSite({ data: first.data });
  const everything = await site.admin();
  const guard = site.client();
  guard.token = secret;

  const [whole] = await until('the alarm stands', async () => {
    const alarms = await alarmsOf(everything);
    return alarms.length > 0 && alarms;
  });
  const [part] = await alarmsOf(guard);
  const acknowledged = await guard.post(`/api/alarms/${whole?.id}/acknowledge`, {});

  expect(whole).toMatchObject({
    code: 'gap-over-limit',
    subjectCount: 2,
    title: '2 cameras miss more than allowed: Door, Yard',
  });
  expect(part).toMatchObject({
    id: whole?.id,
    subjectCount: 1,
    title: expect.stringMatching(/^Door: more is missing than allowed: 59 min/),
  });
  expect(JSON.stringify(part)).not.toContain('Yard');
  expect(acknowledged.status).toBe(403);
  expect(await alarmsOf(everything, `?camera=${yard.id}`)).toHaveLength(1);
  expect(await alarmsOf(everything, '?camera=aaaaaaaaaa')).toEqual([]);
});

test('a webhook tells its secret once, never its path, and its test says what became of it', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const target = await startReceiver();
  const { webhook, secret } = await makeWebhook(admin, target.url, { severityMin: 'error', codes: ['camera-away'] });

  const tested = await admin.post(`/api/webhooks/${webhook.id}/test`, {});
  target.answer(401);
  const refused = await admin.post(`/api/webhooks/${webhook.id}/test`, {});
  const renewed = (await admin.post(`/api/webhooks/${webhook.id}/secret`, {})).json;
  target.answer(204);
  await admin.post(`/api/webhooks/${webhook.id}/test`, {});
  const changed = await admin.patch(`/api/webhooks/${webhook.id}`, { name: 'Desk', codes: null });
  const metadata = await admin.patch(`/api/webhooks/${webhook.id}`, { url: 'http://169.254.169.254/latest' });
  const stopped = await admin.post(`/api/webhooks/${webhook.id}/test`, {});
  const listed = (await admin.get('/api/webhooks')).text;

  expect(tested.json).toMatchObject({ ok: true, status: 204, error: null });
  expect(refused.json).toMatchObject({ ok: false, status: 401, error: 'answered 401' });
  expect(target.received.map((one) => [isSignedWith(secret, one), isSignedWith(renewed.secret, one)])).toEqual([
    [true, false],
    [true, false],
    [false, true],
  ]);
  expect(changed.json).toMatchObject({
    name: 'Desk',
    codes: null,
    severityMin: 'error',
    origin: new URL(target.url).origin,
  });
  expect([metadata.status, stopped.json.ok, stopped.json.error]).toEqual([
    200,
    false,
    expect.stringContaining('not allowed'),
  ]);
  expect(listed).not.toContain('secret-path');
  expect((await admin.get('/api/audit')).text).not.toMatch(/secret-path|whsec_/);
  // The answers that told a secret on purpose are not counted.
  const others = site.transcript.filter((line) => !line.includes('"secret":"whsec_'));
  expect(others.filter((line) => /secret-path|whsec_/.test(line))).toEqual([]);
  expect((await admin.delete(`/api/webhooks/${webhook.id}`)).status).toBe(204);
});

test.each([
  [{ url: 'ftp://example.org/' }, 'no http or https'],
  [{ url: 'http://user:pass@example.org/' }, 'user or password'],
  [{ url: 'http://example.org/', codes: ['no-such-alarm'] }, 'codes'],
  [{ url: 'http://example.org/', severity: 'error' }, 'unknown field'],
])('a webhook of %j is refused', async (settings, message) => {
  const site = await startSite();
  const admin = await site.admin();

  const { status, text } = await admin.post('/api/webhooks', { name: 'x', ...settings });

  expect(status).toBe(400);
  expect(text).toContain(message);
});

test('the heartbeat is set, says whether the appliance is well, and is taken away', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const target = await startReceiver();

  await admin.put('/api/heartbeat', { url: target.url, periodS: 10 });
  await until('it beats', () => target.received.length > 0);
  const told = await until('it says so', async () => {
    const { json } = await admin.get('/api/heartbeat');
    return json.last !== null && json;
  });
  const removed = await admin.delete('/api/heartbeat');

  expect(told).toMatchObject({
    settings: { origin: new URL(target.url).origin, method: 'GET', periodS: 10, tls: 'verify' },
    isWell: true,
    last: { status: 204, error: null },
  });
  expect([removed.status, (await admin.get('/api/heartbeat')).json.settings]).toEqual([204, null]);
  expect(site.transcript.join('\n')).not.toContain('secret-path');
});

test('what counts as an alarm is a setting, and who changed it is noted', async () => {
  const site = await startSite();
  const admin = await site.admin();

  const before = await admin.get('/api/alarm-settings');
  const after = await admin.patch('/api/alarm-settings', { gapMinutesPerDay: 5 });
  const wrong = await admin.patch('/api/alarm-settings', { gapMinutesPerDay: 0 });

  const defaults = { gapMinutesPerDay: 10, webhookAddresses: 'site' };
  expect(before.json).toEqual({ ...defaults, defaults, managedBy: null });
  expect(after.json).toEqual({ gapMinutesPerDay: 5, webhookAddresses: 'site', defaults, managedBy: null });
  expect(wrong.status).toBe(400);
  expect((await admin.get('/api/audit?action=alarms:configure')).json.entries).toHaveLength(1);
});

test('help is there for whoever is logged in, and errors, alarms and problems lead to it', async () => {
  const site = await startSite(keeperWith([clockDoubt, { code: 'of-a-later-release', message: 'odd' }]));
  const admin = await site.admin();

  const refused = await admin.get('/api/cameras/aaaaaaaaaa');
  const page = await admin.get(refused.json.error.help);
  const problems = (await admin.get('/api/system')).json.keeper.problems;

  expect(refused.json.error.help).toBe('/help/not_found');
  expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
  expect(page.text).toContain('There is no such thing');
  expect(problems.map((problem: { help?: string }) => problem.help)).toEqual(['/help/clock-doubt', undefined]);
  expect((await admin.get('/help/no-such-code')).status).toBe(404);
  expect((await admin.get('/help/..%2Frunbook')).status).toBe(400);
  expect((await admin.get('/help')).text).toContain('/help/camera-away');
  expect((await admin.get('/api/runbook')).json.pages.length).toBeGreaterThan(60);
  expect((await site.client().get('/help/camera-away')).status).toBe(401);
});

test('standing alarms and waiting deliveries are metrics', async () => {
  const problems: (typeof clockDoubt)[] = [];
  const site = await startSite(keeperWith(problems));
  const admin = await site.admin();
  const target = await startReceiver();
  target.answer(500);
  const { webhook } = await makeWebhook(admin, target.url, onlyClock);
  problems.push(clockDoubt);
  await until('it was tried', () => target.received.length > 0);

  const text = await until('the attempt is counted', async () => {
    const metrics = (await admin.get('/metrics')).text;
    return metrics.includes('outcome="failed"') && metrics;
  });

  expect(text).toContain('weir_alarms{role="serve",code="clock-doubt",severity="error"} 1');
  expect(text).toContain('weir_alarms{role="serve",code="camera-away",severity="error"} 0');
  expect(text).toContain('weir_alarms_unacknowledged{role="serve"} 1');
  expect(text).toContain(`weir_webhook_waiting{role="serve",webhook="${webhook.id}"} 1`);
});
