/** Usage by day, as people who share the costs read it. */

import { expect, test } from 'vitest';
import { temporaryDirectory } from '../../kit/temp.ts';
import { adminPassword, startSite } from './kit.ts';

test('what was played stands in the list of the day by who played it, after a restart too, and as CSV', async () => {
  const data = await temporaryDirectory();
  const first = await startSite({ data });
  const admin = await first.admin();
  const source = { kind: 'rtsp', url: 'rtsp://192.0.2.1/' };
  const camera = (await admin.post('/api/cameras', { name: 'Gate', source })).json;
  const streamId: string = camera.streams[0].id;
  await admin.get(`/api/streams/${streamId}/hls/master.m3u8`);
  await admin.get(`/api/streams/${streamId}/hls/master.m3u8`);
  await admin.get('/api/streams/nothing00x/hls/master.m3u8');
  const [me] = (await admin.get('/api/users')).json.users;
  await first.close();

  const second = await startSite({ data });
  const again = second.client();
  await again.login('admin', adminPassword);
  const { rows } = (await again.get('/api/usage')).json;
  const csv = await again.get('/api/usage?format=csv');

  const [row] = rows.filter((found: { direction: string }) => found.direction === 'out');
  expect(row).toMatchObject({ streamId, stream: 'Gate', protocol: 'hls', subjectKind: 'user', requests: 2 });
  expect(row.subjectId).toBe(me.id);
  expect(row.bytes).toBeGreaterThan(100);
  expect(csv.headers['content-type']).toContain('text/csv');
  expect(csv.text.split('\r\n')[0]).toBe('day,streamId,stream,direction,protocol,subjectKind,subjectId,bytes,requests');
  expect(csv.text).toContain(`,${streamId},Gate,out,hls,user,`);
  expect((await again.get('/api/usage?from=yesterday')).status).toBe(400);
  expect((await second.client().get('/api/usage')).status).toBe(401);
});
