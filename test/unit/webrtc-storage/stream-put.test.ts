import { expect, test } from 'vitest';
import { recordedAacTrack } from '../../../gateway/webrtc/audio/index.ts';
import { StreamPut } from '../../../gateway/webrtc/storage-session/index.ts';
import { type AppError, appError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import type { LanePut, PutOptions } from '../../../storage/lane/index.ts';
import { MatroskaReader } from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';

const video: Track = {
  ...{ number: 1, kind: 'video', codec: 'h264', codecId: 'V_MPEG4/ISO/AVC', codecString: 'avc1.42e01f' },
  codecPrivate: Uint8Array.of(1, 0x42, 0xe0, 0x1f, 0xff, 0xe0, 0),
  video: { widthPixels: 320, heightPixels: 240 },
};
const audio = recordedAacTrack(2);

/** An owner that writes down what it gets, and a put to it. */
function start() {
  const clock = new SimulatedClock();
  const puts: { head: PutOptions['head']; bytes: Uint8Array[]; isEnded: boolean; fail(error: AppError): void }[] = [];
  const ended: string[] = [];
  let keyFramesWanted = 0;
  let held = 0;
  const budget = { bytesMax: Number.POSITIVE_INFINITY };
  const put = new StreamPut(
    {
      ...{ clock, log: silentLog, random: () => 0.5 },
      owner: {
        put: async ({ head, onEvent }) => {
          const outcome = Promise.withResolvers<unknown>();
          outcome.promise.catch(() => {});
          const one = { head, bytes: [] as Uint8Array[], isEnded: false, fail: outcome.reject };
          puts.push(one);
          queueMicrotask(() => onEvent?.({ kind: 'accepted' }));
          const lane = {
            outcome: outcome.promise,
            write: async (bytes: Uint8Array) => void one.bytes.push(bytes),
            end: async () => {
              one.isEnded = true;
            },
            close: () => {},
          };
          return lane as unknown as LanePut;
        },
      },
      budget: {
        take: (bytes) => {
          if (held + bytes > budget.bytesMax) return false;
          held += bytes;
          return true;
        },
        give: (bytes) => {
          held -= bytes;
        },
      },
      wantKeyFrame: () => keyFramesWanted++,
      onEnded: (error) => ended.push(error.code),
    },
    { streamId: 'stream1', requestId: 'r1' },
  );
  const unit = (trackNumber: number, ms: number, isKey = trackNumber === 2) =>
    put.unit({
      ...{ trackNumber, isKey, presentationTimeUs: ms * 1_000, producerTimestampMs: 1_700_000_000_000 + ms },
      ...{ receivedMonotonicMs: clock.monotonicMs(), isAfterLoss: false, bytes: Uint8Array.of(trackNumber, 2, 3) },
    });
  return { clock, put, puts, ended, unit, budget, wanted: () => keyFramesWanted };
}

/** Clusters of a put: their times, and the blocks in them as [track, time]. */
function clustersOf(bytes: readonly Uint8Array[]) {
  const clusters: { timecode: number; blocks: [track: number, timeMs: number][] }[] = [];
  const reader = new MatroskaReader(
    {
      sink: {
        head: () => {},
        clusterBegin: ({ timecode }) => void clusters.push({ timecode, blocks: [] }),
        clusterBytes: () => {},
        frame: ({ trackNumber, timecode }) => void clusters.at(-1)?.blocks.push([trackNumber, timecode]),
        clusterEnd: () => {},
        tags: () => {},
      },
    },
    { headBytesMax: 100_000, clusterBytesMax: 1_000_000, blockBytesMax: 100_000 },
  );
  for (const piece of bytes) reader.push(piece);
  reader.end();
  return clusters;
}

/** A second of 10 pictures, the first of them key, and sound that comes 100 ms later. */
async function second(
  { clock, unit }: ReturnType<typeof start>,
  fromMs: number,
  { hasSound = true, isKey = true } = {},
) {
  for (let ms = fromMs; ms < fromMs + 1_000; ms += 100) {
    unit(1, ms, isKey && ms === fromMs);
    await clock.advance(100);
    if (hasSound) for (let at = ms; at < ms + 100; at += 20) unit(2, at);
  }
}

test('a fragment goes from key frame to key frame, with sound and pictures in the order of their times', async () => {
  const site = start();
  site.put.session([video, audio]);

  for (const ms of [0, 1_000, 2_000]) await second(site, ms);
  await site.put.close();

  const [put] = site.puts;
  const clusters = clustersOf(put?.bytes ?? []);
  expect(put?.head).toMatchObject({ kind: 'put-media', streamId: 'stream1', timecodes: 'relative', wantsAcks: false });
  expect(put?.head.producerStartMs).toBe(1_700_000_000_000);
  expect(put?.isEnded).toBe(true);
  expect(clusters.map(({ timecode }) => timecode)).toEqual([0, 1_000, 2_000]);
  for (const { timecode, blocks } of clusters) {
    expect(blocks.filter(([track]) => track === 1)).toHaveLength(10);
    expect(blocks.filter(([track]) => track === 2)).toHaveLength(50);
    expect(blocks[0]).toEqual([1, timecode]);
    const times = blocks.map(([, timeMs]) => timeMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  }
});

test('a fragment without sound gets silence, since KVS takes none without each track', async () => {
  const site = start();
  site.put.session([video, audio]);

  for (const ms of [0, 1_000]) await second(site, ms, { hasSound: ms === 0 });
  await second(site, 2_000);
  await site.put.close();

  const counts = clustersOf(site.puts[0]?.bytes ?? []).map(
    ({ blocks }) => blocks.filter(([track]) => track === 2).length,
  );
  expect(counts).toEqual([50, 1, 50]);
});

test('pictures without key frames go on in a fragment of their own before one is too long', async () => {
  const site = start();
  site.put.session([video, audio]);

  await second(site, 0);
  for (let ms = 1_000; ms < 17_000; ms += 1_000) await second(site, ms, { isKey: false });
  await site.put.close();

  expect(clustersOf(site.puts[0]?.bytes ?? []).map(({ timecode }) => timecode)).toEqual([0, 15_100]);
});

test('what finds no room is left out up to the next key frame, which is asked for', async () => {
  const site = start();
  site.put.session([video, audio]);
  await second(site, 0);

  site.budget.bytesMax = 0;
  await second(site, 1_000);
  site.budget.bytesMax = Number.POSITIVE_INFINITY;
  await second(site, 2_000, { isKey: false });
  await second(site, 3_000);
  await site.put.close();

  expect(site.wanted()).toBeGreaterThan(0);
  const times = clustersOf(site.puts[0]?.bytes ?? []).map(({ timecode }) => timecode);
  expect(times).toEqual([0, 3_000]);
});

test('another session of the media is another put, and an owner that ends one is told once', async () => {
  const site = start();
  site.put.session([video, audio]);
  await second(site, 0);
  site.put.session([video]);
  await second(site, 0, { hasSound: false });

  site.puts[1]?.fail(appError('unavailable', 'the owner ends'));
  await site.clock.advance(1_000);
  await second(site, 1_000, { hasSound: false });
  await site.put.close();

  expect(site.puts).toHaveLength(2);
  expect(site.puts[0]?.isEnded).toBe(true);
  expect(site.ended).toEqual(['unavailable']);
});

test('a put is followed by another before a producer may no longer send', async () => {
  const site = start();
  site.put.session([video, audio]);
  await second(site, 0);

  await site.clock.advance(1_900_000);
  await second(site, 1_000);
  await site.put.close();

  expect(site.puts.map(({ bytes }) => clustersOf(bytes).map(({ timecode }) => timecode))).toEqual([[0], [1_000]]);
});

test('a master whose pictures stop has its last fragment stored, and sound alone makes none that is too long', async () => {
  const site = start();
  site.put.session([video, audio]);
  await second(site, 0);

  for (let ms = 1_000; ms < 60_000; ms += 20) {
    site.unit(2, ms);
    await site.clock.advance(20);
  }
  const [first] = site.puts;
  expect(first?.isEnded).toBe(true);
  await second(site, 60_000);
  await site.put.close();

  const clusters = site.puts.map(({ bytes }) => clustersOf(bytes));
  expect(clusters.map((each) => each.map(({ timecode }) => timecode))).toEqual([[0], [60_000]]);
  expect(clusters[0]?.[0]?.blocks.at(-1)?.[1]).toBeLessThan(20_000);
  expect(site.ended).toEqual([]);
});

test('a master that vanishes has its last fragment stored before anybody drops it', async () => {
  const site = start();
  site.put.session([video, audio]);
  await second(site, 0);

  await site.clock.advance(20_000);

  expect(site.puts.map(({ isEnded }) => isEnded)).toEqual([true]);
  expect(clustersOf(site.puts[0]?.bytes ?? [])[0]?.blocks).toHaveLength(60);
});

test('a fragment that is left out in the middle has each track all the same', async () => {
  const site = start();
  site.put.session([video, audio]);
  await second(site, 0, { hasSound: false });
  site.unit(1, 1_000, true);
  await site.clock.advance(600);
  // The key frame is on its way, and no sound of its fragment.
  site.unit(1, 1_100);
  site.budget.bytesMax = 0;
  await site.clock.advance(2_000);
  site.unit(1, 1_200);
  site.budget.bytesMax = Number.POSITIVE_INFINITY;
  await second(site, 3_000);
  await site.put.close();

  for (const { blocks } of clustersOf(site.puts[0]?.bytes ?? [])) {
    expect(new Set(blocks.map(([track]) => track))).toEqual(new Set([1, 2]));
  }
});

test('a sender whose pictures are others each time begins no more than thirty puts a minute, and is stored again after it', async () => {
  const site = start();
  const otherPictures = async (fromMs: number, times: number) => {
    for (let ms = fromMs; ms < fromMs + 10 * times; ms += 10) {
      site.put.session([video]);
      site.unit(1, ms, true);
      await site.clock.advance(10);
    }
    await site.clock.advance(1_500);
  };

  await otherPictures(0, 200);
  expect(site.puts.length).toBe(30);

  await site.clock.advance(60_000);
  await otherPictures(70_000, 1);
  expect(site.puts.length).toBe(31);
  expect(site.puts.slice(0, -1).every(({ isEnded }) => isEnded)).toBe(true);
});
