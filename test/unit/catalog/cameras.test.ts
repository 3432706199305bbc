import { expect, test } from 'vitest';
import { planOf } from '../../../storage/catalog/index.ts';
import { streamNameFor } from '../../../storage/catalog/stream-name.ts';
import { actor, cameraSettings, openTestCatalog } from './kit.ts';

test('a new camera has a main stream whose name KVS clients can use', async () => {
  const { catalog } = await openTestCatalog();

  const camera = catalog.change(actor, ({ nowMs }) =>
    catalog.tables.cameras.create(cameraSettings({ name: 'Café: Tür 2' }), nowMs),
  );

  expect(camera.streams).toHaveLength(1);
  expect(camera.streams[0]).toMatchObject({ name: 'Cafe-Tur-2', role: 'main', cameraId: camera.id });
  expect(camera.id).toMatch(/^[a-z2-7]{10}$/);
});

test('stream names are never given twice, and never empty', () => {
  expect(streamNameFor('Door', new Set(['Door', 'Door-2']))).toBe('Door-3');
  expect(streamNameFor('玄関', new Set())).toBe('camera');
  expect(streamNameFor('../../etc', new Set())).toMatch(/^[a-zA-Z0-9_][a-zA-Z0-9_.-]*$/);
});

test('two cameras cannot have one name, whatever the case', async () => {
  const { catalog } = await openTestCatalog();
  catalog.tables.cameras.create(cameraSettings({ name: 'Door' }), 1);

  expect(() => catalog.tables.cameras.create(cameraSettings({ name: 'DOOR' }), 2)).toThrowError(
    expect.objectContaining({ code: 'already_exists' }),
  );
});

test('a change raises the revision, and one that changes nothing does not', async () => {
  const { catalog } = await openTestCatalog();
  const { cameras } = catalog.tables;
  const camera = cameras.create(cameraSettings(), 1);

  const same = cameras.update(camera.id, cameraSettings(), { revision: 1, nowMs: 2 });
  const renamed = cameras.update(camera.id, cameraSettings({ name: 'Gate' }), { revision: 1, nowMs: 3 });

  expect(same).toMatchObject({ changed: [], camera: { revision: 1, updatedMs: 1 } });
  expect(renamed).toMatchObject({ changed: ['name'], camera: { revision: 2, updatedMs: 3, name: 'Gate' } });
});

test('a change from an old revision is refused and changes nothing', async () => {
  const { catalog } = await openTestCatalog();
  const { cameras } = catalog.tables;
  const camera = cameras.create(cameraSettings(), 1);
  cameras.update(camera.id, cameraSettings({ name: 'Gate' }), { revision: 1, nowMs: 2 });

  expect(() => cameras.update(camera.id, cameraSettings({ name: 'Yard' }), { revision: 1, nowMs: 3 })).toThrowError(
    expect.objectContaining({ code: 'failed_precondition' }),
  );

  expect(cameras.find(camera.id)).toMatchObject({ name: 'Gate', revision: 2 });
});

test('the stream of a removed camera stays as the name of what was recorded', async () => {
  const { catalog } = await openTestCatalog();
  const { cameras } = catalog.tables;
  const camera = cameras.create(cameraSettings(), 1);

  cameras.remove(camera.id, 9);

  expect(cameras.list()).toEqual([]);
  expect(cameras.streams()).toEqual([{ ...camera.streams[0], removedMs: 9 }]);
});

test('the plan has the streams of enabled cameras, secrets as they were sealed', async () => {
  const { catalog } = await openTestCatalog();
  const { cameras } = catalog.tables;
  const camera = cameras.create(cameraSettings(), 1);
  cameras.create(cameraSettings({ name: 'Off', isEnabled: false }), 1);
  cameras.create(cameraSettings({ name: 'Open', credentials: undefined }), 1);

  const plan = planOf(cameras.list());

  expect(plan.sources.map((source) => source.name).sort()).toEqual(['Front door', 'Open']);
  expect(plan.sources.find((source) => source.cameraId === camera.id)).toMatchObject({
    streamId: camera.streams[0]?.id,
    revision: 1,
    source: { url: 'rtsp://192.0.2.10/main', username: 'sealed-user', password: 'sealed-password' },
  });
});

test('removed streams are forgotten after a while, but not those of which something was recorded', async () => {
  const { catalog } = await openTestCatalog();
  const { cameras, streamSettings } = catalog.tables;
  const made = ['kept', 'empty', 'young', 'there'].map((name) => cameras.create(cameraSettings({ name }), 1));
  const [kept, empty, young, there] = made.map((camera) => camera.streams[0]?.id ?? '');
  streamSettings.put(empty ?? '', { deviceName: 'x' }, 1);
  for (const [i, removedMs] of [100, 100, 900].entries()) cameras.remove(made[i]?.id ?? '', removedMs);

  const forgotten = cameras.forgetRemoved(500, (streamId) => streamId === kept);

  expect(forgotten).toBe(1);
  expect(cameras.streams().map(({ id }) => id)).toEqual(expect.arrayContaining([kept, young, there]));
  expect(cameras.streams()).toHaveLength(3);
  expect(cameras.forgetRemoved(500, (streamId) => streamId === kept)).toBe(0);
});
