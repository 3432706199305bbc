import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isAppError } from '../../../storage/base/errors.ts';
import {
  clusterHead,
  g711Track,
  MatroskaReader,
  type MatroskaSink,
  matroskaHead,
  readCluster,
  readMatroskaHead,
  readTags,
  tagsElement,
  writeSimpleBlockHead,
} from '../../../storage/media/index.ts';
import { type ClipName, clipBytes, clipPath, packetsOf, read } from './clips.ts';

const ignoring: MatroskaSink = {
  head() {},
  clusterBegin() {},
  clusterBytes() {},
  frame() {},
  clusterEnd() {},
  tags() {},
};

/** A file of two tracks' worth of everything the reader knows, small enough to be split at every byte. */
function smallFile(): Uint8Array {
  const tracks = [g711Track(1, { law: 'pcma', samplingFrequencyHz: 8000, channels: 1 })];
  const head = matroskaHead({
    segmentUid: new Uint8Array(16).fill(3),
    tracks,
    timecodeScaleNs: 1_000_000,
    tags: [{ name: 'FIRST', value: 'head' }],
  });
  const block = (relativeMs: number, payload: readonly number[]) => simpleBlock(relativeMs, payload);
  const laced = hex('a3 8b 81 0000 84 02 01 02 03 04 05 06');
  const group = hex('a0 8c a1 86 81 0005 00 aabb 9b 82 0014');
  return concat([
    head,
    clusterHead(0),
    block(0, [1, 2, 3]),
    hex('ec 83 000000'),
    block(20, [4, 5]),
    tagsElement([{ name: 'BETWEEN', value: Uint8Array.of(0, 255) }]),
    hex('ec 82 0000'),
    // Known size: CRC-32 before the timecode, a lace of three, a group with its duration.
    known('1f43b675', concat([hex('bf 84 01020304'), hex('e7 81 28'), laced, group])),
    hex('1c53bb6b 82 ec80'),
    clusterHead(80),
    block(-1, [6]),
    tagsElement([{ name: 'AFTER', value: '' }]),
  ]);
}

describe('MatroskaReader', () => {
  test('tells clusters, frames and tags with their places and verbatim bytes', () => {
    const file = smallFile();

    const told = read([file]);

    expect(told.frames.map((f) => [f.timecode + f.relative, f.isKey, f.laceIndex, f.duration, [...f.bytes]])).toEqual([
      [0, true, 0, undefined, [1, 2, 3]],
      [20, true, 0, undefined, [4, 5]],
      [40, true, 0, undefined, [1, 2]],
      [40, true, 1, undefined, [3, 4]],
      [40, true, 2, undefined, [5, 6]],
      [45, true, 0, 20, [0xaa, 0xbb]],
      [79, true, 0, undefined, [6]],
    ]);
    expect(told.tags.map((t) => t.tags)).toEqual([
      [{ name: 'BETWEEN', value: Uint8Array.of(0, 255) }],
      [{ name: 'AFTER', value: '' }],
    ]);
    expect(told.head.tags).toEqual([{ name: 'FIRST', value: 'head' }]);
    expect(told.headBytes).toEqual(file.subarray(0, told.clusters[0]?.offset));
    for (const { offset, end, bytes } of told.clusters) expect(bytes).toEqual(file.subarray(offset, end));
  });

  test('gives the same calls wherever the bytes are split in two, and byte by byte', () => {
    const file = smallFile();
    const whole = read([file]).calls;

    for (let at = 1; at < file.length; at++)
      expect(read([file.subarray(0, at), file.subarray(at)]).calls).toEqual(whole);
    expect(read(Array.from(file, (byte) => Uint8Array.of(byte))).calls).toEqual(whole);
  });

  test('gives the same calls for every split of a real file', async () => {
    const file = await clipBytes('h264-aac.mkv');
    const whole = read([file]).calls.join('\n');

    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: file.length }), { maxLength: 40 }), (cuts) => {
        expect(read(pieces(file, cuts)).calls.join('\n') === whole).toBe(true);
      }),
      { numRuns: 15 },
    );
  });

  test.each<ClipName>([
    'baseline.mkv',
    'bframes.mkv',
    'hevc.mkv',
    'h264-aac.mkv',
    'h264-opus.mkv',
    'h264-alaw.mkv',
    'mulaw.mkv',
    'live.mkv',
    'vp8-opus.webm',
    'flac.mkv',
    'gstreamer.mkv',
    'gstreamer-known.mkv',
  ])('reads every packet of %s that ffprobe reads, at the same time', async (name) => {
    const told = read(pieces(await clipBytes(name), [100, 5000, 5001, 40_000]));
    const packets = await packetsOf(await clipPath(name));

    // GStreamer leaves the key flag of sound away; ffprobe and we take all sound as key.
    const isAudio = (number: number) => told.head.tracks.find((t) => t.number === number)?.kind === 'audio';
    const ours = told.frames.map((frame) => {
      const ms = Math.round(((frame.timecode + frame.relative) * told.head.timecodeScaleNs) / 1_000_000);
      return `${told.head.tracks.findIndex((t) => t.number === frame.trackNumber)} ${ms} ${frame.bytes.length} ${frame.isKey || isAudio(frame.trackNumber)}`;
    });
    // Opus' CodecDelay is taken off by ffprobe and stays in the file's times.
    const delayMs = name.includes('opus') ? 7 : 0;
    const theirs = packets.map((packet) => {
      const isOpus = told.head.tracks[packet.stream_index]?.codec === 'opus';
      const ms = Math.round(Number(packet.pts_time) * 1000) + (isOpus ? delayMs : 0);
      return `${packet.stream_index} ${ms} ${packet.size} ${packet.flags.startsWith('K')}`;
    });
    expect(ours).toEqual(theirs);
  });

  test('reads what the KVS producer library sends: tags before their cluster, sizes of 8 bytes, an end of fragment', () => {
    const size8 = (id: string, body: Uint8Array) => {
      const size = Buffer.alloc(8);
      size.writeBigUInt64BE((1n << 56n) | BigInt(body.length));
      return concat([hex(id), size, body]);
    };
    const tracks = [g711Track(1, { law: 'pcmu', samplingFrequencyHz: 8000, channels: 1 })];
    const head = matroskaHead({ segmentUid: new Uint8Array(16), tracks, timecodeScaleNs: 1_000_000 });
    const cluster = (time: number) =>
      concat([
        hex('1f43b675 01ffffffffffffff'),
        hex(`e7 88 ${time.toString(16).padStart(16, '0')} a7 88 0000000000000000`),
        size8('a3', hex('81 0000 80 aabb')),
        size8('a3', hex('81 0014 00 cc')),
      ]);
    const tag = (name: string) => size8('1254c367', tagsElement([{ name, value: 'v' }]).subarray(8));
    const file = concat([
      head,
      tag('one'),
      cluster(0),
      tag('two'),
      cluster(2000),
      tag('AWS_KINESISVIDEO_END_OF_FRAGMENT'),
    ]);

    const told = read(pieces(file, [200, 201, 350, 420]));

    expect(told.clusters.map((c) => c.timecode)).toEqual([0, 2000]);
    expect(told.frames.map((f) => [f.timecode + f.relative, f.isKey, f.bytes.length])).toEqual([
      [0, true, 2],
      [20, false, 1],
      [2000, true, 2],
      [2020, false, 1],
    ]);
    expect(told.head.tagElements.map((t) => t.tags[0]?.name)).toEqual(['one']);
    expect(told.tags.map((t) => t.tags[0]?.name)).toEqual(['two', 'AWS_KINESISVIDEO_END_OF_FRAGMENT']);
    expect(told.calls.at(-2)).toContain('clusterEnd');
    const [first] = told.head.tagElements;
    expect(readTags(file.subarray(first?.begin, first?.end))).toEqual(first?.tags);
  });

  test('tolerates room between the EBML head and the segment, as does the in-memory reader', () => {
    const file = smallFile();
    const padded = concat([file.subarray(0, 40), hex('ec 82 0000'), file.subarray(40)]);

    expect(read([padded]).frames.length).toBe(read([file]).frames.length);
    expect(readMatroskaHead(padded).tracks).toEqual(readMatroskaHead(file).tracks);
  });

  test('reads frames of sound that mkvmerge laced, one by one', async () => {
    const told = read([await clipBytes('laced.mkv')]);
    const packets = await packetsOf(await clipPath('laced.mkv'));
    const audio = told.head.tracks.find((track) => track.kind === 'audio');

    const sizes = told.frames.filter((f) => f.trackNumber === audio?.number).map((f) => f.bytes.length);

    expect(told.frames.some((f) => f.laceIndex > 0)).toBe(true);
    const theirs = packets.filter((p) => told.head.tracks[p.stream_index] === audio).map((p) => Number(p.size));
    expect(sizes).toEqual(theirs);
  });

  test.each([
    ['no', '00', [[1, 2, 3, 4, 5, 6]]],
    ['Xiph', '02 02 01 02', [[1], [2, 3], [4, 5, 6]]],
    ['EBML', '06 02 81 c0', [[1], [2, 3], [4, 5, 6]]],
    ['EBML with a frame that shrinks', '06 02 83 be', [[1, 2, 3], [4, 5], [6]]],
    [
      'fixed',
      '04 02',
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    ],
  ])('reads a block with %s lacing', (_, lace, frames) => {
    const body = hex(`81 0000 ${lace} 01 02 03 04 05 06`);
    const cluster = concat([clusterHead(0), hex('a3'), Uint8Array.of(0x80 | body.length), body]);

    const { blocks } = readCluster(cluster);

    expect(blocks.map((b) => [...cluster.subarray(b.begin, b.end)])).toEqual(frames);
  });

  test('agrees with the in-memory reader on every cluster', async () => {
    const file = await clipBytes('h264-aac.mkv');
    const told = read([file]);

    for (const [index, cluster] of told.clusters.entries()) {
      const { timecode, blocks } = readCluster(file.subarray(cluster.offset, cluster.end));
      expect(timecode).toBe(cluster.timecode);
      expect(blocks.map((b) => Buffer.from(file.subarray(cluster.offset + b.begin, cluster.offset + b.end)))).toEqual(
        told.frames.filter((f) => f.cluster === index).map((f) => Buffer.from(f.bytes)),
      );
    }
  });

  test.each([
    ['a second segment', '18538067 80', 'invalid_argument'],
    ['a second document', '1a45dfa3 80', 'invalid_argument'],
    ['tracks after the first cluster', '1654ae6b 80', 'invalid_argument'],
    ['a cluster without a timecode', '1f43b675 80', 'invalid_argument'],
    ['an element of unknown size', 'a3 ff', 'invalid_argument'],
    ['an invalid id', '00', 'invalid_argument'],
    ['an absurd size', 'a3 01 80000000000000', 'invalid_argument'],
    ['a block above its limit', 'a3 08 ffffff0000', 'resource_exhausted'],
    ['a block before its timecode', '1f43b675 ff a3 84 81 0000 80', 'invalid_argument'],
    ['a lace that runs over', 'a3 86 81 0000 82 01 09', 'data_loss'],
    ['a block that is too short', 'a3 82 81 00', 'data_loss'],
    ['a known cluster whose block runs past it', '1f43b675 87 e7 81 05 a3 84 81 0000 80', 'data_loss'],
  ])('refuses %s', (_, appended, code) => {
    const reader = new MatroskaReader({ sink: ignoring });
    reader.push(concat([smallFile(), clusterHead(100)]));

    expect(() => {
      reader.push(hex(appended));
      reader.end();
    }).toThrow(expect.objectContaining({ name: 'AppError', code }));
  });

  test('refuses bytes that end inside an element, and says where', () => {
    const file = smallFile();
    const reader = new MatroskaReader({ sink: ignoring });
    reader.push(file.subarray(0, file.length - 3));

    expect(() => reader.end()).toThrow(expect.objectContaining({ code: 'data_loss' }));
  });

  test('refuses to collect more than its limits, before the bytes come', () => {
    const reader = new MatroskaReader({ sink: ignoring }, { headBytesMax: 1000, tagsBytesMax: 1000 });

    expect(() => reader.push(concat([hex('1a45dfa3 80'), hex('18538067 ff'), hex('1254c367 47ff')]))).toThrow(
      expect.objectContaining({ code: 'resource_exhausted' }),
    );
  });

  test('passes what a sink throws through', () => {
    const failure = new Error('disk is full');
    const reader = new MatroskaReader({
      sink: {
        ...ignoring,
        clusterBytes() {
          throw failure;
        },
      },
    });

    expect(() => reader.push(smallFile())).toThrow(failure);
  });

  test('takes a large block in small pieces in time that grows with its size', () => {
    const reader = new MatroskaReader({ sink: ignoring });
    const size = 8 * 1024 * 1024;
    reader.push(concat([smallFile(), clusterHead(100), hex('a3 10800004 81 0000 80')]));
    const piece = new Uint8Array(1000);

    for (let at = 0; at < size; at += piece.length) reader.push(piece.subarray(0, Math.min(piece.length, size - at)));

    reader.end();
    expect(reader.offset).toBeGreaterThan(size);
  });

  test('the in-memory readers read or refuse damaged bytes, and never do anything else', async () => {
    const file = await clipBytes('laced.mkv');
    const [cluster] = read([file]).clusters;
    const uses: [Uint8Array, (bytes: Uint8Array) => unknown][] = [
      [file.subarray(cluster?.offset, cluster?.end), readCluster],
      [file.subarray(0, cluster?.offset), readMatroskaHead],
      [tagsElement([{ name: 'A', value: 'b' }]), readTags],
    ];
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(damage, fc.nat(), (damages, cut) => {
        for (const [bytes, use] of uses) {
          const damaged = bytes.slice(0, cut % 4 === 0 ? cut % bytes.length : bytes.length);
          for (const [at, byte] of damages) if (damaged.length > 0) damaged[at % Math.min(damaged.length, 2000)] = byte;
          try {
            use(damaged);
          } catch (error) {
            if (!isAppError(error)) throw error;
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test('never does anything but read or refuse damaged files', async () => {
    const file = (await clipBytes('h264-opus.mkv')).subarray(0, 20_000);

    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        fc.nat(2000),
        (damages, chunkLength) => {
          const damaged = new Uint8Array(file);
          for (const [at, byte] of damages) damaged[at] = byte;
          const reader = new MatroskaReader({ sink: ignoring });
          try {
            for (const piece of pieces(damaged, [chunkLength, 2 * chunkLength])) reader.push(piece);
            reader.end();
          } catch (error) {
            if (!isAppError(error)) throw error;
          }
        },
      ),
      { numRuns: 400 },
    );
  });
});

function pieces(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const edges = [0, ...cuts.filter((cut) => cut <= bytes.length).toSorted((a, b) => a - b), bytes.length];
  return edges.slice(1).map((edge, i) => bytes.subarray(edges[i], edge));
}

function simpleBlock(relativeMs: number, payload: readonly number[]): Uint8Array {
  const target = new Uint8Array(64);
  const at = writeSimpleBlockHead(target, 0, { trackNumber: 1, relativeMs, payloadBytes: payload.length, isKey: true });
  target.set(payload, at);
  return target.subarray(0, at + payload.length);
}

function known(id: string, body: Uint8Array): Uint8Array {
  return concat([hex(id), Uint8Array.of(0x80 | body.length), body]);
}

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
