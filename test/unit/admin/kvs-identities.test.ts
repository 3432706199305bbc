import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Authentication } from '../../../appliance/admin/authentication.ts';
import { anonymous, decide } from '../../../appliance/admin/authoriser.ts';
import { KvsIdentities } from '../../../appliance/admin/kvs-identities.ts';
import { Passwords } from '../../../appliance/admin/passwords.ts';
import { type Identity, TemporaryKeys } from '../../../appliance/admin/temporary-keys.ts';
import { Argon2Hasher, SiteKey } from '../../../appliance/secrets/index.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { openTestCatalog } from '../catalog/kit.ts';

async function newIdentities() {
  const { catalog, clock } = await openTestCatalog();
  const siteKey = await SiteKey.open(join(await temporaryDirectory(), 'site.key'), randomBytes);
  const deps = { clock, log: silentLog, random: randomBytes, catalog };
  const passwords = new Passwords({ hasher: new Argon2Hasher(randomBytes), random: randomBytes });
  const temporaryKeys = new TemporaryKeys({ ...deps, box: siteKey.box('session-token') });
  const accessKeySecrets = siteKey.box('access-key');
  const identities = new KvsIdentities(
    { ...deps, authentication: new Authentication({ ...deps, passwords }), temporaryKeys, accessKeySecrets },
    { site: { region: 'us-east-1', accountId: '000000000000' } },
  );
  const device = (expiresMs: number) =>
    catalog.tables.devices.create(
      { name: 'gate', policies: ['admin'], fingerprint: 'a', serial: '1', createdBy: 'ada', expiresMs },
      clock.wallMs(),
    );
  const keysOf = (identity: Identity, durationMs = 3_600_000) => {
    const made = temporaryKeys.make(identity, { durationMs });
    return { accessKeyId: made?.accessKeyId ?? '', sessionToken: made?.sessionToken };
  };
  const answerFor = (keys: ReturnType<typeof keysOf>) => identities.keyOf(clock.wallMs())(keys).kind;
  return { catalog, clock, identities, device, keysOf, answerFor };
}

const day = 86_400_000;

test('temporary keys are good to their last millisecond, then they are expired, which is another thing than unknown', async () => {
  const { clock, device, keysOf, answerFor } = await newIdentities();
  const { id } = device(clock.wallMs() + day);
  const keys = keysOf({ kind: 'device', id, alias: 'weir' });

  clock.stepWall(3_599_999);
  expect(answerFor(keys)).toBe('secret');
  clock.stepWall(1);
  expect(answerFor(keys)).toBe('expired');
  expect(answerFor({ ...keys, accessKeyId: 'WEITAAAAAAAAAAAAAAAA' })).toBe('unknown');
});

test('keys do not outlive the certificate of their device', async () => {
  const { clock, device, keysOf, answerFor } = await newIdentities();
  const { id } = device(clock.wallMs() + 60_000);
  const keys = keysOf({ kind: 'device', id, alias: 'weir' });

  expect(answerFor(keys)).toBe('secret');
  clock.stepWall(60_000);
  expect(answerFor(keys)).toBe('unknown');
});

test('a role of a device is accounted to the device, and notes that this was here', async () => {
  const { catalog, clock, device, identities, keysOf } = await newIdentities();
  const { id } = device(clock.wallMs() + day);
  const by: Identity = { kind: 'device', id, alias: 'admin' };
  const keys = keysOf({ kind: 'role', policy: 'admin', session: 'shift', by });

  const client = identities.identify(keys, clock.wallMs());

  expect(client).toMatchObject({
    accountable: 'device/gate',
    subject: { kind: 'role', id, name: 'admin/shift' },
    principal: { arn: 'arn:aws:sts::000000000000:assumed-role/admin/shift' },
  });
  expect(catalog.tables.devices.find(id)?.lastUsedMs).toBe(clock.wallMs());
});

test('a device that asks for one of its policies keeps what the others deny', async () => {
  const { catalog, clock, identities } = await newIdentities();
  const { policies, devices } = catalog.tables;
  const [allow, deny] = (['allow', 'deny'] as const).map((effect) => ({ effect, actions: ['*'], resources: ['a'] }));
  policies.put(
    { name: 'wide', description: '', statements: [{ effect: 'allow', actions: ['*'], resources: ['*'] }] },
    1,
  );
  policies.put({ name: 'but', description: '', statements: allow && deny ? [allow, deny] : [] }, 1);
  const row = { name: 'yard', policies: ['wide', 'but'], fingerprint: 'b', serial: '1', createdBy: 'ada' };
  const { id } = devices.create({ ...row, expiresMs: clock.wallMs() + day }, clock.wallMs());
  const may = (alias: string) => {
    const subject = identities.clientOf({ kind: 'device', id, alias }, clock.wallMs())?.subject ?? anonymous;
    return ['a', 'b'].map((resource) => decide(subject, 'kinesisvideo:GetMedia', resource));
  };

  expect([may('weir'), may('wide'), may('but')]).toEqual([
    [false, true],
    [false, true],
    [false, false],
  ]);
});

test('an alias that is none of the policies of a device any more is nobody', async () => {
  const { clock, device, keysOf, answerFor } = await newIdentities();
  const { id } = device(clock.wallMs() + day);

  expect(answerFor(keysOf({ kind: 'device', id, alias: 'admin' }))).toBe('secret');
  expect(answerFor(keysOf({ kind: 'device', id, alias: 'operator' }))).toBe('unknown');
  expect(answerFor(keysOf({ kind: 'device', id: 'bbbbbbbbbb', alias: 'weir' }))).toBe('unknown');
});
