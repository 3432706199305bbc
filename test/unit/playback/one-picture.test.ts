import fc from 'fast-check';
import { expect, test } from 'vitest';
import { onePicture } from '../../../gateway/playback/images/one-picture.ts';

const sps = Uint8Array.of(0x67, 0x64, 0, 0x1e, 0xac);
const pps = Uint8Array.of(0x68, 0xef, 0x8f);
const sei = Uint8Array.of(0x06, 6, 1, 0xc4, 0x80);
/** first_mb_in_slice and slice_type as the bits `first` and `type`, then some more. */
const slice = (nalHead: number, bits: string) => {
  const padded = Number.parseInt(bits.padEnd(16, '1'), 2);
  return Uint8Array.of(nalHead, padded >> 8, padded & 0xff, 0xa5);
};
const intra = slice(0x65, '10001000');
const intraFromMacroblock1 = slice(0x65, '0100001000');
const inter = slice(0x41, '100110');

test('all slices of one intra picture are kept, with what stands before them', () => {
  const nals = [sps, pps, sei, intra, intraFromMacroblock1];

  expect(onePicture('h264', nals)).toEqual(nals);
});

test('a second picture is left out, whatever announces it', () => {
  expect(onePicture('h264', [sps, pps, intra, intra])).toEqual([sps, pps, intra]);
  expect(onePicture('h264', [sps, pps, intra, sps, pps, intra])).toEqual([sps, pps, intra]);
  expect(onePicture('h264', [intra, intraFromMacroblock1, intraFromMacroblock1])).toEqual([
    intra,
    intraFromMacroblock1,
  ]);
});

test('a slice that refers to other pictures is left out, and of a frame of such slices nothing stays', () => {
  expect(onePicture('h264', [sps, intra, inter])).toEqual([sps, intra]);
  expect(onePicture('h264', [sps, pps, sei, inter])).toEqual([]);
});

test('what hides behind a start code inside a unit is left out', () => {
  const hiding = Uint8Array.of(...intra, 0, 0, 1, ...intra);

  expect(onePicture('h264', [hiding])).toEqual([intra]);
});

test('of H.265 the slices up to the next first one are kept', () => {
  const first = Uint8Array.of(0x26, 1, 0xaf, 5);
  const next = Uint8Array.of(0x26, 1, 0x2f, 5);
  const trailing = Uint8Array.of(0x02, 1, 0xd0, 5);
  const vps = Uint8Array.of(0x40, 1, 0x0c);

  expect(onePicture('h265', [vps, first, next, vps, next, first, next])).toEqual([vps, first, next, next]);
  expect(onePicture('h265', [trailing, first])).toEqual([first]);
});

test('whatever the bytes, there is never more than one first slice', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 12 }), { maxLength: 20 }), (nals) => {
      const kept = onePicture('h265', nals).filter((nal) => (((nal[0] ?? 0) >> 1) & 0x30) === 0x10);

      expect(kept.filter((nal) => ((nal[2] ?? 0) & 0x80) !== 0).length).toBeLessThanOrEqual(1);
    }),
  );
});
