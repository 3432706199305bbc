import { expect, test } from 'vitest';
import { EdgeSync } from '../../../gateway/kvs/index.ts';
import type { SourceState } from '../../../storage/model/camera.ts';
import { sourceState } from '../../integration/admin/kit.ts';
import { cameraSettings, openTestCatalog } from '../catalog/kit.ts';

/** A configuration that was made just now, and what `ingest` says of its stream. */
async function syncing() {
  const { catalog, clock } = await openTestCatalog();
  const { cameras, edgeConfigurations } = catalog.tables;
  const camera = cameras.create(cameraSettings(), clock.wallMs());
  const streamId = camera.streams[0]?.id ?? '';
  let state: SourceState | undefined;
  const asked = { count: 0 };
  const fault = { isOn: false };
  let tell: ((state: SourceState) => void) | undefined;
  const sync = new EdgeSync({
    clock,
    tables: () => {
      asked.count++;
      if (fault.isOn) throw new Error('database is locked');
      return catalog.tables;
    },
    states: {
      state: () => state,
      listen: ({ onState }) => {
        tell = onState;
        return () => {
          tell = undefined;
        };
      },
    },
  });
  sync.start();
  edgeConfigurations.put(
    {
      ...{ streamId, cameraId: camera.id, failure: null, state: 'syncing', isApplied: true },
      settings: { hubDeviceArn: 'hub', mediaKind: 'rtsp', mediaSecretArn: 'secret' },
    },
    clock.wallMs(),
  );
  sync.began(streamId);
  return {
    clock,
    sync,
    fault,
    say: (change: Partial<SourceState>) => {
      state = sourceState(streamId, { sinceMs: clock.wallMs(), ...change });
      tell?.(state);
    },
    /** Of another camera. Returns how often the catalog was asked for it. */
    sayOfOther: () => {
      const before = asked.count;
      tell?.(sourceState('another-one', {}));
      return asked.count - before;
    },
    kept: () => edgeConfigurations.find(streamId),
    found: () => sync.find(streamId),
  };
}

test('a configuration is settled when the camera answers, though nobody asks, and stays so', async () => {
  const { say, kept, sync } = await syncing();

  say({ state: 'connecting' });
  expect(kept()?.state).toBe('syncing');
  say({ state: 'live' });
  expect(kept()?.state).toBe('in-sync');
  say({ state: 'retrying', message: 'the network connection to the camera broke' });
  expect(kept()).toMatchObject({ state: 'in-sync', failure: null });
  await sync.close();
  await sync.close();
});

test('what the source did before the change does not count, until recording had time to take it up', async () => {
  const { clock, say, found } = await syncing();

  say({ state: 'live', sinceMs: clock.wallMs() - 60_000 });
  expect(found()?.state).toBe('syncing');
  await clock.advance(10_000);
  expect(found()?.state).toBe('in-sync');
});

test('after 15 minutes without an answer the sync has failed', async () => {
  const unheard = await syncing();
  const slow = await syncing();
  slow.say({ state: 'connecting', message: 'the camera has not answered yet' });

  for (const { clock } of [unheard, slow]) await clock.advance(15 * 60_000 - 1);
  expect([unheard.found()?.state, slow.found()?.state]).toEqual(['syncing', 'syncing']);
  for (const { clock } of [unheard, slow]) await clock.advance(1);

  expect(unheard.found()).toMatchObject({ state: 'failed', failure: expect.stringContaining('15 minutes') });
  expect(slow.found()).toMatchObject({ state: 'failed', failure: 'the camera has not answered yet' });
});

test('a catalog that cannot be read harms no listener, and other cameras are not looked up in it', async () => {
  const { say, sayOfOther, fault, kept } = await syncing();

  fault.isOn = true;
  say({ state: 'live' });
  expect(sayOfOther()).toBe(0);
  fault.isOn = false;
  expect(kept()?.state).toBe('syncing');
  say({ state: 'live' });
  expect(kept()?.state).toBe('in-sync');
});
