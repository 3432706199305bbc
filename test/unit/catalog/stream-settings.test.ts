import { expect, test } from 'vitest';
import { plainStreamSettings, planOf } from '../../../storage/catalog/index.ts';
import { cameraSettings, cameraSource, openTestCatalog } from './kit.ts';

async function openWithStream() {
  const { catalog, path } = await openTestCatalog();
  const { cameras, streamSettings } = catalog.tables;
  const producer = cameraSettings({
    credentials: undefined,
    sources: { main: cameraSource({ source: { kind: 'kvs' } }), sub: undefined },
  });
  const camera = cameras.create(producer, 1_000, { streamName: 'gate' });
  const streamId = camera.streams[0]?.id ?? '';
  return { catalog, path, cameras, streamSettings, producer, camera, streamId };
}

test('a camera that a KVS producer feeds is planned without address or secret', async () => {
  const { cameras, camera, streamId } = await openWithStream();

  expect(cameras.find(camera.id)?.sources.main.source).toEqual({ kind: 'kvs' });
  expect(planOf(cameras.list()).sources).toMatchObject([{ streamId, name: 'Front door', source: { kind: 'kvs' } }]);
});

test('the tier WARM stands in the plan, for the keeper', async () => {
  const { cameras, streamSettings, streamId } = await openWithStream();
  streamSettings.put(streamId, { storageTier: 'WARM' }, 1);
  const warm = planOf(cameras.list(), streamSettings.all()).sources[0];
  streamSettings.put(streamId, { storageTier: 'HOT' }, 2);

  expect(warm?.storageTier).toBe('WARM');
  expect(planOf(cameras.list(), streamSettings.all()).sources[0]).not.toHaveProperty('storageTier');
});

test('of a stream that nobody said anything of there is a plain answer', async () => {
  const { streamSettings, streamId } = await openWithStream();

  expect(streamSettings.find(streamId)).toEqual(plainStreamSettings);
  expect(streamSettings.all().size).toBe(0);
});

test('what is given is changed and the rest stays; the revision rises with a change, and not with tags', async () => {
  const { streamSettings, streamId } = await openWithStream();

  const first = streamSettings.put(streamId, { mediaType: 'video/h264', tags: { site: 'hq' } }, 1);
  const same = streamSettings.put(streamId, { mediaType: 'video/h264' }, 2);
  const tagged = streamSettings.put(streamId, { tags: { site: 'home' } }, 3);
  const second = streamSettings.put(streamId, { mediaType: undefined, imageGeneration: { Status: 'ENABLED' } }, 4);

  expect([first, same, tagged, second]).toEqual([
    ['mediaType', 'tags'],
    [],
    ['tags'],
    ['mediaType', 'imageGeneration'],
  ]);
  expect(streamSettings.find(streamId)).toEqual({
    ...plainStreamSettings,
    ...{ tags: { site: 'home' }, imageGeneration: { Status: 'ENABLED' }, revision: 2 },
  });
});

test('lists have streams that are there alone, and no tags: clients make as many of both as they like', async () => {
  const { cameras, camera, streamSettings, streamId } = await openWithStream();
  streamSettings.put(streamId, { mediaType: 'video/h264', tags: { site: 'x'.repeat(256) } }, 1);

  expect([...streamSettings.all()]).toMatchObject([[streamId, { mediaType: 'video/h264', revision: 1 }]]);
  expect(streamSettings.all().get(streamId)).not.toHaveProperty('tags');
  cameras.remove(camera.id, 2);
  expect(streamSettings.all().size).toBe(0);
  expect(streamSettings.find(streamId).tags).not.toEqual({});
});

test('an update makes another revision even where everything is as it was', async () => {
  const { streamSettings, streamId } = await openWithStream();

  const changed = [
    streamSettings.update(streamId, { deviceName: 'cam' }, 1),
    streamSettings.update(streamId, { deviceName: 'cam' }, 2),
  ];

  expect(changed).toEqual([['deviceName'], []]);
  const { revision } = streamSettings.find(streamId);
  streamSettings.update(streamId, {}, 3);
  expect(streamSettings.find(streamId).revision).toBeGreaterThan(revision);
});

test('what is known of a stream is there when the catalog is opened again', async () => {
  const { catalog, path, streamSettings, streamId } = await openWithStream();
  streamSettings.put(streamId, { storageTier: 'WARM', hiddenBeforeMs: 7, notification: { to: ['x'] } }, 1);
  const before = streamSettings.find(streamId);
  await catalog.close();

  const again = await openTestCatalog({ path });

  expect(again.catalog.tables.streamSettings.find(streamId)).toEqual(before);
});

test('the name of a removed stream is free for a new one, with another time, while cameras never take it by themselves', async () => {
  const { cameras, producer, camera, streamId } = await openWithStream();
  expect(() => cameras.create({ ...producer, name: 'Other' }, 1_000, { streamName: 'gate' })).toThrowError(
    expect.objectContaining({ code: 'already_exists' }),
  );
  cameras.remove(camera.id, 1_000);

  const again = cameras.create(producer, 1_000, { streamName: 'gate' });
  const byName = cameras.create({ ...producer, name: 'gate' }, 1_000);

  expect(again.streams).toMatchObject([{ name: 'gate', createdMs: 1_001 }]);
  expect(again.streams[0]?.id).not.toBe(streamId);
  expect(cameras.findStreamByName('gate')?.id).toBe(again.streams[0]?.id);
  expect(byName.streams).toMatchObject([{ name: 'gate-2' }]);
});

test('a smaller picture that comes back has another name when somebody took its own', async () => {
  const { cameras, producer } = await openWithStream();
  const both = cameraSettings({ name: 'Hall', sources: { main: cameraSource(), sub: cameraSource() } });
  const hall = cameras.create(both, 1);
  cameras.update(hall.id, { ...both, sources: { ...both.sources, sub: undefined } }, { revision: undefined, nowMs: 2 });
  cameras.create({ ...producer, name: 'Thief' }, 3, { streamName: 'Hall-sub' });

  const { camera } = cameras.update(hall.id, both, { revision: undefined, nowMs: 4 });

  expect(camera.streams.map(({ name }) => name)).toEqual(['Hall', 'Hall-sub-2']);
  expect(camera.streams[1]?.id).toBe(hall.streams[1]?.id);
});
