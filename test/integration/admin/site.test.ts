/** A site declared by one file: planned, applied, exported, against a real catalog behind the port. */

import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { openPlan } from '../../../appliance/secrets/index.ts';
import type { Answer, HttpClient } from './http-client.ts';
import { startSite } from './kit.ts';

const gate = {
  source: { url: 'rtsp://192.0.2.10/main' },
  credentials: { username: 'ada', password: { plain: 's3cret' } },
  sub: { source: { url: 'rtsp://192.0.2.10/sub' } },
};
const harbour = {
  version: 1,
  site: 'harbour',
  cameras: {
    gate,
    yard: {
      source: { url: 'rtsp://192.0.2.11/', transport: 'udp' },
      recording: {
        mode: 'events',
        schedule: {
          timeZone: 'Europe/Berlin',
          spans: [{ weekday: 1, beginMinute: 0, endMinute: 60, mode: 'continuous' }],
        },
      },
    },
    drone: { source: { kind: 'rtmp' } },
  },
  policies: {
    'gate-only': {
      statements: [
        {
          effect: 'allow',
          actions: ['streams:view'],
          resources: [{ camera: 'gate' }, { camera: 'gate', stream: 'sub' }],
        },
      ],
    },
  },
  users: { bob: { role: null, policies: ['gate-only'] }, eve: { password: { plain: 'correct horse staple' } } },
  webhooks: { chat: { url: { plain: 'https://chat.example/hook/T0K3N' }, codes: ['camera-away'] } },
  settings: {
    alarms: { gapMinutesPerDay: 20 },
    heartbeat: { url: { plain: 'https://beat.example/abc' }, periodS: 120 },
  },
};

type Options = { readonly prune?: boolean; readonly takeOver?: boolean };

async function apply(client: HttpClient, file: object, options: Options = {}): Promise<Answer> {
  const plan = await planned(client, file, options);
  if (plan.status !== 200) return plan;
  return client.post(`/api/site/apply?${queryOf(options)}&revision=${plan.json.revision}`, file);
}

const planned = (client: HttpClient, file: object, options: Options = {}) =>
  client.post(`/api/site/plan?${queryOf(options)}`, file);

const queryOf = ({ prune = false, takeOver = false }: Options) => `prune=${prune}&takeOver=${takeOver}`;

const told = (answer: Answer): string[] =>
  answer.json.items.map(
    ({ action, kind, key, changed }: { action: string; kind: string; key: string; changed: string[] }) =>
      [action, kind, key, ...changed].join(' '),
  );

async function camerasOf(client: HttpClient) {
  const { cameras } = (await client.get('/api/cameras')).json;
  return Object.fromEntries(cameras.map((camera: { name: string }) => [camera.name, camera]));
}

test('an empty machine becomes what the file says, and once more changes nothing', async () => {
  const site = await startSite();
  const admin = await site.admin();

  const first = await apply(admin, harbour);
  const second = await apply(admin, harbour);

  expect(first.status).toBe(200);
  expect(told(first)).toEqual([
    'create camera gate',
    'create camera yard',
    'create camera drone',
    'create policy gate-only',
    'create user bob',
    'create user eve',
    'create webhook chat',
    'change setting alarms gapMinutesPerDay',
    'create setting heartbeat',
  ]);
  expect(first.json.told).toMatchObject({
    passwords: [{ user: 'bob' }],
    streamKeys: [{ camera: 'drone', role: 'main' }],
    webhookSecrets: [{ webhook: 'chat', secret: expect.stringMatching(/^whsec_/) }],
  });
  expect(second.json).toMatchObject({ hasChanges: false, items: [] });
  const cameras = await camerasOf(admin);
  expect(cameras.gate).toMatchObject({ managedBy: 'harbour', hasCredentials: true, sub: { hasOwnCredentials: false } });
  expect(cameras.yard.recording).toMatchObject({ mode: 'events', schedule: { timeZone: 'Europe/Berlin' } });
  expect((await admin.get('/api/alarm-settings')).json).toMatchObject({ gapMinutesPerDay: 20, managedBy: 'harbour' });
  const { plan } = openPlan(JSON.parse(await readFile(site.paths.plan, 'utf8')), site.siteKey.box('camera'));
  expect(plan.sources.map(({ name, role }) => `${name} ${role}`).sort()).toEqual([
    'drone main',
    'gate main',
    'gate sub',
    'yard main',
  ]);
  expect((await admin.get('/api/policies/gate-only')).json.statements[0].resources).toEqual([
    `camera/${cameras.gate.id}`,
    `camera/${cameras.gate.id}/stream/${cameras.gate.streams[1].id}`,
  ]);
  expect((await site.client().login('eve', 'correct horse staple')).json.subject.mustChangePassword).toBe(true);
});

test('a plan changes nothing, not even the audit list', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const before = (await admin.get('/api/audit')).json.entries;

  const plan = await planned(admin, harbour);

  expect(plan.json).toMatchObject({ hasChanges: true });
  expect(plan.json.items).toHaveLength(9);
  expect((await admin.get('/api/cameras')).json.cameras).toEqual([]);
  expect((await admin.get('/api/audit')).json.entries).toEqual(before);
});

test('what is taken out of the file goes, and what was made by hand stays unless it is to be pruned', async () => {
  const site = await startSite();
  const admin = await site.admin();
  await admin.post('/api/cameras', { name: 'By hand', source: { kind: 'rtsp', url: 'rtsp://192.0.2.99/' } });
  await apply(admin, harbour);
  const { gate, yard } = harbour.cameras;
  const smaller = {
    ...{ version: 1, site: 'harbour' },
    cameras: { gate, yard: { ...yard, source: { url: 'rtsp://192.0.2.11/' } } },
  };

  const applied = await apply(admin, smaller);
  const pruned = await planned(admin, smaller, { prune: true });

  expect(told(applied)).toEqual([
    'change camera yard transport',
    'remove camera drone',
    'remove policy gate-only',
    'remove user bob',
    'remove user eve',
    'remove webhook chat',
    'remove setting alarms',
    'remove setting heartbeat',
  ]);
  expect(Object.keys(await camerasOf(admin))).toEqual(['By hand', 'gate', 'yard']);
  expect((await admin.get('/api/alarm-settings')).json).toMatchObject({ gapMinutesPerDay: 10, managedBy: null });
  expect((await admin.get('/api/heartbeat')).json.settings).toBeNull();
  // Whoever prunes must leave an account that may do everything.
  expect(pruned.json.error.message).toContain('last account with the role admin');
  const withAdmin = { ...smaller, users: { admin: { role: 'admin' } } };
  expect(told(await planned(admin, withAdmin, { prune: true }))).toEqual(['remove camera By hand', 'adopt user admin']);
});

test('a camera keeps its id and recordings under a new name with the same key, and under a new key with the same name', async () => {
  const site = await startSite();
  const admin = await site.admin();
  await apply(admin, harbour);
  const before = await camerasOf(admin);
  const { gate, yard, drone } = harbour.cameras;

  const renamed = await apply(admin, { ...harbour, cameras: { gate: { ...gate, name: 'Main gate' }, yard, drone } });
  const rekeyed = await apply(admin, {
    ...harbour,
    cameras: { entrance: { ...gate, name: 'Main gate' }, yard, drone },
    policies: {},
    users: {},
  });

  expect(told(renamed)).toEqual(['change camera gate name']);
  expect(told(rekeyed)[0]).toBe('adopt camera entrance');
  const after = await camerasOf(admin);
  expect(after['Main gate'].id).toBe(before.gate.id);
  expect(after['Main gate'].streams).toEqual(before.gate.streams);
});

test('two cameras change names with each other', async () => {
  const site = await startSite();
  const admin = await site.admin();
  await apply(admin, harbour);
  const before = await camerasOf(admin);
  const { gate, yard, drone } = harbour.cameras;

  const swapped = await apply(admin, {
    ...harbour,
    cameras: { gate: { ...gate, name: 'yard' }, yard: { ...yard, name: 'gate' }, drone },
  });

  expect(swapped.status).toBe(200);
  const after = await camerasOf(admin);
  expect([after.gate.id, after.yard.id]).toEqual([before.yard.id, before.gate.id]);
});

test('publishers change their stream keys with each other, and a full list of webhooks is replaced by another one', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const publisher = (digit: string) => ({ source: { kind: 'rtmp', keySha256: digit.repeat(64) } });
  const hooks = (name: string) =>
    Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`${name} ${i}`, { url: 'https://chat.example/' }]));
  const file = (one: string, other: string, name: string) => ({
    ...{ version: 1, site: 'harbour', webhooks: hooks(name) },
    cameras: { one: publisher(one), other: publisher(other) },
  });
  await apply(admin, file('a', 'b', 'old'));

  const swapped = await apply(admin, file('b', 'a', 'new'));

  expect(swapped.status).toBe(200);
  expect(told(swapped).slice(0, 2)).toEqual(['change camera one keySha256', 'change camera other keySha256']);
  expect(swapped.json.told.streamKeys).toEqual([]);
  expect((await admin.get('/api/site/export')).json.cameras).toEqual({ one: publisher('b'), other: publisher('a') });
  expect((await admin.get('/api/webhooks')).json.webhooks).toHaveLength(20);
});

test('an export says nothing to do on the same machine, and makes the same site on another one with its site key', async () => {
  const site = await startSite();
  const admin = await site.admin();
  await apply(admin, harbour);
  await admin.post('/api/cameras', {
    name: 'By hand',
    source: { kind: 'rtsp', url: 'rtsp://192.0.2.99/user=x&password=hidden' },
    onvif: { url: 'http://192.0.2.99/', credentials: { username: 'o', password: 'onvif-pass' } },
    recording: { bytesMax: 1_000_000 },
  });
  const exported = await admin.get('/api/site/export');
  const again = await planned(admin, exported.json);
  const key = await readFile(`${site.paths.secrets}/site.key`);
  const other = await startSite({ siteKey: key });
  const otherAdmin = await other.admin();

  const moved = await apply(otherAdmin, exported.json);
  const exportedThere = await otherAdmin.get('/api/site/export');

  expect(exported.text).not.toMatch(/s3cret|hidden|T0K3N|onvif-pass|beat.example\/abc|\bada\b/);
  expect(again.json.hasChanges).toBe(false);
  expect(told(again)).toEqual(['adopt camera By hand', 'adopt user admin']);
  expect(moved.status).toBe(200);
  const { plan } = openPlan(JSON.parse(await readFile(other.paths.plan, 'utf8')), other.siteKey.box('camera'));
  const hand = plan.sources.find(({ name }) => name === 'By hand');
  expect(hand?.source).toMatchObject({ url: 'rtsp://192.0.2.99/user=x&password=hidden' });
  expect(plan.devices).toMatchObject([{ username: 'o', password: 'onvif-pass' }]);
  expect(plan.sources.find(({ name }) => name === 'gate')?.source).toMatchObject({
    username: 'ada',
    password: 's3cret',
  });
  expect(withoutSealed(exportedThere.json)).toEqual(withoutSealed(exported.json));
  expect((await apply(otherAdmin, exported.json)).json.items).toEqual([]);
});

test('a sealed text of another machine is refused, and says what to do', async () => {
  const site = await startSite();
  const other = await startSite();
  const admin = await site.admin();
  const { sealed } = (await (await other.admin()).post('/api/site/seal', { text: 's3cret' })).json;
  const file = {
    ...{ version: 1, site: 'harbour' },
    cameras: { gate: { ...gate, credentials: { username: 'ada', password: { sealed } } } },
  };

  const answer = await planned(admin, file);

  expect(answer.status).toBe(412);
  expect(answer.json.error).toMatchObject({
    field: 'cameras.gate.credentials.password',
    hint: expect.stringContaining('weir seal'),
  });
});

test('a sealed text of this machine is the password', async () => {
  const site = await startSite();
  const admin = await site.admin();
  await apply(admin, harbour);
  const { sealed } = (await admin.post('/api/site/seal', { text: 's3cret' })).json;
  const sealedGate = { ...gate, credentials: { username: 'ada', password: { sealed } } };

  const answer = await apply(admin, { ...harbour, cameras: { ...harbour.cameras, gate: sealedGate } });

  expect(answer.json.items).toEqual([]);
});

test.each<[string, unknown, string, string]>([
  [
    'a password itself',
    { cameras: { gate: { ...gate, credentials: { username: 'a', password: 'x' } } } },
    'cameras.gate.credentials.password',
    'must be a reference',
  ],
  [
    'a password in an address',
    { cameras: { gate: { source: { url: 'rtsp://a:b@192.0.2.1/' } } } },
    'cameras.gate.source.url',
    'password',
  ],
  ['an unknown key', { cameras: { gate: { sorce: {} } } }, 'cameras.gate.sorce', 'did you mean "source"?'],
  ['an unknown section', { camera: {} }, 'camera', 'did you mean "cameras"?'],
  ['another version', { version: 2 }, 'version', 'must be 1'],
  [
    'an address of no camera',
    { cameras: { gate: { source: { url: 'http://x/' } } } },
    'cameras.gate.source.url',
    'rtsp address',
  ],
  [
    'two of one name',
    { cameras: { a: { ...gate, name: 'x' }, b: { ...gate, name: 'X' } } },
    'cameras.b',
    'both called',
  ],
  [
    'a policy of no camera',
    { policies: { p: { statements: [{ effect: 'allow', actions: ['*'], resources: [{ camera: 'nope' }] }] } } },
    'policies.p',
    'has the key "nope"',
  ],
  ['a user without such a policy', { users: { bob: { role: 'nope' } } }, 'users.bob', 'no policy is called "nope"'],
  ['a built-in policy', { policies: { admin: { statements: [] } } }, 'policies.admin', 'comes with the release'],
])('%s is refused, and where it stands is told', async (_what, change, field, text) => {
  const site = await startSite();
  const admin = await site.admin();

  const answer = await planned(admin, { version: 1, site: 'harbour', ...(change as object) });

  expect(answer.status).toBe(400);
  expect(answer.json.error.field).toBe(field);
  expect(`${answer.json.error.message} ${answer.json.error.hint}`).toContain(text);
});

test('what changed between plan and apply is not overwritten', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const plan = await planned(admin, harbour);
  await admin.post('/api/cameras', { name: 'Meanwhile', source: { kind: 'rtsp', url: 'rtsp://192.0.2.99/' } });

  const answer = await admin.post(`/api/site/apply?revision=${plan.json.revision}`, harbour);

  expect(answer.status).toBe(412);
  expect(Object.keys(await camerasOf(admin))).toEqual(['Meanwhile']);
});

test('what one file manages another one does not take unless told so', async () => {
  const site = await startSite();
  const admin = await site.admin();
  await apply(admin, harbour);
  const other = { version: 1, site: 'north', cameras: { gate } };

  const refused = await planned(admin, other);
  const taken = await apply(admin, other, { takeOver: true });
  const pruning = await planned(admin, { ...other, users: { admin: { role: 'admin' } } }, { prune: true });

  expect(refused.json.error.message).toContain('managed by the site file "harbour"');
  expect(told(taken)).toEqual(['adopt camera gate']);
  expect((await camerasOf(admin)).gate.managedBy).toBe('north');
  expect(told(pruning)).toEqual(['adopt user admin']);
});

test('each change stands in the audit list, with the file it came from', async () => {
  const site = await startSite();
  const admin = await site.admin();
  await apply(admin, { version: 1, site: 'harbour', cameras: { gate } });

  const { entries } = (await admin.get('/api/audit?limit=2')).json;

  expect(entries).toMatchObject([
    { action: 'site:apply', resource: 'site', detail: { site: 'harbour', create: 1 } },
    { action: 'cameras:create', subject: { name: 'admin' }, detail: { name: 'gate', site: 'harbour' } },
  ]);
});

test('an operator may neither apply nor export', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const operator = site.client();
  operator.token = (await admin.post('/api/tokens', { name: 'op', role: 'operator' })).json.secret;

  const answers = [
    await planned(operator, harbour),
    await operator.post('/api/site/apply?revision=x', harbour),
    await operator.get('/api/site/export'),
    await operator.post('/api/site/seal', { text: 'x' }),
  ];

  expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 403]);
});

/** Sealing is never the same twice. */
function withoutSealed(document: object): unknown {
  return JSON.parse(JSON.stringify(document, (key, value) => (key === 'sealed' ? 'sealed' : value)));
}
