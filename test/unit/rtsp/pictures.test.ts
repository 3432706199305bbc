import { expect, test } from 'vitest';
import { H264Depacketiser } from '../../../gateway/rtsp/media/h264.ts';
import { H265Depacketiser } from '../../../gateway/rtsp/media/h265.ts';
import { forEachNal } from '../../../storage/media/index.ts';
import { aggregate, fragments, pps, slice, sps } from './packets.ts';

type Picture = {
  readonly time: number;
  readonly nals: readonly string[];
  readonly key: string;
  readonly isAfterLoss: boolean;
};

function collector() {
  const pictures: Picture[] = [];
  const oddities: string[] = [];
  const sets: number[] = [];
  let damaged = 0;
  return {
    pictures,
    oddities,
    sets,
    get damagedCount() {
      return damaged;
    },
    handler: {
      picture(bytes: Uint8Array, time: number, key: 'key' | 'perhaps' | 'no', isAfterLoss: boolean) {
        const nals: string[] = [];
        forEachNal(bytes, (all, begin, end) => nals.push(Buffer.from(all.subarray(begin, end)).toString('hex')));
        pictures.push({ time, nals, key, isAfterLoss });
      },
      parameterSet: (nal: Uint8Array) => sets.push(nal[0] ?? 0),
      damaged: () => {
        damaged++;
      },
      oddity: (text: string) => oddities.push(text),
    },
  };
}

function h264() {
  const seen = collector();
  const depacketiser = new H264Depacketiser(seen.handler);
  const send = (time: number, marker: boolean, ...payloads: readonly Uint8Array[]) => {
    payloads.forEach((payload, index) => {
      const isLast = index === payloads.length - 1;
      depacketiser.payload(payload, 0, payload.length, time, marker && isLast);
    });
  };
  return Object.assign(seen, { send, depacketiser, finish: () => depacketiser.pictures.flush() });
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const key = slice({ isKey: true });
const inter = slice();
const second = slice({ isFirst: false, fill: 0x66 });
const delimiter = Uint8Array.of(0x09, 0xf0);
/** A message of the camera's own, then a recovery point. */
const sei = Uint8Array.of(0x06, 0x05, 0x04, 0x11, 0x22, 0x33, 0x44, 0x06, 0x01, 0xc0, 0x80);
const plainSei = Uint8Array.of(0x06, 0x05, 0x04, 0x06, 0x22, 0x33, 0x44, 0x80);

/** Pictures with right markers until the marker is trusted. */
function warmUp(it: ReturnType<typeof h264>, count = 12): number {
  for (let i = 0; i < count; i++) it.send(1_000 + i * 3_600, true, i === 0 ? key : inter);
  it.pictures.length = 0;
  return 1_000 + count * 3_600;
}

test('single units, STAP-A and FU-A of one timestamp are one picture', () => {
  const it = h264();
  const large = slice({ isKey: true, bytes: 5_000 });

  it.send(1, false, aggregate(24, [sps, pps]));
  it.send(1, true, ...fragments(large, 1_200));
  it.send(2, true, inter);
  it.finish();

  expect(it.pictures.map(({ time, nals, key }) => [time, nals, key])).toEqual([
    [1, [hex(sps), hex(pps), hex(large)], 'key'],
    [2, [hex(inter)], 'no'],
  ]);
  expect(it.sets).toEqual([sps[0], pps[0]]);
});

test('a trusted marker ends the picture at once, a missing one with the next timestamp', () => {
  const it = h264();
  const next = warmUp(it);

  it.send(next, true, inter);
  expect(it.pictures.map(({ time }) => time)).toEqual([next]);
  it.send(next + 3_600, false, inter);
  it.send(next + 7_200, false, inter);
  it.send(next + 10_800, true, inter);

  expect(it.pictures.map(({ time }) => time)).toEqual([next, next + 3_600, next + 7_200]);
});

test('markers on every slice are seen through before they do harm', () => {
  const it = h264();

  for (let i = 0; i < 20; i++) {
    it.send(i, true, i === 0 ? key : inter);
    it.send(i, true, second);
  }
  it.finish();

  expect(it.pictures).toHaveLength(20);
  expect(it.pictures.every(({ nals }) => nals.length === 2)).toBe(true);
  expect(it.oddities).toEqual(['the camera marks the end of a picture before it is over']);
});

test('a marker that lies after it was trusted costs one picture, not the rest', () => {
  const it = h264();
  const next = warmUp(it);

  for (let i = 0; i < 5; i++) {
    it.send(next + i, true, inter);
    it.send(next + i, true, second);
  }
  it.finish();

  expect(it.damagedCount).toBe(1);
  expect(it.pictures.slice(-4).every(({ nals }) => nals.length === 2)).toBe(true);
});

test('reolink rlc-822a: parameter sets with the time of the picture before go to the picture they precede', () => {
  const it = h264();
  const play = (time: number) => {
    it.send(time, true, inter);
    it.send(time, true, sps);
    it.send(time, false, pps);
    it.send(time + 10, true, key);
  };

  it.send(1, true, sps);
  it.send(1, false, pps);
  it.send(2, true, key);
  for (let i = 0; i < 12; i++) play(100 * (i + 1));
  it.finish();

  expect(it.pictures).toHaveLength(25);
  for (const picture of it.pictures) expect(picture.nals.length).toBe(picture.key === 'key' ? 3 : 1);
  expect(it.damagedCount).toBe(0);
});

test('gstreamer: parameter sets between the slices of one picture do not cut it', () => {
  const it = h264();

  it.send(1, true, sps, pps, key, sps, pps, slice({ isKey: true, isFirst: false }));
  it.send(2, true, inter);
  it.finish();

  expect(it.pictures.map(({ nals }) => nals.length)).toEqual([4, 1]);
});

test('pictures that repeat a timestamp are told apart by their first slice', () => {
  const it = h264();

  it.send(5, false, key, second, inter, second, delimiter, inter);
  it.finish();

  expect(it.pictures.map(({ nals }) => nals.length)).toEqual([2, 2, 2]);
});

test('both fields of an interlaced frame stay together', () => {
  const it = h264();
  it.depacketiser.pictures.isInterlaced = true;

  it.send(5, true, key, inter);
  it.send(6, true, inter, inter);
  it.finish();

  expect(it.pictures.map(({ nals }) => nals.length)).toEqual([2, 2]);
});

test('delimiters and SEI begin a picture, filler is left out', () => {
  const it = h264();
  const filler = new Uint8Array(500).fill(0xff);
  filler[0] = 12;

  it.send(1, false, delimiter, sei, key, filler, delimiter, sei, inter, plainSei, inter);
  it.finish();

  expect(it.pictures.map(({ nals, key }) => [nals.length, key])).toEqual([
    [3, 'key'],
    [3, 'perhaps'],
    [2, 'no'],
  ]);
});

test.each([
  ['a whole access unit with start codes in one unit', [sps, pps, key]],
  ['a picture of slices with start codes between them', [key, slice({ isKey: true, isFirst: false })]],
])('%s is taken apart, whole and in fragments', (_name, nals) => {
  const joined = Buffer.concat(nals.flatMap((nal, index) => (index === 0 ? [nal] : [Uint8Array.of(0, 0, 0, 1), nal])));
  for (const payloads of [[joined], fragments(joined, 11), [Buffer.concat([Uint8Array.of(0, 0, 0, 1), joined])]]) {
    const it = h264();

    it.send(1, true, ...payloads);
    it.send(2, true, inter);
    it.finish();

    expect(it.pictures.map((picture) => picture.nals)).toEqual([nals.map(hex), [hex(inter)]]);
    expect(it.pictures[0]?.key).toBe('key');
  }
});

test('a gap inside a picture costs that picture, the next one says so and is whole', () => {
  const it = h264();
  const next = warmUp(it);
  const pieces = fragments(slice({ bytes: 4_000 }), 1_000);

  it.send(next, false, ...pieces.slice(0, 2));
  it.depacketiser.pictures.gap();
  it.send(next, true, ...pieces.slice(3));
  it.send(next + 1, true, inter);
  it.send(next + 2, true, inter);

  expect(it.damagedCount).toBeGreaterThan(0);
  const after = it.pictures.filter(({ time }) => time >= next);
  expect(after.map(({ time, isAfterLoss }) => [time, isAfterLoss])).toEqual([
    [next + 1, true],
    [next + 2, false],
  ]);
});

test('a gap between marked pictures costs neither of them', () => {
  const it = h264();

  it.send(1, true, key);
  it.depacketiser.pictures.gap();
  it.send(3, true, inter);
  it.finish();

  expect(it.pictures.map(({ time, isAfterLoss }) => [time, isAfterLoss])).toEqual([
    [1, false],
    [3, true],
  ]);
  expect(it.damagedCount).toBe(0);
});

test('a picture whose first slice was lost is left out', () => {
  const it = h264();

  it.send(1, true, key);
  it.depacketiser.pictures.gap();
  it.send(2, true, second);
  it.send(3, true, inter);
  it.finish();

  expect(it.pictures.map(({ time }) => time)).toEqual([1, 3]);
});

test('a unit of interleaved mode and an aggregate beyond its packet are refused without harm', () => {
  const it = h264();
  const broken = aggregate(24, [sps]);

  it.send(
    1,
    false,
    Uint8Array.of(25, 0, 0, 0, 4, 1, 2, 3, 4),
    Uint8Array.of(29, 0x85, 0, 0, 1),
    broken.subarray(0, 12),
    key,
  );
  it.finish();

  expect(it.pictures.map(({ nals }) => nals)).toEqual([[hex(key)]]);
  expect(it.oddities).toHaveLength(3);
});

test('memory is bounded when a picture never ends', () => {
  const it = h264();
  const chunk = new Uint8Array(60_000).fill(0x77);
  chunk[0] = 28;
  chunk[1] = 1;

  it.send(1, false, Uint8Array.of(28, 0x81, 0x88, 1));
  for (let i = 0; i < 400; i++) it.send(1, false, chunk);
  it.send(2, true, key);
  it.send(3, true, inter);

  expect(it.pictures.map(({ time }) => time)).toEqual([2]);
  expect(it.damagedCount).toBe(1);
});

test.each([false, true])('h265: single units, aggregates and fragments, decoding order numbers %s', (hasDonl) => {
  const seen = collector();
  const depacketiser = new H265Depacketiser(seen.handler, { hasDonl });
  const donl = hasDonl ? [0, 7] : [];
  const vps = Uint8Array.of(0x40, 1, 0x0c, 1);
  const spsNal = Uint8Array.of(0x42, 1, 1, 1, 0x60);
  const picture = new Uint8Array(50).fill(0x55);
  picture.set([0x26, 1, 0xaf]);
  const trailing = Uint8Array.of(0x02, 1, 0xd0, 5, 6, 7);
  const head = [0x60, 1, ...donl];
  const units = [vps, spsNal].map((nal) => [nal.length >> 8, nal.length, ...nal]);
  const ap = Uint8Array.from([...head, ...(units[0] ?? []), ...(hasDonl ? [0] : []), ...(units[1] ?? [])]);
  const fu = (flags: number, bytes: Uint8Array) =>
    Uint8Array.from([0x62, 1, flags | 19, ...(flags & 0x80 ? donl : []), ...bytes]);
  const send = (payload: Uint8Array, time: number, marker: boolean) =>
    depacketiser.payload(payload, 0, payload.length, time, marker);

  send(ap, 1, false);
  send(fu(0x80, picture.subarray(2, 20)), 1, false);
  send(fu(0, picture.subarray(20, 40)), 1, false);
  send(fu(0x40, picture.subarray(40)), 1, true);
  send(Uint8Array.from([0x02, 1, ...donl, ...trailing.subarray(2)]), 2, true);
  depacketiser.pictures.flush();

  expect(seen.pictures.map(({ nals, key }) => [nals, key])).toEqual([
    [[hex(vps), hex(spsNal), hex(picture)], 'key'],
    [[hex(trailing)], 'no'],
  ]);
});

test('a unit of a million start codes is at most 512 pictures and costs little', () => {
  const it = h264();
  const unit = new Uint8Array(15_000_000);
  for (let at = 0; at + 5 <= unit.length; at += 5) unit.set([0x41, 0x88, 0, 0, 1], at);

  it.send(1, false, ...fragments(unit, 60_000));
  it.send(2, true, inter);
  it.send(3, true, inter);
  it.finish();

  expect(it.pictures.filter(({ time }) => time === 1)).toHaveLength(511);
  expect(it.damagedCount).toBe(1);
  expect(it.pictures.filter(({ time }) => time > 1).map(({ isAfterLoss }) => isAfterLoss)).toEqual([true, false]);
  expect(it.oddities).toContain('the camera puts more units into one than a picture has, and the rest is left out');
});

test.each([
  ['H.264', 24, (seen: ReturnType<typeof collector>) => new H264Depacketiser(seen.handler), [0x41, 0x88]],
  [
    'H.265',
    48,
    (seen: ReturnType<typeof collector>) => new H265Depacketiser(seen.handler, { hasDonl: false }),
    [0x02, 0x01, 0x80],
  ],
] as const)('an aggregation packet of %s holds at most 512 units', (_, type, create, nal) => {
  const seen = collector();
  const depacketiser = create(seen);
  const nals = Array.from({ length: 10_000 }, () => Uint8Array.from(nal));
  const packet = aggregate(type, nals);

  depacketiser.payload(packet, 0, packet.length, 1, false);
  depacketiser.pictures.flush();

  expect(seen.pictures).toHaveLength(511);
  expect(seen.damagedCount).toBe(1);
});
