import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  controlFrame,
  FrameReader,
  frameTypeMedia,
  type LaneUnit,
  mediaFrameHead,
  parseControl,
  parseMedia,
  parseUnit,
  unitFrame,
} from '../../../storage/lane/frames.ts';
import { parseClientMessage, parseServerMessage } from '../../../storage/lane/parse.ts';
import { limits } from '../../../storage/model/limits.ts';

const unit: fc.Arbitrary<LaneUnit> = fc.record({
  trackNumber: fc.integer({ min: 1, max: 127 }),
  presentationTimeUs: fc.integer({ min: -1_000_000, max: 2 ** 50 }),
  serverTimestampMs: fc.double({ min: 0, max: 2 ** 45, noNaN: true }),
  producerTimestampMs: fc.option(fc.double({ min: 0, max: 2 ** 45, noNaN: true }), { nil: undefined }),
  isKey: fc.boolean(),
  isAfterLoss: fc.boolean(),
  bytes: fc.uint8Array({ maxLength: 300 }),
});

function framesOf(chunks: readonly Uint8Array[], bytesMax: number = limits.laneMessageBytesMax) {
  const reader = new FrameReader({ bytesMax });
  const frames: { type: number; body: Buffer }[] = [];
  for (const chunk of chunks) reader.push(chunk, (type, body) => frames.push({ type, body: Buffer.from(body) }));
  return frames;
}

test('a unit comes back as it was sent', () => {
  fc.assert(
    fc.property(fc.nat(), unit, (laneId, sent) => {
      const [frame] = framesOf([unitFrame(laneId, sent)]);

      const received = parseUnit(frame?.body ?? new Uint8Array());

      expect(frame?.type).toBe(2);
      expect(received.laneId).toBe(laneId);
      expect({ ...received.unit, bytes: Buffer.from(received.unit.bytes) }).toEqual({
        ...sent,
        bytes: Buffer.from(sent.bytes),
      });
    }),
  );
});

test('every split of the bytes gives the same frames', () => {
  const bytes = Buffer.concat([
    controlFrame({ type: 'watch' }),
    unitFrame(7, { ...must(fc.sample(unit, 1)[0]), bytes: new Uint8Array(100).fill(9) }),
    controlFrame({ type: 'unsubscribe', laneId: 3 }),
  ]);
  const whole = framesOf([bytes]);

  for (let first = 0; first <= bytes.length; first++) {
    for (let second = first; second <= bytes.length; second += 7) {
      const split = framesOf([bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)]);
      expect(split).toEqual(whole);
    }
  }
  expect(whole).toHaveLength(3);
});

test('a frame larger than its first buffer is gathered byte by byte', () => {
  const large = unitFrame(1, { ...must(fc.sample(unit, 1)[0]), bytes: new Uint8Array(200_000).map((_, i) => i) });
  const chunks = Array.from({ length: Math.ceil(large.length / 1_001) }, (_, i) =>
    large.subarray(i * 1_001, (i + 1) * 1_001),
  );

  const frames = framesOf(chunks);

  expect(frames).toHaveLength(1);
  expect(parseUnit(frames[0]?.body ?? new Uint8Array()).unit.bytes).toHaveLength(200_000);
});

test('a length out of bounds is refused before anything is allocated', () => {
  const tooLong = Buffer.alloc(4);
  tooLong.writeUInt32LE(limits.laneMessageBytesMax + 1);

  expect(() => framesOf([tooLong])).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  expect(() => framesOf([Buffer.alloc(4)])).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
});

test('garbage gives frames or an error, never anything else', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), (chunks) => {
      try {
        for (const frame of framesOf(chunks, 1_000)) {
          if (frame.type === 2) parseUnit(frame.body);
          else parseClientMessage(parseControl(frame.body));
        }
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid_argument' });
      }
    }),
    { numRuns: 2_000 },
  );
});

test('unknown control types are ignored and known ones with bad fields refused', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      for (const parse of [parseClientMessage, parseServerMessage]) {
        try {
          parse(value);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_argument' });
        }
      }
    }),
  );
  expect(parseServerMessage({ type: 'from-the-future', x: 1 })).toBeUndefined();
  expect(() => parseClientMessage({ type: 'subscribe', laneId: -1 })).toThrow('not of its form');
});

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('no sample');
  return value;
}

test('media of a put goes through in frames, however the bytes are split', () => {
  const media = Uint8Array.from({ length: 300 }, (_, i) => i % 251);
  const stream = Buffer.concat([
    mediaFrameHead(7, 200),
    media.subarray(0, 200),
    mediaFrameHead(7, 100),
    media.subarray(200),
  ]);
  for (const size of [1, 7, 64, 1_000]) {
    const reader = new FrameReader();
    const got: Uint8Array[] = [];

    for (let at = 0; at < stream.length; at += size) {
      reader.push(stream.subarray(at, at + size), (type, body) => {
        expect(type).toBe(frameTypeMedia);
        const { putId, bytes } = parseMedia(body);
        expect(putId).toBe(7);
        got.push(Uint8Array.from(bytes));
      });
    }

    expect(Buffer.concat(got)).toEqual(Buffer.from(media));
  }
});
