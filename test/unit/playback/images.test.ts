import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { withImmediateOutput } from '../../../gateway/playback/images/immediate-output.ts';
import { JpegSplitter } from '../../../gateway/playback/images/jpeg-splitter.ts';
import { h264Parameters, h265Parameters } from '../../../storage/media/index.ts';

const sps264 = Buffer.from('6764001eacd940a02ff97011000003000100000300320f162d96', 'hex');
const pps264 = Buffer.from('68ef8fcb', 'hex');
const vps265 = Buffer.from('40010c01ffff01600000030090000003000003003f959409', 'hex');
const sps265 = Buffer.from(
  '42010101600000030090000003000003003fa005020171f2e595952930bc05a02000000300200000030321',
  'hex',
);
const pps265 = Buffer.from('4401c073c189', 'hex');

describe('a parameter set for immediate output', () => {
  test('of H.264 differs in reordering only', () => {
    const before = h264Parameters(sps264, [pps264]);

    const after = h264Parameters(withImmediateOutput('h264', sps264), [pps264]);

    expect(before.reorderPicturesMax).toBe(2);
    expect(after).toEqual({ ...before, reorderPicturesMax: 0, codecPrivate: after.codecPrivate });
  });

  test('of H.265 differs in reordering only', () => {
    const before = h265Parameters(vps265, sps265, [pps265]);

    const after = h265Parameters(vps265, withImmediateOutput('h265', sps265), [pps265]);

    expect(before.reorderPicturesMax).toBe(2);
    expect(after).toEqual({ ...before, reorderPicturesMax: 0, codecPrivate: after.codecPrivate });
  });

  test('is left as it is when it makes no sense', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        fc.constantFrom('h264' as const, 'h265' as const),
        (body, codec) => {
          const nal = Uint8Array.of(codec === 'h264' ? 0x67 : 0x42, 1, ...body);

          expect(withImmediateOutput(codec, nal).length).toBeLessThan(nal.length * 2 + 20);
        },
      ),
    );
  });

  test('leaves other NAL units alone', () => {
    expect(withImmediateOutput('h264', pps264)).toBe(pps264);
  });
});

/** A JPEG as far as its markers go: a table with marker bytes in it, a scan with stuffed bytes and restarts. */
const jpeg = Uint8Array.of(
  ...[0xff, 0xd8, 0xff, 0xdb, 0, 6, 0xff, 0xd9, 0xff, 0xd8],
  ...[0xff, 0xda, 0, 3, 9, 1, 2, 0xff, 0, 3, 0xff, 0xd0, 4, 0xff, 0xd9],
);

describe('the splitter of pictures', () => {
  test('finds the same pictures however the bytes are cut', () => {
    const three = Buffer.concat([jpeg, jpeg, jpeg]);

    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (steps) => {
        const splitter = new JpegSplitter({ bytesMax: 1_000 });
        const pictures: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < three.length; turn++) {
          const step = steps[turn % steps.length] ?? 1;
          pictures.push(...splitter.push(three.subarray(at, at + step)));
          at += step;
        }

        expect(pictures.map((picture) => [...picture])).toEqual([[...jpeg], [...jpeg], [...jpeg]]);
        expect(splitter.pendingBytes).toBe(0);
      }),
    );
  });

  test('refuses what is no picture', () => {
    const splitter = new JpegSplitter({ bytesMax: 1_000 });

    expect(() => splitter.push(Buffer.from('hello'))).toThrow(expect.objectContaining({ code: 'data_loss' }));
  });

  test('refuses a picture without an end', () => {
    const splitter = new JpegSplitter({ bytesMax: 1_000 });
    splitter.push(jpeg.subarray(0, 20));

    expect(() => splitter.push(new Uint8Array(1_000))).toThrow(expect.objectContaining({ code: 'resource_exhausted' }));
  });
});
