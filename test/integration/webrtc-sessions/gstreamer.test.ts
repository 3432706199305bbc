import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { Catalog } from '../../../storage/catalog/index.ts';
import { until } from '../../kit/until.ts';
import { areWhepViewersHere, WhepViewers } from '../../kit/whep-viewers.ts';
import { startLiveSite } from './kit.ts';

test.skipIf(!areWhepViewersHere)(
  'viewers of GStreamer get pictures and sound, and what they got is counted',
  async () => {
    const site = await startLiveSite({ camera: { audio: 'opus' } });
    const admin = await site.admin();
    await admin.post('/api/cameras', { name: 'Yard', source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/' } });
    const token = await admin.post('/api/tokens', { name: 'player', role: 'viewer', policies: [] });
    const url = `${site.origin}/whep/Yard`;

    const viewers = new WhepViewers({ urls: [url, url, url], token: token.json.secret });
    try {
      await until('all of them watch', () => viewers.watching === 3);
      // Counts are those since the last question.
      const totals = [0, 1, 2].map(() => ({ pictures: 0, sounds: 0 }));
      await until('pictures and sound go on', async () => {
        for (const [index, { pictures, soundPackets }] of (await viewers.counts()).entries()) {
          const total = totals[index];
          if (total === undefined) continue;
          total.pictures += pictures;
          total.sounds += soundPackets;
        }
        return totals.every(({ pictures, sounds }) => pictures > 20 && sounds > 20);
      });

      expect(viewers.faults).toEqual([]);
    } finally {
      await viewers.close();
    }
    await site.whep.sessions.close();
    await site.close();
    const catalog = new Catalog({ clock: systemClock, random: randomBytes }, { path: site.paths.catalog });
    catalog.start();
    const rows = catalog.tables.usage.between({ firstDay: '2000-01-01', lastDay: '9999-12-31', limit: 100 });
    await catalog.close();

    expect(rows).toMatchObject([{ direction: 'out', protocol: 'webrtc', subjectKind: 'token' }]);
    expect(rows[0]?.bytes).toBeGreaterThan(10_000);
  },
);
