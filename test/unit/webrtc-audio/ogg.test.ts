import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OggReader } from '../../../gateway/webrtc/audio/ogg-reader.ts';
import { isAppError } from '../../../storage/base/errors.ts';

/** The bytes in pieces of the given sizes, over and over. */
function* pieces(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

/** A page with the given segments, as any muxer would write it; the checksum is nobody's business here. */
function page(segments: readonly number[], { isContinued = false, granule = 0, fill = 7 } = {}): Uint8Array {
  const bytes = new Uint8Array(27 + segments.length + segments.reduce((sum, each) => sum + each, 0)).fill(fill);
  bytes.fill(0, 0, 27);
  bytes.set(Buffer.from('OggS'));
  bytes[5] = isContinued ? 1 : 0;
  new DataView(bytes.buffer).setBigInt64(6, BigInt(granule), true);
  bytes[26] = segments.length;
  bytes.set(segments, 27);
  return bytes;
}

/** A page for each packet. */
function pagesOf(packets: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(
    packets.map((packet, i) => {
      const full = Math.floor(packet.length / 255);
      const segments = [...Array.from({ length: full }, () => 255), packet.length % 255];
      const bytes = page(segments, { granule: (i + 1) * 960 });
      bytes.set(packet, bytes.length - packet.length);
      return bytes;
    }),
  );
}

test('packets come out as they went in, whatever the pipe does to the bytes', () => {
  const packet = fc.uint8Array({ minLength: 1, maxLength: 1_300 });
  const packetLists = fc.array(packet, { minLength: 1, maxLength: 8 });
  const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(packetLists, sizes, (packets, cuts) => {
      const reader = new OggReader();

      const pages = [...pieces(pagesOf(packets), cuts)].flatMap((chunk) => reader.push(chunk));

      expect(pages.map((each) => each.packets)).toEqual(packets.map((each) => [new Uint8Array(each)]));
      expect(pages.map((each) => each.granulePosition)).toEqual(packets.map((_, i) => (i + 1) * 960));
    }),
  );
});

test.each([254, 255, 256, 510, 255 * 255 - 1])('a packet of %i bytes comes back whole', (length) => {
  const packet = new Uint8Array(length).fill(3);

  expect(new OggReader().push(pagesOf([packet]))[0]?.packets).toEqual([packet]);
});

test('a packet that goes on on the next page is put together', () => {
  const reader = new OggReader();

  const first = reader.push(page([10, 255, 255], { granule: 960 }));
  const second = reader.push(page([4, 20], { isContinued: true, granule: 2_880 }));

  expect(first.map(({ packets }) => packets.map((each) => each.length))).toEqual([[10]]);
  expect(second.map(({ packets }) => packets.map((each) => each.length))).toEqual([[514, 20]]);
});

test('a page that does not follow the one before ends the reading', () => {
  const reader = new OggReader();
  reader.push(page([10, 255]));

  expect(() => reader.push(page([10]))).toThrow('does not follow');
});

test('a packet without an end is not collected for ever', () => {
  const reader = new OggReader();
  const full = Array.from({ length: 255 }, () => 255);
  reader.push(page(full));

  expect(() => reader.push(page(full, { isContinued: true }))).toThrow('too long');
});

test('garbage is refused or waited behind, and nothing else happens', () => {
  const garbage = fc.uint8Array({ maxLength: 3_000 });
  const damaged = fc
    .tuple(garbage, fc.nat(400), fc.uint8Array({ minLength: 1, maxLength: 30 }))
    .map(([body, at, by]) => {
      const bytes = pagesOf([body.subarray(0, 1_200), body]);
      bytes.set(by.subarray(0, Math.max(0, bytes.length - at)), Math.min(at, bytes.length));
      return new Uint8Array(bytes);
    });
  fc.assert(
    fc.property(fc.oneof(garbage, damaged), fc.integer({ min: 1, max: 500 }), (bytes, size) => {
      const reader = new OggReader();
      try {
        for (const chunk of pieces(bytes, [size])) reader.push(chunk);
      } catch (error) {
        expect(isAppError(error, 'data_loss')).toBe(true);
      }
    }),
  );
});
