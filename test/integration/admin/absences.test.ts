/** What the API tells of footage that is not there on purpose. */

import { expect, test } from 'vitest';
import { someRunId, someSegment } from '../../kit/segments.ts';
import { startSite } from './kit.ts';

const t0 = Date.UTC(2026, 0, 10, 12);
const minute = 60_000;
const day = 24 * 60 * minute;

/** Ten minutes, of which 2 to 4 were removed for their age, 6 by a person, and an hour after them that was not scheduled. */
async function siteWithRemovals() {
  const site = await startSite();
  const admin = await site.admin();
  const input = { name: 'Door', source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/' } };
  const { streams } = (await admin.post('/api/cameras', input)).json;
  const streamId: string = streams[0].id;
  site.writer.transaction((change) => {
    for (let at = 0; at < 10; at++) {
      const place = { sequence: at, firstCounter: 1 + 30 * at, beginMs: t0 + at * minute };
      const part = someSegment({ streamId, runId: someRunId('a'), ...place });
      const { segmentId } = change.segments.insert(part, { location: 'local', takenInMs: t0 });
      const segment = change.queries.segments.byId(segmentId);
      if (segment === undefined) throw new Error('it was taken in');
      const nowMs = t0 + 10 * minute;
      if (at >= 2 && at < 5)
        change.segments.remove(segment, { reason: 'age', isUrgent: false, nowMs: nowMs + 30 * day });
      if (at === 6) change.segments.remove(segment, { reason: 'request', who: 'anna', isUrgent: false, nowMs });
    }
    const pause = { beginMs: t0 + 10 * minute, endMs: t0 + 70 * minute, reason: 'not-scheduled' } as const;
    change.gaps.addPause(change.segments.streamKey(streamId), pause);
  });
  return { admin, streamId };
}

test('the timeline tells what was removed, by whom and why, and what was not to be recorded', async () => {
  const { admin, streamId } = await siteWithRemovals();
  const range = `begin=${t0 + 3 * minute}&end=${t0 + 20 * minute}`;

  const { json } = await admin.get(`/api/streams/${streamId}/timeline?${range}`);

  expect(json.spans).toEqual([
    { beginMs: t0 + 5 * minute, endMs: t0 + 6 * minute },
    { beginMs: t0 + 7 * minute, endMs: t0 + 10 * minute },
  ]);
  expect(json.gaps).toEqual([]);
  expect(json.removals).toEqual([
    {
      ...{ beginMs: t0 + 3 * minute, endMs: t0 + 5 * minute, reason: 'age' },
      ...{ text: 'removed: older than 30 days', removedMs: t0 + 10 * minute + 30 * day },
    },
    {
      ...{ beginMs: t0 + 6 * minute, endMs: t0 + 7 * minute, reason: 'request' },
      ...{ text: 'removed on request by anna', removedMs: t0 + 10 * minute },
    },
  ]);
  expect(json.pauses).toEqual([
    { beginMs: t0 + 10 * minute, endMs: t0 + 20 * minute, reason: 'not-scheduled', text: 'not scheduled' },
  ]);
});

test('days tell how much of them was removed and was not to be recorded', async () => {
  const { admin, streamId } = await siteWithRemovals();

  const { json } = await admin.get(`/api/streams/${streamId}/days?from=2026-01-10&to=2026-01-11&zone=UTC`);

  expect(json.days).toMatchObject([
    {
      day: '2026-01-10',
      recordedMs: 6 * minute,
      removedMsByText: { 'removed: older than 30 days': 3 * minute, 'removed on request by anna': minute },
      pausedMsByText: { 'not scheduled': 60 * minute },
    },
    { day: '2026-01-11', recordedMs: 0, removedMsByText: {}, pausedMsByText: {} },
  ]);
});
