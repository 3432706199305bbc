import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  annexBToLengthPrefixed,
  forEachNal,
  isKeyAccessUnit,
  joinNals,
  lengthPrefixedToAnnexB,
  withoutEmulationPrevention,
} from '../../../storage/media/index.ts';
import { BitWriter } from './bit-writer.ts';
import { type ClipName, clipBytes, clipPath, packetsOf, read } from './clips.ts';

/** NAL units of at least one byte that don't end in zero and hold no start code, as the standards make them. */
const nals = fc.array(
  fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => new Uint8Array([...bytes.map((b) => b | 4), 0x80])),
  { maxLength: 6 },
);

describe('access units', () => {
  test('go from lengths to start codes and back unchanged', () => {
    fc.assert(
      fc.property(nals, (units) => {
        const joined = joinNals(units);

        expect(annexBToLengthPrefixed(lengthPrefixedToAnnexB(joined))).toEqual(joined);
      }),
    );
  });

  test('lose start codes of both lengths, zeros around units, and what stands before the first', () => {
    const annexB = hex('ff 000001 6742 00 00000001 68ce 000001 000001 65 0000');

    expect(annexBToLengthPrefixed(annexB)).toEqual(joinNals([hex('6742'), hex('68ce'), hex('65')]));
  });

  test('are copied, also out of a Node buffer, and the source stays as it was', () => {
    const source = Buffer.from(joinNals([hex('6742'), hex('65')]));
    const before = source.toString('hex');

    lengthPrefixedToAnnexB(source);

    expect(source.toString('hex')).toBe(before);
  });

  test('with a length past their end are refused', () => {
    expect(() => forEachNal(hex('00000005 6742'), () => {})).toThrow(expect.objectContaining({ code: 'data_loss' }));
    expect(() => forEachNal(hex('00000001 67 0000'), () => {})).toThrow(expect.objectContaining({ code: 'data_loss' }));
    expect(() => forEachNal(hex('ffffffff 67'), () => {})).toThrow(expect.objectContaining({ code: 'data_loss' }));
  });

  test('are walked until the visitor says stop, and empty units are passed over', () => {
    const seen: number[] = [];

    forEachNal(joinNals([hex('01'), hex(''), hex('02'), hex('03')]), (bytes, begin) => {
      seen.push(bytes[begin] ?? 0);
      return bytes[begin] !== 2;
    });

    expect(seen).toEqual([1, 2]);
  });

  test('emulation prevention is taken out where it is one, and only there', () => {
    expect(withoutEmulationPrevention(hex('000003 01 000003 000003 00 03 0003'))).toEqual(
      hex('0000 01 0000 0000 00 03 0003'),
    );
  });
});

describe('isKeyAccessUnit', () => {
  test.each<ClipName>(['baseline.mkv', 'bframes.mkv', 'open-gop.mkv', 'interlaced.mkv', 'hevc.mkv', 'gstreamer.mkv'])(
    'finds the key frames of %s that ffprobe finds',
    async (name) => {
      const { head, frames } = read([await clipBytes(name)]);
      const video = head.tracks.find((track) => track.kind === 'video');
      const codec = video?.codec;
      if (codec !== 'h264' && codec !== 'h265') throw new Error('clip has no such video');

      const ours = frames.filter((f) => f.trackNumber === video?.number).map((f) => isKeyAccessUnit(codec, f.bytes));

      const packets = (await packetsOf(await clipPath(name))).filter((p) => head.tracks[p.stream_index] === video);
      expect(ours).toEqual(packets.map((p) => p.flags.startsWith('K')));
      expect(ours.filter(Boolean).length).toBe(2);
    },
  );

  test.each([
    ['an IDR slice', ['09f0', '67', '68', '65'], true],
    ['a slice alone', ['41'], false],
    ['a slice after a recovery point of count 0', ['09f0', sei([[6, recoveryPoint(0)]]), '41'], true],
    [
      'the same after another message',
      [
        sei([
          [5, '11'.repeat(300)],
          [6, recoveryPoint(0)],
        ]),
        '41',
      ],
      true,
    ],
    ['a slice after a recovery point of count 3', [sei([[6, recoveryPoint(3)]]), '41'], false],
    ['a recovery point after the slice', ['41', sei([[6, recoveryPoint(0)]])], false],
    ['parameter sets alone', ['67', '68'], false],
    ['partition A', ['42'], false],
    ['nothing', [], false],
  ])('H.264: %s', (_, units, isKey) => {
    expect(isKeyAccessUnit('h264', joinNals(units.map(hex)))).toBe(isKey);
  });

  test.each([
    ...[16, 17, 18, 19, 20, 21].map((type) => [type, true] as const),
    ...[0, 1, 8, 9, 22, 23].map((type) => [type, false] as const),
  ])('H.265: slice type %i is key: %s', (type, isKey) => {
    const unit = joinNals([hex('4001'), hex('4201'), Uint8Array.of(type << 1, 1, 0x80)]);

    expect(isKeyAccessUnit('h265', unit)).toBe(isKey);
  });

  test('H.265: pictures of an enhancement layer do not count', () => {
    expect(isKeyAccessUnit('h265', joinNals([Uint8Array.of(19 << 1, 0x09), Uint8Array.of(1 << 1, 1)]))).toBe(false);
  });

  test('takes all sound as key, and nothing of a codec it does not know', () => {
    expect(
      (['aac', 'opus', 'pcma', 'pcmu', 'other'] as const).map((codec) => isKeyAccessUnit(codec, hex('00'))),
    ).toEqual([true, true, true, true, false]);
  });

  test('takes bytes that are no NAL units for undecodable', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom('h264', 'h265'), (bytes, codec) => {
        expect(typeof isKeyAccessUnit(codec, bytes)).toBe('boolean');
      }),
    );
    expect(isKeyAccessUnit('h264', hex('00000001 65 00 00'))).toBe(true);
    expect(isKeyAccessUnit('h264', hex('00000001 67 00 00'))).toBe(false);
  });
});

function recoveryPoint(count: number): string {
  return Buffer.from(new BitWriter().unsigned(count).bits(0b1000, 4).bytes()).toString('hex');
}

/** A SEI unit with messages of a type and content each. */
function sei(messages: readonly (readonly [number, string])[]): string {
  const coded = messages.map(([type, content]) => {
    const length = content.length / 2;
    const size = 'ff'.repeat(Math.floor(length / 255)) + (length % 255).toString(16).padStart(2, '0');
    return type.toString(16).padStart(2, '0') + size + content;
  });
  return `06${coded.join('')}80`;
}

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}
