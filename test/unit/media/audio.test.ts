import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isAppError } from '../../../storage/base/errors.ts';
import {
  aacTrack,
  audioFrameDurationUs,
  audioFrameSamples,
  buildOpusHead,
  flacFrameSamples,
  flacTrack,
  type G711Law,
  g711FlacBytes,
  g711Table,
  g711ToFlac,
  g711Track,
  opusPacketSamples,
  opusTrack,
  parseAudioSpecificConfig,
  parseOpusHead,
  parseWaveFormat,
} from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import { BitWriter } from './bit-writer.ts';
import { clipBytes, clipPath, decoded, packetsOf, read, withFile } from './clips.ts';

describe('AAC', () => {
  test.each([
    [
      'LC, 44.1 kHz, stereo',
      '1210',
      { objectType: 2, samplingFrequencyHz: 44_100, channels: 2, samplesPerFrame: 1024 },
    ],
    ['LC, 8 kHz, mono', '1588', { objectType: 2, samplingFrequencyHz: 8000, channels: 1, samplesPerFrame: 1024 }],
    ['LC, frames of 960', '1214', { objectType: 2, samplesPerFrame: 960 }],
    ['7.1', '1238', { channels: 8 }],
    ['channels told by a program config', '1200', { channels: 2 }],
    [
      'HE, told first',
      '2b118800',
      { objectType: 5, coreObjectType: 2, samplingFrequencyHz: 24_000, outputSamplingFrequencyHz: 48_000, channels: 2 },
    ],
    ['HE v2, told first', 'eb098800', { objectType: 29, coreObjectType: 2, samplingFrequencyHz: 24_000, channels: 2 }],
    [
      'HE, told after the core',
      '139056e5a0',
      { objectType: 2, samplingFrequencyHz: 22_050, outputSamplingFrequencyHz: 44_100 },
    ],
    ['LD', 'ba10', { objectType: 23, samplesPerFrame: 512, samplingFrequencyHz: 44_100 }],
    [
      'an escaped object type',
      hexOf(new BitWriter().bits(31, 5).bits(7, 6).bits(3, 4).bits(1, 4).bits(1, 1).bytes()),
      { objectType: 39, samplesPerFrame: 480, samplingFrequencyHz: 48_000 },
    ],
    [
      'a frequency of its own',
      hexOf(new BitWriter().bits(2, 5).bits(15, 4).bits(12_345, 24).bits(1, 4).bits(0, 3).bytes()),
      { samplingFrequencyHz: 12_345, channels: 1 },
    ],
  ])('config of %s', (_, bytes, told) => {
    expect(parseAudioSpecificConfig(hex(bytes))).toMatchObject(told);
  });

  test.each([
    ['cut off', '12', 'data_loss'],
    ['of a reserved frequency', '1690', 'invalid_argument'],
    ['of reserved channels', '1248', 'invalid_argument'],
  ])('config %s is refused', (_, bytes, code) => {
    expect(() => parseAudioSpecificConfig(hex(bytes))).toThrow(expect.objectContaining({ code }));
  });

  test('track copies its config and knows how long its frames last', () => {
    const config = Buffer.from('1210', 'hex');
    const track = aacTrack(2, config);
    config.fill(0);

    expect(track).toMatchObject({
      codecString: 'mp4a.40.2',
      codecId: 'A_AAC',
      audio: { samplingFrequencyHz: 44_100, channels: 2 },
    });
    expect(audioFrameDurationUs(track, new Uint8Array(100))).toBeCloseTo(23_219.954, 2);
  });
});

test('durations go by the clock of the codec where the container tells another', () => {
  const opus = { ...opusTrack(1, { channels: 1 }), audio: { samplingFrequencyHz: 16_000, channels: 1 } };
  const heAac = { ...aacTrack(1, hex('2b118800')), audio: { samplingFrequencyHz: 48_000, channels: 2 } };

  expect(audioFrameDurationUs(opus, Uint8Array.of(31 << 3))).toBe(20_000);
  expect(Math.round(audioFrameDurationUs(heAac, Uint8Array.of(1)))).toBe(42_667);
});

describe('Opus', () => {
  test('packets last as long as ffprobe says', async () => {
    const { frames, head } = read([await clipBytes('h264-opus.mkv')]);
    const track = head.tracks.find((t) => t.codec === 'opus');
    const packets = (await packetsOf(await clipPath('h264-opus.mkv'))).filter(
      (p) => head.tracks[p.stream_index] === track,
    );

    const durationsMs = frames
      .filter((f) => f.trackNumber === track?.number)
      .map((f) => opusPacketSamples(f.bytes) / 48);

    // The last packet is shortened by the container (DiscardPadding), which the codec does not know.
    expect(durationsMs.slice(0, -1)).toEqual(packets.slice(0, -1).map((p) => p.duration));
  });

  test.each([
    [0 << 3, [], 480],
    [3 << 3, [], 2880],
    [13 << 3, [], 960],
    [16 << 3, [], 120],
    [(31 << 3) | 1, [], 1920],
    [(31 << 3) | 3, [6], 5760],
  ])('packet with first byte %i lasts its samples', (first, rest, samples) => {
    expect(opusPacketSamples(Uint8Array.of(first, ...rest))).toBe(samples);
  });

  test('packets longer than 120 ms, of no frames, or empty are refused', () => {
    for (const bytes of [[(31 << 3) | 3, 7], [(31 << 3) | 3, 0], []]) {
      expect(() => opusPacketSamples(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ code: 'data_loss' }));
    }
  });

  test('head is written and read back', () => {
    expect(parseOpusHead(buildOpusHead({ channels: 2 }))).toMatchObject({
      channels: 2,
      preSkipSamples: 0,
      inputFrequencyHz: 48_000,
      mappingFamily: 0,
    });
    expect(() => parseOpusHead(hex('4f70757348656164'))).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    expect(() => opusTrack(1, { channels: 6 })).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  });
});

describe('G.711', () => {
  test.each<[G711Law, string]>([
    ['pcma', 'alaw'],
    ['pcmu', 'mulaw'],
  ])('%s expands all 256 codes as ffmpeg does', async (law, format) => {
    const codes = Uint8Array.from({ length: 256 }, (_, i) => i);

    await withFile('codes.raw', codes, async (path) => {
      const bytes = await decoded('-f', format, '-ar', '8000', '-ac', '1', '-i', path, '-f', 's16le');
      const theirs = new Int16Array(new Uint8Array(bytes).buffer);
      expect(g711Table(law)).toEqual(theirs);
    });
  });

  test('head is the one that ffmpeg writes, and is read back', async () => {
    const track = read([await clipBytes('mulaw.mkv')]).head.tracks[0];
    const format = { law: 'pcmu', samplingFrequencyHz: 8000, channels: 1 } as const;

    expect(track).toMatchObject({ codec: 'pcmu', codecId: 'A_MS/ACM' });
    expect(hexOf(g711Track(1, format).codecPrivate).slice(0, 32)).toBe(hexOf(track?.codecPrivate).slice(0, 32));
    expect(parseWaveFormat(g711Track(1, format).codecPrivate)).toEqual(format);
    expect(parseWaveFormat(hex('0100 0100 401f0000 803e0000 0200 1000 0000'))).toBeUndefined();
    expect(audioFrameDurationUs(g711Track(1, format), new Uint8Array(160))).toBe(20_000);
  });
});

describe('G.711 as FLAC', () => {
  const blocks = {
    silence: new Uint8Array(160).fill(0xd5),
    tone: Uint8Array.from({ length: 1000 }, (_, i) => nearest('pcma', 9000 * Math.sin(i / 7))),
    'one sample': Uint8Array.of(7),
    'two samples': Uint8Array.of(7, 200),
    ramp: Uint8Array.from({ length: 3000 }, (_, i) => i & 0xff),
    noise: Uint8Array.from({ length: 5000 }, (_, i) => (Math.imul(i + 1, 2_654_435_761) >>> 24) & 0xff),
  };

  test.each(
    (['pcma', 'pcmu'] as const).flatMap((law) =>
      Object.keys(blocks).flatMap((name) =>
        [1, 2].flatMap((channels) => [[law, name as keyof typeof blocks, channels] as const]),
      ),
    ),
  )('%s, %s, %i channels: ffmpeg decodes the very samples, of both forms', async (law, name, channels) => {
    const block = blocks[name];
    const format = { law, samplingFrequencyHz: 8000, channels };
    const input = new Uint8Array([...block, ...block]);
    const table = g711Table(law);
    const wanted = Int16Array.from(input, (code) => table[code] ?? 0);
    const count = input.length / channels;

    const compact = g711ToFlac(format, input);
    const fixed = g711ToFlac(format, input, { isFixedSize: true });

    expect(fixed.length).toBe(g711FlacBytes(format, count));
    expect(compact.length).toBeLessThanOrEqual(fixed.length);
    expect([flacFrameSamples(compact), flacFrameSamples(fixed)]).toEqual([count, count]);
    const file = new Uint8Array([...flacTrack(g711Track(1, format)).codecPrivate, ...compact]);
    if (count < 16) return;
    await withFile('block.flac', file, async (path) => {
      const bytes = new Uint8Array(await decoded('-err_detect', '+crccheck+explode', '-i', path, '-f', 's16le'));
      expect(new Int16Array(bytes.buffer)).toEqual(wanted);
    });
  });

  test('compresses what can be compressed', () => {
    const format = { law: 'pcma', samplingFrequencyHz: 8000, channels: 1 } as const;

    expect(g711ToFlac(format, blocks.silence).length).toBeLessThan(20);
    expect(g711ToFlac(format, blocks.tone).length).toBeLessThan(1000);
  });

  test('refuses empty frames, halves of samples, and other codecs', () => {
    const format = { law: 'pcma', samplingFrequencyHz: 8000, channels: 2 } as const;

    for (const bytes of [0, 3, 140_000]) {
      expect(() => g711ToFlac(format, new Uint8Array(bytes))).toThrow(
        expect.objectContaining({ code: 'invalid_argument' }),
      );
    }
    expect(() => flacTrack(opusTrack(1, { channels: 1 }))).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }),
    );
  });

  test('frames of other encoders tell their samples too', async () => {
    const { frames } = read([await clipBytes('flac.mkv')]);

    expect(frames.slice(0, -1).every((f) => flacFrameSamples(f.bytes) === 4608)).toBe(true);
    expect(frames.reduce((sum, f) => sum + flacFrameSamples(f.bytes), 0)).toBe(96_000);
  });
});

test('audio parsers refuse what is damaged, and never do anything else', () => {
  const track: Track = { ...opusTrack(1, { channels: 1 }) };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const uses = [
        () => parseAudioSpecificConfig(bytes),
        () => parseOpusHead(bytes),
        () => parseWaveFormat(bytes),
        () => audioFrameSamples(track, bytes),
        () => flacFrameSamples(bytes),
      ];
      for (const use of uses) {
        try {
          use();
        } catch (error) {
          if (!isAppError(error)) throw error;
        }
      }
    }),
    { numRuns: 1000 },
  );
});

/** The code of the value that comes nearest. */
function nearest(law: G711Law, value: number): number {
  const table = g711Table(law);
  let best = 0;
  for (const [code, candidate] of table.entries()) {
    if (Math.abs(candidate - value) < Math.abs((table[best] ?? 0) - value)) best = code;
  }
  return best;
}

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}

function hexOf(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('hex');
}
