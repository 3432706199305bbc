import fc from 'fast-check';
import { expect, it } from 'vitest';
import { AdtsSplitter, AnnexBSplitter } from '../../../appliance/demo/elementary-streams.ts';

/** Pushes bytes in pieces of the given sizes. */
function inPieces(bytes: Uint8Array, sizes: readonly number[], push: (piece: Uint8Array) => void): void {
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const end = at + (sizes[i % sizes.length] ?? 1);
    push(bytes.subarray(at, end));
    at = end;
  }
}

/** A NAL unit of a type without start codes in it. */
const nal = (type: number, length: number) =>
  Uint8Array.from({ length }, (_, i) => (i === 0 ? type : 0x80 | (i & 0x3f)));

it('access units are the same however their bytes are cut', () => {
  const units = [[nal(7, 10), nal(8, 5), nal(5, 300)], [nal(1, 40)], [nal(1, 1), nal(1, 70)]];
  const stream = Buffer.concat(
    [...units, []].flatMap((unit) => [nal(9, 2), ...unit].flatMap((one) => [Uint8Array.of(0, 0, 0, 1), one])),
  );
  const closed = Buffer.concat([stream, Uint8Array.of(0, 0, 1, 9)]);

  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 }), (sizes) => {
      const seen: number[][] = [];
      const splitter = new AnnexBSplitter((nals) => seen.push(nals.map((one) => one.length)));
      inPieces(closed, sizes, (piece) => splitter.push(piece));
      expect(seen).toEqual(units.map((unit) => unit.map((one) => one.length)));
    }),
  );
});

it('sound frames are the same however their bytes are cut', () => {
  const lengths = [5, 200, 1, 77];
  const stream = Buffer.concat(
    lengths.map((length) => {
      const frameBytes = length + 7;
      const head = Uint8Array.of(
        0xff,
        0xf1,
        0x4c,
        0x40 | (frameBytes >> 11),
        (frameBytes >> 3) & 0xff,
        ((frameBytes & 7) << 5) | 0x1f,
        0xfc,
      );
      return Buffer.concat([head, new Uint8Array(length)]);
    }),
  );

  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 }), (sizes) => {
      const seen: number[] = [];
      const splitter = new AdtsSplitter((frame) => seen.push(frame.length));
      inPieces(stream, sizes, (piece) => splitter.push(piece));
      expect(seen).toEqual(lengths);
    }),
  );
});

it('what is no ADTS is refused at once', () => {
  expect(() => new AdtsSplitter(() => {}).push(new Uint8Array(7))).toThrow('no ADTS');
});
