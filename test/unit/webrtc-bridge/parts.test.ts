import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FeedUnit, forEachPacket, RtpPacketiser, rtpFormatsOf } from '../../../gateway/rtp/index.ts';
import { FlvReader } from '../../../gateway/webrtc/bridge/flv-reader.ts';
import { bridgeLimits } from '../../../gateway/webrtc/bridge/limits.ts';
import { MergedEvents } from '../../../gateway/webrtc/bridge/merged-events.ts';
import { producerOptionsOf, viewerCodecOf } from '../../../gateway/webrtc/bridge/producer-parameters.ts';
import { squeezedTimes } from '../../../gateway/webrtc/bridge/sender.ts';
import { StreamTimes } from '../../../gateway/webrtc/bridge/stream-times.ts';
import { isReordered, whyConverted } from '../../../gateway/webrtc/bridge/unplayable.ts';
import { aacTrack, g711Track, joinNals, opusTrack } from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import { pps, slice, sps } from '../rtsp/packets.ts';
import { video } from './kit.ts';

const h265: Track = { ...video, codec: 'h265', codecId: 'V_MPEGH/ISO/HEVC', codecPrivate: new Uint8Array() };

test('squeezed times end with the newest one, around the end of 32 bits too', () => {
  expect(squeezedTimes(3, 100, 90)).toEqual([2 ** 32 - 80, 10, 100]);
  expect(squeezedTimes(1, 5, 90)).toEqual([5]);
  expect(squeezedTimes(0, 5, 90)).toEqual([]);
});

test('packets for WebRTC are 1,200 bytes at most, with parameter sets before a key frame and without delimiters', () => {
  const [format] = rtpFormatsOf([video]);
  if (format === undefined) throw new Error('no format');
  const packetiser = new RtpPacketiser(format, {
    ...bridgeLimits.feeds.packets,
    channel: 0,
    ssrc: 1,
    firstSequence: 0,
  });
  const delimiter = Uint8Array.of(9, 0xf0);

  const { bytes } = packetiser.burst(
    { bytes: joinNals([delimiter, slice({ isKey: true, bytes: 5_000 })]), isKey: true },
    0,
  );

  const packets: Uint8Array[] = [];
  forEachPacket(bytes, (begin, end) => packets.push(bytes.subarray(begin, end)));
  expect(packets.map(({ length }) => length)).toEqual([
    12 + sps.length,
    12 + pps.length,
    1_200,
    1_200,
    1_200,
    1_200,
    269,
  ]);
  expect([packets[0]?.subarray(12), packets[1]?.subarray(12)]).toEqual([sps, pps]);
});

test('the next key frame is expected after as long as the last one took', () => {
  const times = new StreamTimes();
  const at = (positionUs: number, isStart: boolean) =>
    ({ positionUs, isStart, serverTimestampMs: positionUs / 1000 }) as FeedUnit;
  expect(times.untilKeyMs(0)).toBeUndefined();

  times.hear(at(0, true), 1_000);
  expect(times.untilKeyMs(1_500)).toBeUndefined();
  times.hear(at(2_000_000, true), 3_000);
  times.hear(at(2_040_000, false), 3_040);

  expect(times.untilKeyMs(4_700)).toBe(300);
});

test('wall time follows a drift slowly and a jump at once', () => {
  const times = new StreamTimes();
  const at = (positionMs: number, serverTimestampMs: number) =>
    ({ positionUs: positionMs * 1000, isStart: false, serverTimestampMs }) as FeedUnit;

  times.hear(at(0, 5_000), 0);
  times.hear(at(40, 5_104), 0);
  expect(times.wallMsOf(40_000)).toBe(5_041);
  times.hear(at(80, 90_000), 0);
  expect(times.wallMsOf(80_000)).toBe(90_000);
});

test('what WebRTC carries as it is, in the words of mediasoup', () => {
  const formatOf = (track: Track) => rtpFormatsOf([track])[0] as NonNullable<ReturnType<typeof rtpFormatsOf>[0]>;
  const g711 = (samplingFrequencyHz: number, channels: number) =>
    g711Track(2, { law: 'pcmu', samplingFrequencyHz, channels });

  expect(viewerCodecOf(formatOf(video))).toBe('h264');
  expect(viewerCodecOf(formatOf(opusTrack(2, { channels: 1 })))).toBe('opus');
  expect(viewerCodecOf(formatOf(g711(8_000, 1)))).toBe('pcmu');
  for (const track of [g711(16_000, 1), g711(8_000, 2), aacTrack(2, Uint8Array.of(0x11, 0x90)), h265]) {
    expect(viewerCodecOf(formatOf(track))).toBeUndefined();
  }
  expect(producerOptionsOf(formatOf(opusTrack(2, { channels: 2 })), 7)?.rtpParameters).toMatchObject({
    codecs: [
      { mimeType: 'audio/opus', payloadType: 97, clockRate: 48_000, channels: 2, parameters: { 'sprop-stereo': 1 } },
    ],
    encodings: [{ ssrc: 7 }],
  });
});

test('H.265 and reordered pictures are converted; a source that begins anew is not reordered', () => {
  expect([whyConverted(video), whyConverted(h265)]).toEqual([undefined, 'h265']);
  const at = (presentationTimeUs: number, isKey = false) => ({ presentationTimeUs, isKey });
  expect(isReordered(at(40_000), 80_000)).toBe(true);
  expect(isReordered(at(80_000), 40_000)).toBe(false);
  expect(isReordered(at(79_000), 80_000)).toBe(false);
  expect(isReordered(at(40_000, true), 80_000)).toBe(false);
  expect(isReordered(at(0), 80_000_000)).toBe(false);
});

/** FLV as ffmpeg writes it. */
function flvOf(
  tags: readonly { readonly type: number; readonly timeMs: number; readonly body: readonly number[] }[],
): Buffer {
  const parts = tags.map(({ type, timeMs, body }) => {
    const head = Buffer.alloc(11);
    head[0] = type;
    head.writeUIntBE(body.length, 1, 3);
    head.writeUIntBE(timeMs & 0xffffff, 4, 3);
    head[7] = Math.floor(timeMs / 2 ** 24);
    return Buffer.concat([head, Buffer.from(body), Buffer.alloc(4)]);
  });
  return Buffer.concat([Buffer.from('464c5601010000000900000000', 'hex'), ...parts]);
}

test('FLV gives the same pictures however its bytes are split', () => {
  const flv = flvOf([
    { type: 18, timeMs: 0, body: [1, 2, 3] },
    { type: 9, timeMs: 0, body: [0x17, 0, 0, 0, 0, 1, 2, 3] },
    { type: 9, timeMs: 5_000, body: [0x17, 1, 0, 0, 40, 9, 8, 7] },
    { type: 9, timeMs: 2 ** 24 + 1, body: [0x27, 1, 0, 0, 0, 6] },
    { type: 9, timeMs: 6_000, body: [0x17, 2, 0, 0, 0] },
  ]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sizes) => {
      const seen: unknown[] = [];
      const reader = new FlvReader({
        config: (avcC) => seen.push([...avcC]),
        picture: ({ presentationMs, isKey, bytes }) => seen.push([presentationMs, isKey, ...bytes]),
      });
      for (let at = 0, turn = 0; at < flv.length; turn++) {
        const end = at + (sizes[turn % sizes.length] ?? 1);
        reader.push(flv.subarray(at, end));
        at = end;
      }

      expect(seen).toEqual([
        [1, 2, 3],
        [5_040, true, 9, 8, 7],
        [2 ** 24 + 1, false, 6],
      ]);
    }),
  );
});

test('whatever a child writes, reading it ends well or with data_loss', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, hasHead) => {
      const reader = new FlvReader({ config: () => {}, picture: () => {} });
      try {
        reader.push(hasHead ? Buffer.concat([flvOf([]), bytes]) : bytes);
      } catch (error) {
        expect(error).toMatchObject({ code: 'data_loss' });
      }
    }),
  );
});

test('merged events come in order; the source that can wait does, and a failure comes last', async () => {
  const events = new MergedEvents<number>();
  const seen: number[] = [];
  const reading = (async () => {
    for await (const event of events.read()) seen.push(event);
  })();

  events.push(1);
  events.push(2);
  await events.drained();
  expect(seen).toEqual([1, 2]);
  events.push(3);
  events.end(new Error('over'));
  events.push(4);

  await expect(reading).rejects.toThrow('over');
  expect(seen).toEqual([1, 2, 3]);
});
