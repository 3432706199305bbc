import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Identity, TemporaryKeys } from '../../../appliance/admin/temporary-keys.ts';
import { SiteKey } from '../../../appliance/secrets/index.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

async function newKeys() {
  const clock = new SimulatedClock();
  const siteKey = await SiteKey.open(join(await temporaryDirectory(), 'site.key'), randomBytes);
  const keys = new TemporaryKeys({ clock, random: randomBytes, box: siteKey.box('session-token') });
  return { clock, siteKey, keys };
}

const device: Identity = { kind: 'device', id: 'aaaaaaaaaa', alias: 'weir' };
const hour = { durationMs: 3_600_000 };

test('what is sealed in a token comes out of it, also after the site key was changed', async () => {
  const { clock, keys, siteKey } = await newKeys();
  const restriction = [{ effect: 'deny', actions: ['*'], resources: ['*'] }] as const;
  const of: Identity = { kind: 'role', policy: 'a', session: 'b', restriction, by: device };

  const made = keys.make(of, hour);
  await siteKey.rotate();

  expect(made).toMatchObject({ expiresMs: clock.wallMs() + hour.durationMs });
  expect(keys.open(made?.accessKeyId ?? '', made?.sessionToken ?? '')).toEqual({
    secretAccessKey: made?.secretAccessKey,
    expiresMs: made?.expiresMs,
    identity: of,
  });
});

test('a token that clients could not send is not made', async () => {
  const { keys } = await newKeys();
  const resources = Array.from({ length: 100 }, () => 'x'.repeat(50));

  const of: Identity = {
    kind: 'role',
    policy: 'a',
    session: 'b',
    restriction: [{ effect: 'allow', actions: [], resources }],
    by: device,
  };

  expect(keys.make(of, hour)).toBeUndefined();
});

test('no other spelling of a token opens, and no text that was sealed for something else', async () => {
  const { keys, siteKey } = await newKeys();
  const made = keys.make(device, hour);
  const { accessKeyId = '', sessionToken = '' } = made ?? {};
  expect(keys.open(accessKeyId, sessionToken)).toBeDefined();

  for (let at = 0; at < sessionToken.length; at++) {
    for (const other of ['A', 'b', '-', '.', '=', ' ']) {
      const changed = `${sessionToken.slice(0, at)}${other}${sessionToken.slice(at + 1)}`;
      if (changed !== sessionToken) expect([changed, keys.open(accessKeyId, changed)]).toEqual([changed, undefined]);
    }
    expect(keys.open(accessKeyId, sessionToken.slice(0, at))).toBeUndefined();
  }
  fc.assert(fc.property(fc.string(), (text) => keys.open(accessKeyId, text) === undefined));
  fc.assert(fc.property(fc.base64String(), (text) => keys.open(accessKeyId, `v1.00000000.${text}`) === undefined));
  const elsewhere = siteKey.box('access-key').seal(JSON.stringify([1, accessKeyId, 'secret', 9e15, device]));
  expect(keys.open(accessKeyId, elsewhere)).toBeUndefined();
  const odd = siteKey.box('session-token').seal(JSON.stringify([1, accessKeyId, 'secret', 9e15, { kind: 'admin' }]));
  expect(keys.open(accessKeyId, odd)).toBeUndefined();
  expect(keys.open(accessKeyId, siteKey.box('session-token').seal('no json'))).toBeUndefined();
});
