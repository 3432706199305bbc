import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  aacTrack,
  clusterHead,
  clusterHeadBytes,
  cuesElement,
  g711Track,
  matroskaHead,
  opusTrack,
  readCluster,
  readMatroskaHead,
  readTags,
  segmentDataBegin,
  simpleBlockHeadBytesMax,
  tagsElement,
  writeSimpleBlockHead,
} from '../../../storage/media/index.ts';
import { isSameTrack, type Track } from '../../../storage/model/track.ts';
import { type ClipName, clipBytes, mkvinfo, packetsOf, read, streamsOf, type Told, withFile } from './clips.ts';

const segmentUid = Uint8Array.from({ length: 16 }, (_, i) => i + 1);

describe('a segment file of ours', () => {
  test.each<ClipName>([
    'bframes.mkv',
    'interlaced.mkv',
    'hevc.mkv',
    'h264-aac.mkv',
    'h264-alaw.mkv',
    'mulaw.mkv',
    'flac.mkv',
  ])('holds the frames of %s for ffprobe, and reads back the same', async (name) => {
    const told = read([await clipBytes(name)]);
    const { file } = rewrite(told);

    const again = read([file]);
    expect(again.head.tracks.every((track, i) => isSameTrack(track, told.head.tracks[i] ?? track))).toBe(true);
    expect(again.frames.map(essence)).toEqual(told.frames.map(essence));
    await withFile('segment.mkv', file, async (path) => {
      const packets = await packetsOf(path);
      expect(packets.map((p) => [p.stream_index, p.pts, Number(p.size)])).toEqual(
        told.frames.map((f) => [f.trackNumber - 1, f.timecode + f.relative, f.bytes.length]),
      );
    });
  });

  test('is told as it was meant by mkvinfo, without a warning', async () => {
    const { file, clusterOffsets } = rewrite(read([await clipBytes('h264-alaw.mkv')]));

    await withFile('segment.mkv', file, async (path) => {
      const text = await mkvinfo(path);
      for (const line of [
        'Document type: matroska',
        'Segment: size unknown',
        'Multiplexing application: Weir',
        'Codec ID: V_MPEG4/ISO/AVC',
        'Codec ID: A_MS/ACM',
        'Sampling frequency: 8000',
        'Bit depth: 8',
        'Name: WEIR_FRAGMENT',
        'Cue time',
      ]) {
        expect(text).toContain(line);
      }
      expect(text).not.toMatch(/warning|error|unknown element/i);
      expect(text.match(/^\|\+ Cluster/gm)?.length).toBe(clusterOffsets.length);
    });
  });

  test('opens in ffprobe wherever it ends after its first cluster', async () => {
    const { ends, file } = rewrite(read([await clipBytes('h264-aac.mkv')]));
    const [, first = 0, ...others] = ends;

    for (const end of [first, ...others]) {
      await withFile('cut.mkv', file.subarray(0, end), async (path) => {
        expect((await streamsOf(path)).map((s) => s.codec_name)).toEqual(['h264', 'aac']);
      });
      expect(() => read([file.subarray(0, end)])).not.toThrow();
    }
    // In the middle of an element ffprobe says so, and opens the file all the same.
    for (const end of [first + 1, first + 5, first + 300, first + 1001]) {
      await withFile('cut.mkv', file.subarray(0, end), async (path) => {
        expect((await streamsOf(path, { isTorn: true })).map((s) => s.codec_name)).toEqual(['h264', 'aac']);
      });
    }
  });

  test('has cues that lead to clusters', async () => {
    const { file, clusterOffsets } = rewrite(read([await clipBytes('bframes.mkv')]));

    expect(readMatroskaHead(file).segmentDataBegin).toBe(segmentDataBegin());
    for (const offset of clusterOffsets) {
      expect(Buffer.from(file.subarray(offset, offset + 4)).toString('hex')).toBe('1f43b675');
    }
  });
});

describe('Matroska heads', () => {
  test('keep tracks, scale, uid and tags, in bytes or text', () => {
    const tracks: Track[] = [
      g711Track(2, { law: 'pcmu', samplingFrequencyHz: 16_000, channels: 2 }),
      aacTrack(3, Uint8Array.of(0x2b, 0x11, 0x88, 0)),
      opusTrack(4, { channels: 1 }),
      {
        number: 5,
        kind: 'other',
        codec: 'other',
        codecId: 'S_TEXT/UTF8',
        codecPrivate: Uint8Array.of(1, 2),
        codecString: undefined,
      },
    ];
    const tags = [
      { name: 'WEIR_SEGMENT', value: Uint8Array.from({ length: 300 }, (_, i) => i & 0xff) },
      { name: 'NAME', value: 'café' },
    ];

    const head = readMatroskaHead(matroskaHead({ segmentUid, tracks, timecodeScaleNs: 1_000_000, tags }));

    expect(
      head.tracks.map((track) => isSameTrack(track, tracks.find((t) => t.number === track.number) ?? track)),
    ).toEqual(tracks.map(() => true));
    expect(head.tracks.map(({ codec, codecString, kind }) => [codec, codecString, kind])).toEqual(
      tracks.map(({ codec, codecString, kind }) => [codec, codecString, kind]),
    );
    expect(head).toMatchObject({ segmentUid, timecodeScaleNs: 1_000_000, tags });
  });

  test('end at the first cluster, whether it is whole or not', () => {
    const tracks = [opusTrack(1, { channels: 2 })];
    const bytes = matroskaHead({ segmentUid, tracks, timecodeScaleNs: 1_000_000 });
    const cluster = clusterHead(7);

    for (const rest of [cluster, cluster.subarray(0, 12), Uint8Array.of(0x1f, 0x43, 0xb6, 0x75, 0x88)]) {
      expect(readMatroskaHead(new Uint8Array([...bytes, ...rest])).byteLength).toBe(bytes.length);
    }
  });

  test.each<[string, Partial<Track>]>([
    ['an avcC that is broken', { codecId: 'V_MPEG4/ISO/AVC', codecPrivate: Uint8Array.of(1, 2, 3) }],
    [
      'NAL lengths of two bytes',
      {
        codecId: 'V_MPEG4/ISO/AVC',
        codecPrivate: Buffer.from('014d40289de1000467 4d4028 0100 0168'.replaceAll(' ', ''), 'hex'),
      },
    ],
    ['no private data', { codecId: 'A_AAC', codecPrivate: new Uint8Array(0) }],
    [
      'linear samples',
      { codecId: 'A_MS/ACM', codecPrivate: Buffer.from('01000100401f0000803e0000020010000000', 'hex') },
    ],
    ['a codec of its own', { codecId: 'V_VENDOR', codecPrivate: Uint8Array.of(9) }],
  ])('keep a track with %s as another one, untouched', (_, told) => {
    const track: Track = {
      number: 1,
      kind: 'video',
      codec: 'other',
      codecId: '',
      codecPrivate: new Uint8Array(0),
      codecString: undefined,
      ...told,
    };

    const [read] = readMatroskaHead(matroskaHead({ segmentUid, tracks: [track], timecodeScaleNs: 1 })).tracks;

    expect(read).toMatchObject({ codec: 'other', codecString: undefined, codecId: track.codecId });
    expect(Buffer.compare(read?.codecPrivate ?? new Uint8Array(0), track.codecPrivate)).toBe(0);
  });

  test('without tracks, or of other documents, are refused', () => {
    expect(() => readMatroskaHead(Uint8Array.of(0x52, 0x49, 0x46, 0x46))).toThrow(
      expect.objectContaining({ name: 'AppError' }),
    );
    expect(() => readMatroskaHead(matroskaHead({ segmentUid, tracks: [], timecodeScaleNs: 1 }))).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }),
    );
  });
});

describe('clusters', () => {
  test('read back as they were written, for any blocks', () => {
    const block = fc.record({
      trackNumber: fc.integer({ min: 1, max: 300 }),
      relativeMs: fc.integer({ min: -0x8000, max: 0x7fff }),
      isKey: fc.boolean(),
      payload: fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constant(new Uint8Array(20_000))),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
        fc.array(block, { maxLength: 20 }),
        (timecode, blocks) => {
          const cluster = clusterOf(timecode, blocks);

          const told = readCluster(cluster);

          expect(told.timecode).toBe(timecode);
          expect(
            told.blocks.map((b) => ({
              trackNumber: b.trackNumber,
              relativeMs: b.relative,
              isKey: b.isKey,
              payload: cluster.subarray(b.begin, b.end),
            })),
          ).toEqual(blocks);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('of known size, cut off or without timecode are told apart', () => {
    const whole = Buffer.from('1f43b67588e78105a383810000'.concat('80'), 'hex');

    expect(() => readCluster(whole)).toThrow(expect.objectContaining({ code: 'data_loss' }));
    expect(readCluster(Buffer.from('1f43b67589e78105a38481000080', 'hex'))).toMatchObject({
      timecode: 5,
      blocks: [{ begin: 14, end: 14 }],
    });
    expect(() => readCluster(clusterHead(1).subarray(0, 20))).toThrow(expect.objectContaining({ code: 'data_loss' }));
    expect(() => readCluster(clusterHead(1).subarray(0, 12))).toThrow(expect.objectContaining({ code: 'data_loss' }));
  });

  test('have heads of one size, and blocks of no more than the named maximum', () => {
    const target = new Uint8Array(simpleBlockHeadBytesMax);

    expect([0, 5, 2 ** 40].map((timecode) => clusterHead(timecode).length)).toEqual(
      [22, 22, 22].map(() => clusterHeadBytes),
    );
    expect(
      writeSimpleBlockHead(target, 0, {
        trackNumber: 16_000,
        relativeMs: -1,
        payloadBytes: 16 * 1024 * 1024,
        isKey: false,
      }),
    ).toBe(simpleBlockHeadBytesMax);
    expect(writeSimpleBlockHead(target, 0, { trackNumber: 1, relativeMs: 1, payloadBytes: 100, isKey: true })).toBe(6);
    expect(() =>
      writeSimpleBlockHead(target, 0, { trackNumber: 1, relativeMs: 0x8000, payloadBytes: 1, isKey: true }),
    ).toThrow('must hold');
  });
});

test('tags read back as they were written', () => {
  const tag = fc.record({
    name: fc.string({ minLength: 1 }),
    value: fc.oneof(fc.string(), fc.uint8Array({ maxLength: 500 })),
  });
  fc.assert(
    fc.property(fc.array(tag, { maxLength: 12 }), (tags) => {
      // Strings end at a zero in Matroska.
      const clean = tags.map(({ name, value }) => ({
        name: name.replaceAll('\0', ' '),
        value: typeof value === 'string' ? value.replaceAll('\0', ' ') : value,
      }));

      expect(readTags(tagsElement(clean))).toEqual(clean);
    }),
  );
});

type Block = {
  readonly trackNumber: number;
  readonly relativeMs: number;
  readonly isKey: boolean;
  readonly payload: Uint8Array;
};

function clusterOf(timecode: number, blocks: readonly Block[]): Uint8Array {
  const parts = [clusterHead(timecode)];
  for (const { payload, ...block } of blocks) {
    const head = new Uint8Array(simpleBlockHeadBytesMax);
    const length = writeSimpleBlockHead(head, 0, { ...block, payloadBytes: payload.length });
    parts.push(head.subarray(0, length), payload);
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** The frames of a file as we store them: a cluster with its commit tags for each of theirs, then cues. */
function rewrite(told: Told): { file: Uint8Array; clusterOffsets: number[]; ends: number[] } {
  const head = matroskaHead({ segmentUid, tracks: told.head.tracks, timecodeScaleNs: 1_000_000 });
  const parts = [head];
  let length = head.length;
  const ends = [length];
  const clusterOffsets: number[] = [];
  const cues: { timecodeMs: number; trackNumber: number; clusterOffset: number }[] = [];
  const append = (part: Uint8Array) => {
    parts.push(part);
    length += part.length;
    ends.push(length);
  };
  for (const [index, { timecode }] of told.clusters.entries()) {
    const frames = told.frames.filter((f) => f.cluster === index);
    clusterOffsets.push(length);
    cues.push({ timecodeMs: timecode, trackNumber: 1, clusterOffset: length - segmentDataBegin() });
    append(
      clusterOf(
        timecode,
        frames.map((f) => ({ ...f, relativeMs: f.relative, payload: f.bytes })),
      ),
    );
    append(
      tagsElement([
        { name: 'WEIR_FRAGMENT', value: '1'.repeat(47) },
        { name: 'WEIR_COMMIT', value: new Uint8Array(200) },
      ]),
    );
  }
  append(cuesElement(cues));
  return { file: new Uint8Array(Buffer.concat(parts)), clusterOffsets, ends };
}

function essence(frame: Told['frames'][number]) {
  return [frame.trackNumber, frame.timecode + frame.relative, frame.isKey, Buffer.from(frame.bytes).toString('hex')];
}
