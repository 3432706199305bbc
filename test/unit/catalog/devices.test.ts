import { expect, test } from 'vitest';
import { actor, openTestCatalog } from './kit.ts';

const device = (name: string, change: { readonly fingerprint?: string; readonly expiresMs?: number } = {}) => ({
  name,
  policies: ['gate'],
  fingerprint: name.padEnd(64, '0'),
  serial: '01',
  createdBy: 'ada',
  expiresMs: 1_000,
  ...change,
});

test('a device is found by its certificate until it is revoked or over', async () => {
  const { catalog } = await openTestCatalog();
  const { devices } = catalog.tables;
  const { id, fingerprint } = devices.create(device('a'), 1);

  expect([devices.findByCertificate(fingerprint, 999)?.id, devices.findGood(id, 999)?.name]).toEqual([id, 'a']);
  expect([devices.findByCertificate(fingerprint, 1_000), devices.findGood(id, 1_000)]).toEqual([undefined, undefined]);
  devices.revoke(id, 5);
  expect([devices.findByCertificate(fingerprint, 6), devices.findGood(id, 6)]).toEqual([undefined, undefined]);
  expect(devices.list()).toMatchObject([{ id, revokedMs: 5 }]);
  expect(() => devices.revoke(id, 7)).toThrowError(expect.objectContaining({ code: 'not_found' }));
});

test('a name is taken until its device is revoked, and the next one is another device', async () => {
  const { catalog } = await openTestCatalog();
  const { devices } = catalog.tables;
  const first = devices.create(device('a'), 1);

  const again = () => devices.create(device('a', { fingerprint: 'b'.repeat(64) }), 2);

  expect(again).toThrowError(expect.objectContaining({ code: 'already_exists' }));
  devices.revoke(first.id, 3);
  expect(again().id).not.toBe(first.id);
});

test('it is known whether there is a device that may come', async () => {
  const { catalog } = await openTestCatalog();
  const { devices } = catalog.tables;

  expect(devices.hasGood(1)).toBe(false);
  const { id } = devices.create(device('a'), 1);
  expect([devices.hasGood(1), devices.hasGood(1_000)]).toEqual([true, false]);
  devices.revoke(id, 2);
  expect(devices.hasGood(3)).toBe(false);
});

test('a policy that a device names stays until the device is revoked', async () => {
  const { catalog } = await openTestCatalog();
  const { devices, policies } = catalog.tables;
  const remove = () => catalog.change(actor, () => policies.remove('gate'));
  policies.put({ name: 'gate', description: '', statements: [] }, 1);
  const { id } = devices.create(device('a'), 1);

  expect(remove).toThrowError(expect.objectContaining({ code: 'failed_precondition' }));
  devices.revoke(id, 2);
  expect(remove).not.toThrow();
});
