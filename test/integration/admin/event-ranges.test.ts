/** Events over the port: with who may, what is written down, and footage that changes its class in a real index. */

import { expect, test } from 'vitest';
import type { EventRange } from '../../../storage/model/event-range.ts';
import { startSite } from './kit.ts';

type Put = Omit<EventRange, 'endMs'> & { readonly endMs: number | null };

/** A keeper that writes into the site's index. */
async function startMarked() {
  const calls: string[] = [];
  const site: Awaited<ReturnType<typeof startSite>> = await startSite({
    requests: {
      'event-put': (params) => {
        const { endMs, ...range } = params as Put;
        calls.push('put');
        site.writer.transaction((change) => change.events.put({ ...range, endMs: endMs ?? undefined }, Date.now()));
        return {};
      },
      'event-end': (params) => {
        const { rangeId, endMs } = params as { rangeId: string; endMs: number };
        site.writer.transaction((change) => change.events.end(rangeId, endMs));
        return {};
      },
      'event-remove': (params) => {
        const { rangeId } = params as { rangeId: string };
        site.writer.transaction((change) => change.events.remove(rangeId));
        return {};
      },
    },
  });
  const admin = await site.admin();
  const input = { name: 'Door', source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/' } };
  const camera = (await admin.post('/api/cameras', input)).json;
  const other = (await admin.post('/api/cameras', { ...input, name: 'Yard' })).json;
  return {
    site,
    admin,
    calls,
    path: `/api/cameras/${camera.id}/event-ranges`,
    otherPath: `/api/cameras/${other.id}/event-ranges`,
  };
}

const begin = '2026-01-31T12:00:00Z';
const beginMs = Date.parse(begin);
const span = `?begin=${beginMs - 60_000}&end=${beginMs + 60_000}`;

test('an event is marked, listed, ended and taken back, and each is written down', async () => {
  const { admin, path, otherPath } = await startMarked();

  const made = await admin.post(path, { id: 'bell-7', kind: 'doorbell', begin, detail: { floor: '2' } });
  const again = await admin.post(path, { id: 'bell-7', kind: 'doorbell', begin, detail: { floor: '2' } });
  const open = (await admin.get(`${path}${span}`)).json;
  const ended = await admin.patch(`${path}/bell-7`, { end: beginMs + 5_000 });
  const elsewhere = await admin.delete(`${otherPath}/bell-7`);
  const closed = (await admin.get(`${path}${span}`)).json;
  const removed = await admin.delete(`${path}/bell-7`);

  expect([made.status, again.status, ended.status, elsewhere.status, removed.status]).toEqual([
    201, 201, 204, 404, 204,
  ]);
  expect(open.ranges).toEqual([
    { id: 'bell-7', kind: 'doorbell', source: 'api', beginMs, endMs: null, isCut: false, detail: { floor: '2' } },
  ]);
  expect(closed.ranges).toMatchObject([{ id: 'bell-7', endMs: beginMs + 5_000 }]);
  expect((await admin.get(`${path}${span}`)).json).toEqual({ ranges: [] });
  const actions = (await admin.get('/api/audit')).json.entries.map((entry: { action: string }) => entry.action);
  expect(actions.filter((action: string) => action.startsWith('event-ranges:'))).toEqual([
    'event-ranges:delete',
    'event-ranges:update',
    'event-ranges:create',
    'event-ranges:create',
  ]);
});

test('what is no event is refused before the keeper hears of it', async () => {
  const { admin, calls, path } = await startMarked();

  const answers = await Promise.all([
    admin.post(path, { kind: 'Two Words', begin }),
    admin.post(path, { begin: 'yesterday' }),
    admin.post(path, { begin, detail: { note: 'x'.repeat(501) } }),
    admin.post(path, { begin, id: '../../etc' }),
    admin.post('/api/cameras/aaaaaaaaaa/event-ranges', { begin }),
    admin.get(`${path}?begin=5&end=4`),
  ]);

  expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 400, 404, 400]);
  expect(calls).toEqual([]);
});
