import { expect, test } from 'vitest';
import { actor, openTestCatalog } from './kit.ts';

const key = {
  id: 'WEIRAAAAAAAAAAAAAAAA',
  name: 'Gate encoder',
  policies: ['gate'],
  createdBy: 'ada',
  expiresMs: null,
  sealedSecret: 'v1.sealed',
};

test('an access key verifies until it is disabled, and again when it is enabled', async () => {
  const { catalog } = await openTestCatalog();
  const { accessKeys } = catalog.tables;
  accessKeys.create(key, 1);

  expect(accessKeys.findToVerify(key.id, 2)).toMatchObject({ sealedSecret: 'v1.sealed', policies: ['gate'] });
  accessKeys.update(key.id, { isDisabled: true });
  expect(accessKeys.findToVerify(key.id, 2)).toBeUndefined();
  accessKeys.update(key.id, { isDisabled: false });
  expect(accessKeys.findToVerify(key.id, 2)).toMatchObject({ id: key.id });
});

test('an expired or removed access key verifies nothing', async () => {
  const { catalog } = await openTestCatalog();
  const { accessKeys } = catalog.tables;
  accessKeys.create({ ...key, expiresMs: 10 }, 1);

  expect([accessKeys.findToVerify(key.id, 9)?.id, accessKeys.findToVerify(key.id, 10)]).toEqual([key.id, undefined]);
  accessKeys.remove(key.id);
  expect(accessKeys.findToVerify(key.id, 9)).toBeUndefined();
  expect(() => accessKeys.remove(key.id)).toThrowError(expect.objectContaining({ code: 'not_found' }));
});

test('lists of access keys have no secret, sealed or not', async () => {
  const { catalog } = await openTestCatalog();
  catalog.tables.accessKeys.create(key, 1);

  expect(JSON.stringify(catalog.tables.accessKeys.list())).not.toContain('sealed');
});

test('two access keys never have the same name', async () => {
  const { catalog } = await openTestCatalog();
  catalog.tables.accessKeys.create(key, 1);

  const again = () => catalog.tables.accessKeys.create({ ...key, id: 'WEIRB', name: 'GATE ENCODER' }, 2);

  expect(again).toThrowError(expect.objectContaining({ code: 'already_exists' }));
});

test('that an access key was used is noted once a minute', async () => {
  const { catalog } = await openTestCatalog();
  const { accessKeys } = catalog.tables;
  const used = (nowMs: number) => {
    const found = accessKeys.find(key.id);
    if (found !== undefined) accessKeys.touch(found, nowMs);
    return accessKeys.find(key.id)?.lastUsedMs;
  };
  accessKeys.create(key, 1);

  expect([used(100_000), used(130_000), used(160_000)]).toEqual([100_000, 100_000, 160_000]);
});

test('a policy that an access key names is not removed', async () => {
  const { catalog } = await openTestCatalog();
  const { accessKeys, policies } = catalog.tables;
  policies.put({ name: 'gate', description: '', statements: [] }, 1);
  accessKeys.create(key, 1);

  const remove = () => catalog.change(actor, () => policies.remove('gate'));

  expect(remove).toThrowError(expect.objectContaining({ code: 'failed_precondition' }));
  accessKeys.remove(key.id);
  expect(remove).not.toThrow();
});

test('secrets of access keys are among what a new site key seals anew', async () => {
  const { catalog } = await openTestCatalog();
  catalog.tables.accessKeys.create(key, 1);

  catalog.change(actor, () => catalog.tables.sealed.replace((kind, sealed) => `${kind} ${sealed} anew`));

  expect(catalog.tables.accessKeys.findToVerify(key.id, 2)?.sealedSecret).toBe('access-key v1.sealed anew');
});
