import type { types } from 'mediasoup';
import { expect, test } from 'vitest';
import type { Publication, Receiver } from '../../../gateway/webrtc/sessions/index.ts';
import { appError } from '../../../storage/base/errors.ts';
import { until } from '../../kit/until.ts';
import { startLiveSite } from './kit.ts';
import { openPage } from './page.ts';

const fakeCamera = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

/** A site with a camera that publishers send to, and what its receiver got. */
async function startPublished(options: { readonly receive?: Receiver['receive'] } = {}) {
  const received: Publication[] = [];
  const closed: (boolean | undefined)[] = [];
  const ends: string[] = [];
  const receiver: Receiver = {
    receive: async (publication) => {
      received.push(publication);
      return (
        (await options.receive?.(publication)) ?? {
          onEnded: () => {},
          close: async (how) => void closed.push(how?.isLost),
        }
      );
    },
  };
  const events = { onEnded: (kind: string, end: string) => void ends.push(`${kind} ${end}`) };
  const site = await startLiveSite({ receiver, events });
  const admin = await site.admin();
  const { json } = await admin.post('/api/cameras', { name: 'Phone', source: { kind: 'whip' } });
  const streamKey = json.streamKeys.main as string;
  return { site, admin, received, closed, ends, streamKey, cameraId: json.id, url: `${site.origin}/whip/Phone` };
}

const packetsOf = async (producer: types.Producer | undefined) => (await producer?.getStats())?.[0]?.packetCount ?? 0;

test("Chromium's camera comes in by its stream key as H.264 and Opus, and ends when it leaves", async () => {
  const { received, closed, ends, streamKey, url } = await startPublished();
  const { publish, figures, close } = await openPage(fakeCamera);

  const told = await publish({ url, token: streamKey });

  expect([told.status, told.text]).toEqual([201, expect.stringContaining('v=0')]);
  const [publication] = received;
  await until('packets of both come', async () => {
    const counts = await Promise.all([packetsOf(publication?.video), packetsOf(publication?.audio)]);
    return counts.every((count) => count > 50);
  });
  expect(publication?.publisher).toMatch(/^stream key of /);
  expect(publication?.keySha256).toMatch(/^[\da-f]{64}$/);
  expect(await figures()).toMatchObject({ state: 'connected', videoCodec: 'video/H264' });
  await close();
  await until('it ended', () => ends.length === 1);
  expect([ends, closed]).toEqual([['publisher closed'], [false]]);
});

test('a publisher without H.264 is told what is recorded', async () => {
  const { received, streamKey, url } = await startPublished();
  const { publish } = await openPage(fakeCamera);

  const told = await publish({ url, token: streamKey, codec: 'video/VP8' });

  expect(told.status).toBe(422);
  expect(JSON.parse(told.text).error).toMatchObject({
    code: 'invalid_argument',
    message: expect.stringContaining('H.264'),
    hint: expect.stringContaining('it has VP8'),
  });
  expect(received).toEqual([]);
});

test('a second publisher is told that there is one, and has taken no place', async () => {
  const { site, streamKey, url } = await startPublished({
    receive: async () => {
      throw appError('already_exists', 'another publisher sends to this camera');
    },
  });
  const { publish } = await openPage(fakeCamera);

  const told = await publish({ url, token: streamKey });

  expect(told.status).toBe(409);
  expect(site.whip.sessions.count).toBe(0);
});

test('a stream key that was replaced ends its publisher', async () => {
  const { admin, ends, streamKey, url, cameraId } = await startPublished();
  const { publish, figures } = await openPage(fakeCamera);
  await publish({ url, token: streamKey });
  await until('it sends', async () => (await figures()).framesSent > 5);

  await admin.post(`/api/cameras/${cameraId}/stream-key`, {});

  await until('it ended', () => ends.length === 1);
  expect(ends).toEqual(['publisher denied']);
  expect((await publish({ url, token: streamKey })).status).toBe(401);
});
