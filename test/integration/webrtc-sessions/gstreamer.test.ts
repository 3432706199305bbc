import { expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { areWhepViewersHere, WhepViewers } from '../../kit/whep-viewers.ts';
import { startLiveSite } from './kit.ts';

test.skipIf(!areWhepViewersHere)('viewers of GStreamer get pictures and sound', async () => {
  const site = await startLiveSite({ camera: { audio: 'opus' } });
  const admin = await site.admin();
  await admin.post('/api/cameras', { name: 'Yard', source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/' } });
  const token = await admin.post('/api/tokens', { name: 'player', role: 'viewer', policies: [] });
  const url = `${site.origin}/whep/Yard`;

  const viewers = new WhepViewers({ urls: [url, url, url], token: token.json.secret });
  try {
    await until('all of them watch', () => viewers.watching === 3);
    await until('pictures go on', async () => (await viewers.counts()).every(({ pictures }) => pictures > 10));
    const counts = await viewers.counts();

    expect(viewers.faults).toEqual([]);
    expect(counts.every(({ soundPackets }) => soundPackets > 0)).toBe(true);
  } finally {
    await viewers.close();
  }
});
