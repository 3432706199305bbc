import { expect, test } from 'vitest';
import { channelsMax, secretsMax } from '../../../storage/catalog/index.ts';
import { actor, cameraSettings, openTestCatalog } from './kit.ts';

const channel = { name: 'gate', messageTtlS: 60, tags: {} };
const exhausted = expect.objectContaining({ code: 'resource_exhausted' });

test('a channel changes its revision with what changes, and with nothing else', async () => {
  const { channels } = (await openTestCatalog()).catalog.tables;
  const made = channels.create(channel, 1);

  expect(channels.update(made, { messageTtlS: 60, tags: {} }, 2)).toEqual([]);
  expect(channels.findByName('gate')).toEqual(made);
  expect(channels.update(made, { messageTtlS: 30 }, 3)).toEqual(['messageTtlS']);
  expect(channels.findByName('gate')).toEqual({ ...made, messageTtlS: 30, revision: 2, updatedMs: 3 });
});

test('there are as many channels and secrets as their bounds say, and no name is there twice', async () => {
  const { catalog } = await openTestCatalog();
  const { channels, secrets } = catalog.tables;
  const secret = (name: string) => ({ name, createdBy: 'ada', sealedValue: 'v1.sealed' });
  catalog.change(actor, () => {
    for (let i = 0; i < channelsMax; i++) channels.create({ ...channel, name: `channel-${i}` }, 1);
    for (let i = 0; i < secretsMax; i++) secrets.create(secret(`secret-${i}`), 1);
  });

  expect(() => channels.create(channel, 2)).toThrowError(exhausted);
  expect(() => secrets.create(secret('gate'), 2)).toThrowError(exhausted);
  const taken = expect.objectContaining({ code: 'already_exists' });
  expect(() => channels.create({ ...channel, name: 'channel-7' }, 2)).toThrowError(taken);
  expect(() => secrets.create(secret('secret-7'), 2)).toThrowError(taken);
});

test('channels are listed without their tags, of which clients make 190 MB', async () => {
  const { channels } = (await openTestCatalog()).catalog.tables;
  const { tags, ...made } = channels.create({ ...channel, tags: { site: 'x'.repeat(256) } }, 1);

  expect(channels.list()).toEqual([made]);
  expect(channels.findByName('gate')).toEqual({ ...made, tags });
});

test('secrets are listed without what they say', async () => {
  const { secrets } = (await openTestCatalog()).catalog.tables;
  secrets.create({ name: 'gate', createdBy: 'ada', sealedValue: 'v1.sealed' }, 1);

  expect(JSON.stringify(secrets.list())).not.toContain('sealed');
  expect(secrets.findToOpen('gate')).toMatchObject({ sealedValue: 'v1.sealed' });
});

test('an edge configuration goes with its camera, and is settled only as it is now', async () => {
  const { cameras, edgeConfigurations } = (await openTestCatalog()).catalog.tables;
  const camera = cameras.create(cameraSettings(), 1);
  const settings = { hubDeviceArn: 'hub', mediaKind: 'rtsp', mediaSecretArn: 'secret' } as const;
  const streamId = camera.streams[0]?.id ?? '';
  const put = (nowMs: number) =>
    edgeConfigurations.put(
      { ...{ streamId, cameraId: camera.id, settings, failure: null }, state: 'syncing', isApplied: true },
      nowMs,
    );

  const first = put(10);
  const second = put(20);
  edgeConfigurations.settle(first, { state: 'failed', failure: 'too late' });
  expect(edgeConfigurations.find(streamId)).toMatchObject({ state: 'syncing', createdMs: 10, updatedMs: 20 });
  edgeConfigurations.settle(second, { state: 'in-sync', failure: null });
  expect(edgeConfigurations.find(streamId)).toMatchObject({ state: 'in-sync' });
  expect(edgeConfigurations.ofHub('hub')).toHaveLength(1);

  cameras.remove(camera.id, 30);
  expect(edgeConfigurations.find(streamId)).toBeUndefined();
});
