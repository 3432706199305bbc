/** Players of times that are not there any more, or never were: a real keeper removes, real files are read. */

import { expect, onTestFinished, test } from 'vitest';
import { absenceWithin, Clips, type FragmentSource, Hls, Images } from '../../../gateway/playback/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { StreamReader } from '../../../storage/reader/index.ts';
import { recordRun } from '../../kit/recorded-runs.ts';
import { until } from '../../kit/until.ts';
import { createSite, minute, settled } from '../keeper/kit.ts';

const now = Date.now();
const streamId = 'door';

test('removed footage is said to be removed, a pause to be one, and neither where footage is left', async () => {
  const site = await createSite();
  const beginMs = now - 60 * minute;
  await recordRun(site.paths, { seed: 'a', beginMs, fragments: 50, firstCounter: 1 });
  await site.tell(
    { kind: 'wanted', streamId, atMs: beginMs },
    { kind: 'unwanted', streamId, atMs: beginMs + 10 * minute, why: 'not-scheduled' },
  );
  const keeper = await site.startKeeper();
  await settled(keeper, 5);
  await until('the pause is known', () => site.index.pausesBetween(streamId, { beginMs, endMs: now }).length > 0);
  // Whole segments go: the second to the fourth minute.
  const asked = { beginMs: beginMs + minute - 1, endMs: beginMs + 4 * minute + 1 };
  expect(keeper.removeRange({ streamId, ...asked, who: 'anna' })).toMatchObject({ removed: 3 });
  const reader = new StreamReader({
    clock: systemClock,
    log: silentLog,
    paths: site.paths,
    index: site.index,
    store: site.store,
  });
  await reader.start();
  onTestFinished(() => reader.close());
  const source: FragmentSource = {
    fragmentsBetween: (id, range) => reader.fragmentsBetween(id, range),
    latest: (id) => reader.latest(id),
    clusterBytes: (reference) => reader.clusterBytes(reference as Parameters<StreamReader['clusterBytes']>[0]),
    onNew: (id, callback) => reader.onNew(id, callback),
    absence: (id, range) => absenceWithin(site.index, { ...range, streamId: id, nowMs: now }),
  };
  const clips = new Clips({ source, log: silentLog });
  const decoders = { decode: () => Promise.reject(new Error('no picture is decoded here')) };
  const hls = new Hls({ source, clock: systemClock });
  const inside = { beginMs: beginMs + 1.5 * minute, endMs: beginMs + 3.5 * minute };
  const paused = { beginMs: beginMs + 20 * minute, endMs: beginMs + 30 * minute };
  const master = ({ beginMs: begin, endMs: end }: typeof inside) =>
    hls.get({ streamId, file: 'master.m3u8', query: { begin: String(begin), end: String(end) } });

  const removed = {
    code: 'not_found',
    message: 'the footage of that time was removed on request',
    context: { absence: 'request', nearestBeforeMs: beginMs + minute, nearestAfterMs: beginMs + 4 * minute },
  };
  await expect(clips.open(streamId, inside)).rejects.toMatchObject(removed);
  await expect(new Images({ source, decoders }).at(streamId, inside.beginMs)).rejects.toMatchObject({
    message: removed.message,
  });
  await expect(master(inside)).rejects.toMatchObject(removed);
  await expect(clips.open(streamId, paused)).rejects.toMatchObject({
    code: 'not_found',
    message: 'nothing was recorded at that time: not scheduled',
  });
  await expect(
    clips.open(streamId, { beginMs: beginMs - 9 * minute, endMs: beginMs - 5 * minute }),
  ).rejects.toMatchObject({
    message: 'nothing was recorded at that time',
  });
  const left = await clips.open(streamId, { beginMs, endMs: beginMs + 5 * minute });
  expect(left.spans).toHaveLength(2);
});
