import fc from 'fast-check';
import { expect, test } from 'vitest';
import { putMediaQuotasDefault } from '../../../gateway/put-media/index.ts';
import { mediaErrorOf } from '../../../gateway/put-media/media-errors.ts';
import { ProducerMedia, type ProducerMediaOptions } from '../../../gateway/put-media/producer-media.ts';
import { isAppError } from '../../../storage/base/errors.ts';
import {
  aac,
  cluster,
  ebmlHead,
  element,
  endOfFragment,
  footage,
  fragment,
  h264,
  head,
  openElement,
  picture,
  pictures,
  tags,
  trackEntry,
} from '../../kit/producer-media.ts';

type Told = {
  readonly calls: string[];
  readonly fragments: {
    timecodeMs: number;
    producerTimestampMs: number;
    bytes: Buffer;
    frames: number;
    isKey?: boolean;
    durationMs?: number;
    tags?: Record<string, string>;
  }[];
  head: Buffer;
  error: string | undefined;
  about: unknown;
};

/** What a body is told as, in pieces of these lengths. */
function told(
  pieces: Iterable<Uint8Array>,
  options: Partial<ProducerMediaOptions> & { readonly isOpen?: boolean } = {},
): Told {
  const result: Told = { calls: [], fragments: [], head: Buffer.alloc(0), error: undefined, about: undefined };
  const last = () => result.fragments.at(-1) ?? expect.fail('no fragment');
  const media = new ProducerMedia(
    {
      sink: {
        head: ({ bytes }) => {
          result.calls.push('head');
          result.head = Buffer.from(bytes);
        },
        begin: ({ timecodeMs, producerTimestampMs }) => {
          result.calls.push(`begin ${timecodeMs}`);
          result.fragments.push({ timecodeMs, producerTimestampMs, bytes: Buffer.alloc(0), frames: 0 });
        },
        bytes: (bytes) => {
          last().bytes = Buffer.concat([last().bytes, bytes]);
        },
        frame: () => {
          last().frames++;
        },
        whole: () => result.calls.push(`whole ${last().timecodeMs}`),
        commit: ({ isKey, durationMs, tags: own }) => {
          result.calls.push('commit');
          const byName = Object.fromEntries(own.map(({ name, value }) => [name, value]));
          Object.assign(last(), { isKey, durationMs, tags: byName });
        },
      },
    },
    { timecodes: 'absolute', producerStartMs: 0, quotas: putMediaQuotasDefault, ...options },
  );
  try {
    for (const piece of pieces) media.push(piece);
    if (options.isOpen !== true) media.end();
  } catch (error) {
    if (!isAppError(error)) throw error;
    result.error = mediaErrorOf(error);
    result.about = error.context.timecodeMs;
  }
  return result;
}

function body(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat([head(), ...parts]);
}

const three = footage({ beginTimecode: 5_000, fragments: 3 });

test('(44) fragments are the bytes of their clusters, however the body is split', () => {
  const bytes = body(...three.map(fragment));
  const whole = told([bytes]);

  expect(whole.error).toBeUndefined();
  expect(whole.fragments.map((each) => each.bytes)).toEqual(three.map(cluster));
  expect(whole.fragments.map(({ frames, durationMs, isKey }) => ({ frames, durationMs, isKey }))).toEqual(
    Array.from({ length: 3 }, () => ({ frames: 5, durationMs: 200, isKey: true })),
  );
  for (let at = 1; at < bytes.length; at++) {
    expect(told([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(whole);
  }
  expect(told(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(whole);
});

test('(44) a cluster of unknown size ends at a cluster, at tags, and with the body', () => {
  const [first, second] = three;
  if (first === undefined || second === undefined) return expect.fail();

  const open = told([body(fragment(first), cluster(second).subarray(0, 12))], { isOpen: true });
  const tagged = told([body(fragment(first), tags({ a: 'b' }))], { isOpen: true });
  const ended = told([body(fragment(first))]);

  expect(open.calls).toEqual(['head', 'begin 5000', 'whole 5000']);
  expect(tagged.calls).toEqual(['head', 'begin 5000', 'whole 5000']);
  expect(ended.calls).toEqual(['head', 'begin 5000', 'whole 5000', 'commit']);
});

test('(45, 46) sized clusters, block groups and other elements of muxers are taken, with the same bytes', () => {
  const clusters = [
    pictures({ timecode: 0, firstId: 1, isSized: true }),
    pictures({ timecode: 200, firstId: 6, isGrouped: true, isSized: true }),
    pictures({ timecode: 400, firstId: 11, isGrouped: true }),
  ];
  // Between sized clusters; one of unknown size has it in itself.
  const noise = [element('1c53bb6b', element('bb', Buffer.alloc(4))), element('ec', Buffer.alloc(9))];
  const seek = element('114d9b74', Buffer.alloc(20));
  const bytes = Buffer.concat([
    ...[head(), seek, element('bf', Buffer.alloc(4))],
    ...clusters.flatMap((each) => [cluster(each), ...noise]),
    tags({ ENCODER: 'Lavf', DURATION: '00:00:01' }),
  ]);

  const { error, fragments } = told([bytes]);

  expect(error).toBeUndefined();
  expect(fragments.map((each) => [each.frames, each.isKey, each.tags])).toEqual(Array(3).fill([5, true, {}]));
  expect(fragments.map((each) => each.bytes)).toEqual(clusters.map(cluster));
});

test('(47) tags before a cluster are its own, those with an end of fragment are of the one before', () => {
  const {
    calls,
    fragments,
    head: kept,
  } = told(
    [
      body(
        tags({ first: '1' }),
        cluster(pictures({ timecode: 0, firstId: 1 })),
        tags({ second: '2', more: '3' }),
        cluster(pictures({ timecode: 200, firstId: 6 })),
        tags({ behind: '4' }),
        endOfFragment,
      ),
    ],
    { isOpen: true },
  );

  expect(fragments.map((each) => each.tags)).toEqual([{ first: '1' }, { second: '2', more: '3', behind: '4' }]);
  expect(calls.at(-1)).toBe('commit');
  expect(kept).toEqual(head());
});

test('(47) an end of fragment that comes alone closes it at once', () => {
  const { calls } = told([body(cluster(pictures({ timecode: 0, firstId: 1 })), endOfFragment)], { isOpen: true });

  expect(calls).toEqual(['head', 'begin 0', 'whole 0', 'commit']);
});

test('tags of muxers, which name a target, stay in the head', () => {
  const targeted = element(
    '1254c367',
    element(
      '7373',
      element('63c0'),
      element('67c8', element('45a3', Buffer.from('ENCODER')), element('4487', Buffer.from('x'))),
    ),
  );

  const { fragments, head: kept } = told([body(targeted, cluster(pictures({ timecode: 0, firstId: 1 })))]);

  expect(fragments.map((each) => each.tags)).toEqual([{}]);
  expect(kept).toEqual(Buffer.concat([head(), targeted]));
});

test('(38) producer timestamps count from the start where timecodes are relative, in any scale', () => {
  const clusters = [0, 700].map((timecode) => cluster(pictures({ timecode, firstId: 1 })));
  const coarse = Buffer.concat([head([h264], { timecodeScaleNs: 10_000_000 }), ...clusters]);
  const fine = Buffer.concat([
    head([h264], { timecodeScaleNs: 100_000 }),
    ...clusters,
    cluster(pictures({ timecode: 1_505, firstId: 9 })),
  ]);
  const relative = { timecodes: 'relative', producerStartMs: 1_711_124_585_823 } as const;
  const timesOf = ({ fragments }: Told) => fragments.map((each) => [each.timecodeMs, each.producerTimestampMs]);

  expect(timesOf(told([body(...clusters)]))).toEqual([
    [0, 0],
    [700, 700],
  ]);
  expect(timesOf(told([body(...clusters)], relative))).toEqual([
    [0, 1_711_124_585_823],
    [700, 1_711_124_586_523],
  ]);
  expect(timesOf(told([coarse], relative))).toEqual([
    [0, 1_711_124_585_823],
    [7_000, 1_711_124_592_823],
  ]);
  expect(timesOf(told([fine]))).toEqual([
    [0, 0],
    [70, 70],
    [151, 150.5],
  ]);
});

test('tracks of any codec are taken, and frames that are none of their codec', () => {
  const radar = { number: 3, type: 33, codecId: 'X_RADAR/POINTS', codecPrivate: Buffer.from('any bytes') };
  const broken = { ...h264, codecPrivate: Uint8Array.of(0, 0, 0, 1, 0x67) };
  const annexB = Buffer.from('0000000165aabbccdd', 'hex');
  const frames = [
    { track: 1, relative: 0, isKey: true, payload: annexB },
    { track: 3, relative: 10, payload: Buffer.from('points') },
  ];

  const { error, fragments } = told([
    Buffer.concat([head([broken, radar]), cluster({ timecode: 0, frames }), cluster({ timecode: 100, frames })]),
  ]);

  expect(error).toBeUndefined();
  expect(fragments.map(({ frames: count, isKey }) => [count, isKey])).toEqual([
    [2, true],
    [2, true],
  ]);
});

const good = cluster(pictures({ timecode: 1_000, firstId: 1 }));
const manyTags = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`name${i}`, 'value']));
const oneFrame = (frame: object) =>
  cluster({
    timecode: 2_000,
    frames: [{ track: 1, relative: 0, isKey: true, payload: picture(9, { isKey: true }), ...frame }],
  });

test.each<[string, Buffer, string, number?]>([
  ['(48) eleven tags', body(good, tags(manyTags), oneFrame({})), 'too-many-tags', 2_000],
  ['(48) a long name', body(good, tags({ ['n'.repeat(129)]: '' }), oneFrame({})), 'too-many-tags', 2_000],
  ['(48) a long value', body(good, tags({ name: 'é'.repeat(129) }), oneFrame({})), 'too-many-tags', 2_000],
  ['(48) a name of AWS', body(good, tags({ AWS_MINE: '' }), oneFrame({})), 'too-many-tags', 2_000],
  ['(49) a frame of another track', body(good, oneFrame({ track: 5 })), 'undeclared-track'],
  ['(49) a track without a frame', Buffer.concat([head([h264, aac]), good, oneFrame({})]), 'track-missing'],
  [
    '(49) four tracks',
    Buffer.concat([head([1, 2, 3, 4].map((n) => ({ ...h264, number: n }))), good]),
    'too-many-tracks',
    1_000,
  ],
  ['(50) a second segment', body(good, openElement('18538067')), 'invalid-matroska'],
  ['(44, 50) a second document', body(good, ebmlHead()), 'invalid-matroska'],
  ['(50) tracks after a cluster', body(good, element('1654ae6b', trackEntry(h264))), 'invalid-matroska'],
  ['(50) no matroska', Buffer.from('GET / HTTP/1.1\r\nhost: example\r\n\r\n'), 'invalid-matroska'],
  ['(51) the same timecode', body(good, good), 'timecode-not-increasing', 1_000],
  ['(51) an earlier one', body(good, cluster(pictures({ timecode: 999, firstId: 1 }))), 'timecode-not-increasing', 999],
  ['(52) too many bytes', body(good, oneFrame({ payload: Buffer.alloc(100_001) })), 'fragment-too-large'],
  ['(52) too long', body(good, oneFrame({ relative: 20_001 })), 'fragment-too-long'],
  [
    '(37) a time in no calendar',
    body(good, cluster(pictures({ timecode: 2 ** 50, firstId: 1 }))),
    'invalid-producer-timestamp',
    2 ** 50,
  ],
  ['a body that ends inside a block', body(good, oneFrame({}).subarray(0, 60)), 'read-error'],
])('%s: what came before is kept', (_, bytes, error, about) => {
  const quotas = { ...putMediaQuotasDefault, fragmentBytesMax: 100_000 };

  const result = told([bytes], { quotas });

  expect(result).toMatchObject({ error, about });
  const isFirstBad = error === 'too-many-tracks' || error === 'track-missing' || bytes.indexOf(good) < 0;
  expect(result.calls.filter((call) => call === 'commit' || call === 'whole 1000')).toEqual(
    isFirstBad ? [] : expect.arrayContaining(['whole 1000']),
  );
});

test('(55) a fragment shorter than a second, and one of a single frame, are as good as any', () => {
  const { fragments } = told([body(oneFrame({}))]);

  expect(fragments).toMatchObject([{ frames: 1, isKey: true, durationMs: 40 }]);
});

test('(44) whatever bytes come, it is told the same in any pieces, and only errors are thrown', () => {
  const plain = body(...three.map((each, i) => fragment({ ...each, tags: { n: String(i) } })), endOfFragment);
  const edits = fc.array(fc.tuple(fc.nat(plain.length - 1), fc.nat(255)), { maxLength: 4 });
  const cuts = fc.array(fc.nat(plain.length), { maxLength: 6 });
  fc.assert(
    fc.property(edits, cuts, fc.nat(plain.length), (changes, at, length) => {
      const bytes = Buffer.from(plain.subarray(0, length + 1));
      for (const [index, value] of changes) if (index < bytes.length) bytes[index] = value;
      const bounds = [0, ...at.filter((each) => each < bytes.length).sort((a, b) => a - b), bytes.length];
      const pieces = bounds.slice(1).map((end, i) => bytes.subarray(bounds[i], end));

      expect(told(pieces)).toEqual(told([bytes]));
    }),
    { numRuns: 300 },
  );
});
