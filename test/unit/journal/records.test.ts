import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isAppError } from '../../../storage/base/errors.ts';
import { packCommit, parseCommit } from '../../../storage/journal/fragment-record.ts';
import {
  packSegmentFacts,
  packTable,
  parseSegmentFacts,
  parseTable,
  parseTrailer,
  trailerBytes,
} from '../../../storage/journal/segment-record.ts';
import { parseCommitTags } from '../../../storage/journal/segment-scan.ts';
import type { Fragment } from '../../../storage/model/fragment.ts';
import { fragmentNumber } from '../../../storage/model/fragment-number.ts';

const time = fc.double({ min: -1e13, max: 1e13, noNaN: true });
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const track = fc.record({
  trackNumber: fc.integer({ min: 1, max: 127 }),
  samples: u32,
  payloadBytes: u32,
  beginMediaMs: time,
  endMediaMs: time,
});
const fragment: fc.Arbitrary<Fragment> = fc.record({
  number: fc
    .tuple(fc.integer({ min: 1, max: 2 ** 40 - 1 }), fc.nat(), fc.nat())
    .map(([counter, ms, random]) => fragmentNumber(counter, ms, random)),
  offset: u32,
  byteLength: u32,
  serverTimestampMs: time,
  producerTimestampMs: time,
  mediaTimeMs: time,
  durationMs: time,
  isKey: fc.boolean(),
  hasLoss: fc.boolean(),
  tracks: fc.array(track, { maxLength: 3 }),
  sha256: bytes(32),
});
const facts = fc.record({
  streamId: fc.string({ maxLength: 60 }),
  runId: bytes(16).map((value) => Buffer.from(value).toString('hex')),
  firstCounter: fc.integer({ min: 1, max: 2 ** 40 - 1 }),
  sequence: u32,
  runReason: fc.string({ maxLength: 60 }),
  runStartServerMs: time,
  previousDigest: bytes(32),
});

test('a commit record gives back its fragment, and packing it again gives the same bytes', () => {
  fc.assert(
    fc.property(fragment, (value) => {
      const packed = packCommit(value);
      expect(parseCommit(packed)).toEqual(value);
      expect(packCommit(parseCommit(packed))).toEqual(packed);
    }),
  );
});

test('a table gives back its fragments and digest', () => {
  fc.assert(
    fc.property(fc.array(fragment, { maxLength: 20 }), bytes(32), (fragments, digest) => {
      const packed = packTable({ fragments, digest });
      const trailer = parseTrailer(packed.subarray(-trailerBytes));
      expect(trailer?.tableBytes).toBe(packed.byteLength - trailerBytes);
      expect(parseTable(packed.subarray(0, -trailerBytes), trailer?.checksum ?? 0)).toEqual({ fragments, digest });
    }),
  );
});

test("a segment's facts come back", () => {
  fc.assert(
    fc.property(facts, (value) => {
      expect(parseSegmentFacts(packSegmentFacts(value))).toEqual(value);
    }),
  );
});

test('any changed byte of a record is found, and any other bytes are refused', () => {
  fc.assert(
    fc.property(fragment, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, place, change) => {
      const packed = new Uint8Array(packCommit(value));
      const at = place % packed.byteLength;
      packed[at] = (packed[at] ?? 0) ^ change;
      expect(() => parseCommit(packed)).toThrow();
    }),
  );
});

test('parsers refuse garbage with an error of the world and never another one', () => {
  const parsers = [
    parseCommit,
    parseSegmentFacts,
    parseTrailer,
    parseCommitTags,
    (input: Uint8Array) => parseTable(input, 0),
  ];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.constantFrom(...parsers), (input, parse) => {
      try {
        parse(input);
      } catch (error) {
        expect(isAppError(error, 'data_loss')).toBe(true);
      }
    }),
    { numRuns: 2_000 },
  );
});
