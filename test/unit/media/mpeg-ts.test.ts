import { describe, expect, test } from 'vitest';
import {
  aacTrack,
  type Fmp4Sample,
  h264Parameters,
  joinNals,
  tsSegment,
  videoTrack,
} from '../../../storage/media/index.ts';

const sps = Buffer.from('6742c01ed900a0047fe7011000003e90000bb800f162e480', 'hex');
const pps = Buffer.from('68cb83cb20', 'hex');
const video = videoTrack(1, h264Parameters(sps, [pps]));
const audio = aacTrack(2, Uint8Array.of(0x11, 0x88));
const packetBytes = 188;

/** Pictures 40 ms apart in decode order; `order` says which one is shown when. */
function pictures(order: readonly number[], bytes = 1_000): Fmp4Sample[] {
  return order.map((shown, at) => ({
    presentationTimeUs: shown * 40_000,
    isKey: at === 0,
    bytes: joinNals([Uint8Array.of(at === 0 ? 0x65 : 0x41, ...new Uint8Array(bytes).fill(at + 1))]),
  }));
}

function sound(frames: number): Fmp4Sample[] {
  return Array.from({ length: frames }, (_, at) => ({
    presentationTimeUs: (at * 1_024 * 1e6) / 48_000,
    isKey: true,
    bytes: new Uint8Array(100).fill(at),
  }));
}

type Packet = { pid: number; isStart: boolean; counter: number; clock: number | undefined; payload: Uint8Array };

/** Reads what ISO/IEC 13818-1 2.4.3.2 says. */
function packetsOf(bytes: Uint8Array): Packet[] {
  expect(bytes.length % packetBytes).toBe(0);
  return Array.from({ length: bytes.length / packetBytes }, (_, index) => {
    const packet = Buffer.from(bytes.subarray(index * packetBytes, (index + 1) * packetBytes));
    expect(packet[0]).toBe(0x47);
    const flags = packet[3] ?? 0;
    const fieldBytes = flags & 0x20 ? 1 + (packet[4] ?? 0) : 0;
    const hasClock = fieldBytes > 1 && ((packet[5] ?? 0) & 0x10) !== 0;
    expect(flags & 0x10).toBe(0x10);
    expect(fieldBytes).toBeLessThan(184);
    return {
      pid: packet.readUInt16BE(1) & 0x1fff,
      isStart: ((packet[1] ?? 0) & 0x40) !== 0,
      counter: flags & 0x0f,
      clock: hasClock ? packet.readUInt32BE(6) * 2 + ((packet[10] ?? 0) >> 7) : undefined,
      payload: packet.subarray(4 + fieldBytes),
    };
  });
}

function unitsOf(packets: readonly Packet[], pid: number): Buffer[] {
  const units: Buffer[] = [];
  for (const packet of packets.filter((one) => one.pid === pid)) {
    if (packet.isStart) units.push(Buffer.from(packet.payload));
    else units.push(Buffer.concat([units.pop() ?? Buffer.alloc(0), packet.payload]));
  }
  return units;
}

/** PTS and DTS, 90 kHz. */
function timesOf(unit: Buffer): { presentation: number; decode: number } {
  const read = (at: number) =>
    (((unit[at] ?? 0) >> 1) & 7) * 2 ** 30 +
    (unit.readUInt16BE(at + 1) >> 1) * 2 ** 15 +
    (unit.readUInt16BE(at + 3) >> 1);
  const presentation = read(9);
  return { presentation, decode: (unit[7] ?? 0) & 0x40 ? read(14) : presentation };
}

describe('a transport stream segment', () => {
  const segment = (bytes = 1_000) =>
    tsSegment({
      tracks: [
        { track: video, samples: pictures([0, 2, 1, 4, 3], bytes) },
        { track: audio, samples: sound(9) },
      ],
      timeOffsetUs: 10_000_000,
    });

  test.each([0, 1, 100, 1_000, 70_000])(
    'has packets of each PID in multiples of 16, counted without a break from any segment to any other (%i bytes)',
    (bytes) => {
      const packets = packetsOf(Buffer.concat([segment(bytes), segment(bytes), segment(1_000)]));

      for (const pid of [0, 0x1000, 0x100, 0x101]) {
        const counters = packets.filter((packet) => packet.pid === pid).map(({ counter }) => counter);
        expect(counters.length).toBeGreaterThan(0);
        expect(counters).toEqual(counters.map((_, at) => at % 16));
      }
    },
  );

  test('decodes each picture no later than it is shown, in ascending order, behind its clock', () => {
    const packets = packetsOf(segment());
    const times = unitsOf(packets, 0x100).map(timesOf);
    const clocks = packets.flatMap(({ clock }) => (clock === undefined ? [] : [clock]));

    expect(times.map(({ presentation }) => presentation - 900_000)).toEqual([0, 7_200, 3_600, 14_400, 10_800]);
    expect(times.map(({ decode }) => decode - 900_000)).toEqual([-3_600, 0, 3_600, 7_200, 10_800]);
    expect(clocks).toEqual(times.map(({ decode }) => decode - 45_000));
  });

  test('has a delimiter in each picture, and parameter sets where decoding begins', () => {
    const [key, next] = unitsOf(packetsOf(segment()), 0x100);
    const startCode = Buffer.of(0, 0, 0, 1).toString('latin1');
    const types = (unit: Buffer | undefined) => {
      const [, ...nals] = unit?.toString('latin1').split(startCode) ?? [];
      return nals.map((nal) => nal.charCodeAt(0) & 0x1f);
    };

    expect(types(key)).toEqual([9, 7, 8, 5]);
    expect(types(next)).toEqual([9, 1]);
  });

  test('has sound in frames that tell their own length', () => {
    const sounds = unitsOf(packetsOf(segment()), 0x101);
    const frames = sounds.flatMap((unit) => {
      const found: number[] = [];
      let at = 9 + (unit[8] ?? 0);
      while (at < unit.length) {
        expect(unit.readUInt16BE(at) & 0xfff6).toBe(0xfff0);
        const length = ((unit.readUInt32BE(at + 2) >>> 5) & 0x1fff) >>> 0;
        found.push(length);
        at += length;
      }
      return found;
    });

    expect(frames).toEqual(Array(9).fill(107));
    expect(sounds.map((unit) => unit.readUInt16BE(4))).toEqual(sounds.map((unit) => unit.length - 6));
  });

  test('of sound alone has its clock there, every 100 ms', () => {
    const packets = packetsOf(tsSegment({ tracks: [{ track: audio, samples: sound(94) }], timeOffsetUs: 10_000_000 }));
    const clocks = packets.flatMap(({ pid, clock }) => (clock === undefined ? [] : [{ pid, clock }]));

    expect(clocks.every(({ pid }) => pid === 0x101)).toBe(true);
    clocks.slice(1).forEach(({ clock }, at) => {
      expect(clock - (clocks[at]?.clock ?? 0)).toBeLessThanOrEqual(9_000);
    });
  });

  test('goes over the end of its 33 bits', () => {
    const make = (offsetMs: number) =>
      unitsOf(
        packetsOf(tsSegment({ tracks: [{ track: video, samples: pictures([0]) }], timeOffsetUs: offsetMs * 1_000 })),
        0x100,
      ).map(timesOf)[0]?.presentation;

    expect(make(Math.floor(2 ** 33 / 90) + 1_000)).toBeLessThan(90_000);
  });

  test('carries neither H.265 nor Opus', () => {
    const track = { ...video, codec: 'h265' } as const;

    expect(() => tsSegment({ tracks: [{ track, samples: pictures([0]) }], timeOffsetUs: 0 })).toThrow(
      expect.objectContaining({ code: 'unimplemented' }),
    );
  });
});
