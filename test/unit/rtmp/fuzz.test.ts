import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readAmf0 } from '../../../gateway/rtmp/amf.ts';
import { rtmpLimits } from '../../../gateway/rtmp/limits.ts';
import { readAudioTag, readVideoTag } from '../../../gateway/rtmp/tags.ts';
import { RtmpTimeline } from '../../../gateway/rtmp/timeline.ts';
import { isAppError } from '../../../storage/base/errors.ts';
import { forEachNal } from '../../../storage/media/index.ts';
import { amf0, chunks, tags } from '../../kit/rtmp-publisher/index.ts';
import { aacConfig, avcC, hello, interUnit, keyUnit, notedDelivery, notedProtocol, publishing } from './kit.ts';

/** Messages that publishers send, in any order, with any of their bytes changed: gets deeper than random bytes. */
const bodies = fc.oneof(
  fc.constantFrom<Uint8Array>(
    tags.avcConfiguration(avcC),
    tags.avcFrame(keyUnit, { isKey: true }),
    tags.avcFrame(interUnit, { isKey: false, compositionMs: -40 }),
    tags.enhancedConfiguration('avc1', avcC),
    tags.enhancedFrame('avc1', keyUnit, { isKey: true }),
    tags.enhancedFrameX('hvc1', keyUnit, { isKey: true }),
    tags.aacConfiguration(aacConfig),
    tags.aacFrame(keyUnit),
    tags.alawFrame(keyUnit),
    tags.enhancedAudioConfiguration(
      'Opus',
      Buffer.from('OpusHead\x01\x02\x00\x00\x80\xbb\x00\x00\x00\x00\x00', 'latin1'),
    ),
    tags.enhancedAudioFrame('Opus', keyUnit),
    Buffer.from([0x97, 0, 0, 0x03]),
    amf0('connect', 1, { app: 'live', objectEncoding: 3 }),
    amf0('publish', 1, null, 'key', 'live'),
    amf0('deleteStream', 1, null, 1),
    amf0('play', 1, null, 'key'),
  ),
  fc.uint8Array({ maxLength: 300 }),
);

const flaws = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 });

function damaged(bytes: Uint8Array, changes: readonly (readonly [number, number])[]): Buffer {
  const result = Buffer.from(bytes);
  for (const [at, value] of changes) if (result.length > 0) result[at % result.length] = value;
  return result;
}

const body = fc.tuple(bodies, flaws).map(([bytes, changes]) => damaged(bytes, changes));

const message = fc.record({
  type: fc.constantFrom(1, 2, 3, 4, 5, 6, 8, 9, 15, 17, 18, 20, 22, 99),
  timestampMs: fc.oneof(fc.nat(100_000), fc.constantFrom(0xffffff, 0xfffffe, 2 ** 31, 2 ** 32 - 1)),
  body,
  chunkStream: fc.constantFrom(2, 3, 4, 6, 64, 320, 65_599),
});

test('whatever a peer sends, in whatever pieces, the protocol ends it or goes on, within its memory', () => {
  const stream = fc
    .tuple(fc.array(message, { maxLength: 30 }), flaws)
    .map(([messages, changes]) =>
      damaged(Buffer.concat(messages.map((one) => chunks(one, { chunkBytes: 128 }))), changes),
    );
  fc.assert(
    fc.property(
      fc.constantFrom(hello, publishing('key')),
      stream,
      fc.integer({ min: 1, max: 4_000 }),
      (first, rest, step) => {
        const { protocol } = notedProtocol();
        protocol.push(first);
        try {
          for (let at = 0; at < rest.length; at += step) protocol.push(rest.subarray(at, at + step));
        } catch (error) {
          expect(isAppError(error)).toBe(true);
        }
        let held = 0;
        for (const packet of protocol.inPackets.values()) held += packet.capacity;
        expect(protocol.inPackets.size).toBeLessThanOrEqual(rtmpLimits.chunkStreamsMax);
        expect(held).toBeLessThanOrEqual(rtmpLimits.messageBuffersBytesMax);
      },
    ),
    { numRuns: 500 },
  );
});

test('pieces make no difference to what comes out', () => {
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }),
      (messages, steps) => {
        const bytes = Buffer.concat([publishing('key'), ...messages.map((one) => chunks(one, { chunkBytes: 128 }))]);
        const [whole, pieces] = [notedProtocol(), notedProtocol()];
        const ended = [whole, pieces].map(({ protocol }, index) => {
          try {
            for (let at = 0, i = 0; at < bytes.length; i++) {
              const step = index === 0 ? bytes.length : (steps[i % steps.length] ?? 1);
              protocol.push(bytes.subarray(at, at + step));
              at += step;
            }
            return '';
          } catch (error) {
            return String(error);
          }
        });
        expect(ended[1]).toBe(ended[0]);
        expect(pieces.noted).toEqual(whole.noted);
      },
    ),
    { numRuns: 300 },
  );
});

test('AMF is read within its bounds or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
      try {
        expect(readAmf0(bytes).length).toBeLessThanOrEqual(rtmpLimits.amfValuesMax);
      } catch (error) {
        expect(isAppError(error)).toBe(true);
      }
    }),
  );
});

test('what is written as AMF is read as it was', () => {
  const plain = fc.oneof(fc.double({ noNaN: true }), fc.boolean(), fc.string({ maxLength: 50 }), fc.constant(null));
  fc.assert(
    fc.property(
      fc.array(plain, { maxLength: 20 }),
      fc.dictionary(fc.string({ minLength: 1, maxLength: 20 }), plain, { maxKeys: 10 }),
      (values, object) => {
        const [last, ...rest] = readAmf0(amf0(...values, object)).reverse();
        expect(rest.reverse()).toEqual(values);
        expect(last).toEqual(new Map(Object.entries(object)));
      },
    ),
  );
});

test('any bytes are a tag, or none, or malformed', () => {
  fc.assert(
    fc.property(body, (bytes) => {
      const audio = readAudioTag(bytes);
      const video = readVideoTag(bytes);
      if (audio.kind === 'frame') expect(audio.body.length).toBeLessThan(bytes.length);
      if (video.kind === 'frame') expect(Math.abs(video.compositionMs)).toBeLessThanOrEqual(2 ** 23);
    }),
    { numRuns: 1_000 },
  );
});

test('whatever a publisher sends, units belong to announced tracks, have whole NAL units and a finite time near the last', () => {
  const media = fc.record({ type: fc.constantFrom(8 as const, 9 as const), timestampMs: fc.nat(2 ** 32 - 1), body });
  fc.assert(
    fc.property(fc.array(media, { maxLength: 60 }), (messages) => {
      const { delivery, sessions, units } = notedDelivery();
      delivery.media(9, 0, tags.avcConfiguration(avcC));
      for (const { type, timestampMs, body: bytes } of messages) delivery.media(type, timestampMs, bytes);
      delivery.close();

      for (const unit of units) {
        expect(sessions.length).toBeGreaterThan(0);
        expect(Number.isSafeInteger(unit.presentationTimeUs)).toBe(true);
        if (unit.trackNumber === 1) forEachNal(unit.bytes, () => true);
      }
    }),
    { numRuns: 500 },
  );
});

test('a steady clock gives steady times, wherever it begins', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 32 - 1), fc.integer({ min: 1, max: 5_000 }), (beginMs, stepMs) => {
      const timeline = new RtmpTimeline();
      for (let i = 0; i < 20; i++) {
        const place = timeline.placeLead((beginMs + i * stepMs) % 2 ** 32, i * stepMs, { canBegin: true });
        expect(place).toEqual({ decodeTimeUs: i * stepMs * 1_000, isJump: false });
        expect(timeline.placeOther((beginMs + i * stepMs + 7) % 2 ** 32).decodeTimeUs).toBe((i * stepMs + 7) * 1_000);
      }
    }),
  );
});
