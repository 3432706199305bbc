import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AdtsReader } from '../../../gateway/webrtc/audio/adts-reader.ts';
import { recordedAacTrack } from '../../../gateway/webrtc/audio/index.ts';
import { isAppError } from '../../../storage/base/errors.ts';
import { adtsHead } from '../../../storage/media/index.ts';

const track = recordedAacTrack(2);

function adts(frame: Uint8Array): Uint8Array {
  return Buffer.concat([adtsHead(track, frame.length), frame]);
}

test('frames come out of a pipe that cuts anywhere', () => {
  const frames = fc.array(fc.uint8Array({ minLength: 1, maxLength: 2_000 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(frames, fc.integer({ min: 1, max: 900 }), (given, size) => {
      const bytes = Buffer.concat(given.map(adts));
      const reader = new AdtsReader();

      const read: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += size) read.push(...reader.push(bytes.subarray(at, at + size)));

      expect(read).toEqual(given.map((frame) => new Uint8Array(frame)));
    }),
  );
});

test('a frame with a checksum is read without it', () => {
  const [head, body] = [adtsHead(track, 2 + 5), Uint8Array.of(0, 0, 1, 2, 3, 4, 5)];
  head[1] = 0xf0;

  const frames = new AdtsReader().push(Buffer.concat([head, body]));

  expect(frames).toEqual([Uint8Array.of(1, 2, 3, 4, 5)]);
});

test('garbage is refused or waited behind, and nothing else happens', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20_000 }), fc.nat(12), (garbage, headBytes) => {
      const begin = adts(new Uint8Array(100)).subarray(0, headBytes);
      try {
        new AdtsReader().push(Buffer.concat([begin, garbage]));
      } catch (error) {
        expect(isAppError(error, 'data_loss')).toBe(true);
      }
    }),
  );
});
