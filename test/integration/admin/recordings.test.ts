import { expect, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { someRunId, someSegment } from '../../kit/segments.ts';
import { startSite } from './kit.ts';

const t0 = Date.UTC(2026, 0, 10, 12);
const minute = 60_000;

/** Three recorded minutes, one missing, two more, and a gap that goes on; 12 s that the keeper has not taken in. */
async function siteWithRecordings() {
  const site = await startSite({ newest: [{ beginMs: t0 + 6 * minute, count: 6 }] });
  const admin = await site.admin();
  const input = { name: 'Door', source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/' } };
  const { streams } = (await admin.post('/api/cameras', input)).json;
  const streamId: string = streams[0].id;
  const segments = [0, 1, 2, 4, 5].map((at, sequence) =>
    someSegment({ streamId, runId: someRunId('a'), sequence, firstCounter: 1 + 30 * at, beginMs: t0 + at * minute }),
  );
  site.writer.transaction((change) => {
    for (const segment of segments) change.segments.insert(segment, { location: 'local', takenInMs: t0 });
    const gap = { detail: undefined, runId: undefined, origin: 'ledger' } as const;
    const key = change.segments.streamKey(streamId);
    change.gaps.add(key, {
      ...gap,
      beginMs: t0 + 3 * minute,
      endMs: t0 + 4 * minute,
      reason: 'unreachable',
      detail: 'no route',
    });
    change.gaps.add(key, { ...gap, beginMs: t0 + 7 * minute, endMs: undefined, reason: 'source-silent' });
  });
  return { site, admin, streamId };
}

test('the timeline has what is recorded, what is missing and why, and the minutes that are in no index yet', async () => {
  const { admin, streamId } = await siteWithRecordings();
  const day = `begin=2026-01-10T00:00:00Z&end=2026-01-11T00:00:00Z`;

  const { json } = await admin.get(`/api/streams/${streamId}/timeline?${day}`);

  expect(json.spans).toEqual([
    { beginMs: t0, endMs: t0 + 3 * minute },
    { beginMs: t0 + 4 * minute, endMs: t0 + 6 * minute + 12_000 },
  ]);
  expect(json.gaps).toMatchObject([
    {
      beginMs: t0 + 3 * minute,
      endMs: t0 + 4 * minute,
      reason: 'unreachable',
      text: 'the camera could not be reached',
      detail: 'no route',
    },
    { beginMs: t0 + 7 * minute, endMs: Date.UTC(2026, 0, 11), reason: 'source-silent', detail: null },
  ]);
  expect(json.recordedMs).toBe(5 * minute + 12_000);
});

test('a coarser timeline merges what no screen could show', async () => {
  const { admin, streamId } = await siteWithRecordings();

  const { json } = await admin.get(
    `/api/streams/${streamId}/timeline?begin=${t0}&end=${t0 + 10 * minute}&resolutionMs=${2 * minute}`,
  );

  expect(json.spans).toHaveLength(1);
});

test('segments are listed page by page', async () => {
  const { admin, streamId } = await siteWithRecordings();
  const page = async (begin: number) =>
    (await admin.get(`/api/streams/${streamId}/segments?begin=${begin}&end=${t0 + 60 * minute}&limit=3`)).json;

  const first = await page(t0);
  const rest = await page(first.next);

  expect(first.segments).toHaveLength(3);
  expect(first.segments[0]).toMatchObject({ beginMs: t0, endMs: t0 + minute, fragments: 30, location: 'local' });
  expect(rest.segments.map((segment: { beginMs: number }) => segment.beginMs)).toEqual([
    t0 + 4 * minute,
    t0 + 5 * minute,
  ]);
  expect(rest.next).toBeNull();
});

test('days are those of the zone that was asked for, else of the site', async () => {
  const { admin, streamId } = await siteWithRecordings();
  const path = `/api/streams/${streamId}/days`;

  const berlin = await admin.get(`${path}?from=2026-01-10&to=2026-01-10&zone=Europe/Berlin`);
  const site = await admin.get(`${path}?from=2026-01-10&to=2026-01-10`);
  const nowhere = await admin.get(`${path}?from=2026-01-10&to=2026-01-10&zone=Europe/Nowhere`);

  expect(berlin.json).toMatchObject({
    zone: 'Europe/Berlin',
    days: [{ day: '2026-01-10', beginMs: Date.UTC(2026, 0, 9, 23), recordedMs: 5 * minute }],
  });
  expect(berlin.json.days[0].gapMsByReason).toMatchObject({ unreachable: minute });
  expect(site.json).toMatchObject({ zone: 'Asia/Kolkata', days: [{ beginMs: Date.UTC(2026, 0, 9, 18, 30) }] });
  expect(nowhere).toMatchObject({ status: 400, json: { error: { message: 'no such time zone' } } });
});

test('streams are listed with what they hold, and without it while the index is away', async () => {
  const { site, admin, streamId } = await siteWithRecordings();

  const known = (await admin.get(`/api/streams/${streamId}`)).json;
  await site.removeIndex();
  const unknown = await admin.get('/api/streams');
  const timeline = await admin.get(`/api/streams/${streamId}/timeline?begin=1&end=2`);

  expect(known).toMatchObject({ cameraName: 'Door', totals: { segments: 5, beginMs: t0, endMs: t0 + 6 * minute } });
  expect(unknown.json.streams).toMatchObject([{ id: streamId, totals: null }]);
  expect(timeline).toMatchObject({ status: 503, json: { error: { code: 'unavailable' } } });
});

test('what came of each stream lately is told by what it is kept for, with what was removed and what holds keep', async () => {
  const { site, admin, streamId } = await siteWithRecordings();
  const dayMs = 1_440 * minute;
  const nowMs = Math.floor(systemClock.wallMs());
  const goneMs = nowMs - 6.5 * dayMs;
  const at = [goneMs, nowMs - 0.5 * dayMs, nowMs - 0.5 * dayMs + minute];
  site.writer.transaction((change) => {
    at.forEach((beginMs, i) => {
      const plan = { streamId, runId: someRunId('b'), sequence: i, firstCounter: 1_000 + 30 * i, beginMs };
      const options = { location: 'local', takenInMs: beginMs, recordingMode: 'events' } as const;
      change.segments.insert(someSegment(plan), options);
    });
    for (const removed of change.queries.segments.oldestFrom(streamId, goneMs, 1))
      change.segments.remove(removed, { reason: 'camera-bytes', isUrgent: false, nowMs });
    const open = { untilMs: undefined, releasedMs: undefined, releasedBy: undefined };
    const hold = { streamId, who: 'admin', why: 'evidence', createdMs: nowMs, ...open };
    for (const [holdId, endMs] of [
      ['a', t0 + 2 * minute],
      ['b', t0 + 3 * minute],
    ] as const)
      change.holds.add({ ...hold, holdId, beginMs: t0, endMs });
  });

  const viewer = site.client();
  viewer.token = (await admin.post('/api/tokens', { name: 'guard', role: 'viewer' })).json.secret;

  const { streams } = (await admin.get('/api/streams/lately')).json;
  const seen = (await viewer.get('/api/streams/lately')).json.streams;

  expect(streams).toMatchObject([
    { id: streamId, completeSinceMs: goneMs + minute, heldSegments: 3, isHeldOnAndOn: false, days: { length: 7 } },
  ]);
  expect(streams[0].days[6]).toMatchObject({
    firstMs: at[1],
    counts: { continuous: 0, continuousMarked: 0, unmarked: 2, marked: 0 },
  });
  expect(streams[0].days[0]).toMatchObject({ firstMs: null, counts: { unmarked: 0 } });
  // Whoever may not read holds does not learn here that there is one.
  expect(seen).toMatchObject([{ id: streamId, completeSinceMs: goneMs + minute, heldSegments: 0 }]);
});

test('recordings are removed when somebody with the right to it asks, and that is noted', async () => {
  const { site, admin, streamId } = await siteWithRecordings();
  const operator = site.client();
  operator.token = (await admin.post('/api/tokens', { name: 'op', role: 'operator' })).json.secret;
  const path = `/api/streams/${streamId}/recordings?begin=${t0}&end=${t0 + minute}`;

  const refused = await operator.delete(path);
  const removed = await admin.delete(path);

  expect([refused.status, removed.status]).toEqual([403, 200]);
  expect(removed.json).toEqual({ removed: 2, held: 1 });
  expect(site.keeperCalls).toContainEqual({
    method: 'delete-range',
    params: { streamId, beginMs: t0, endMs: t0 + minute, who: 'admin' },
  });
  expect((await admin.get('/api/audit')).json.entries[0]).toMatchObject({
    action: 'recordings:delete',
    detail: { removed: 2 },
  });
});
