import fc from 'fast-check';
import { expect, test } from 'vitest';
import { forEachPacket, onChannel } from '../../../gateway/rtp/burst-writer.ts';
import { rtpFormatsOf } from '../../../gateway/rtp/format.ts';
import { RtpPacketiser } from '../../../gateway/rtp/packetiser.ts';
import { formatBye, formatSenderReport } from '../../../gateway/rtp/reports.ts';
import { TrackClock } from '../../../gateway/rtp/track-clock.ts';
import { AacDepacketiser } from '../../../gateway/rtsp/media/audio.ts';
import { H264Depacketiser } from '../../../gateway/rtsp/media/h264.ts';
import { H265Depacketiser } from '../../../gateway/rtsp/media/h265.ts';
import { parseRtcp } from '../../../gateway/rtsp/media/rtcp.ts';
import { u16, u32 } from '../../../storage/base/bytes.ts';
import {
  aacTrack,
  forEachNal,
  g711Track,
  h264Parameters,
  joinNals,
  opusTrack,
  videoTrack,
} from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import { pps, slice, sps } from '../rtsp/packets.ts';

const h264 = videoTrack(1, h264Parameters(sps, [pps]));
const h265: Track = { ...h264, codec: 'h265', codecId: 'V_MPEGH/ISO/HEVC', codecPrivate: new Uint8Array() };
const aac = aacTrack(2, Uint8Array.of(0x11, 0x90));

function packetiserOf(track: Track): RtpPacketiser {
  const [format] = rtpFormatsOf([track]);
  if (format === undefined) throw new Error('no format');
  return new RtpPacketiser(format, {
    packetBytesMax: 1_400,
    hasDelimiters: true,
    channel: 0,
    ssrc: 0x12345678,
    firstSequence: 65_530,
  });
}

/** Head and payload of each packet of a burst. */
function packetsIn(burst: Uint8Array) {
  const packets: { marker: boolean; type: number; sequence: number; time: number; payload: Uint8Array }[] = [];
  forEachPacket(burst, (begin, end) => {
    packets.push({
      marker: ((burst[begin + 1] ?? 0) & 0x80) !== 0,
      type: (burst[begin + 1] ?? 0) & 0x7f,
      sequence: u16(burst, begin + 2),
      time: u32(burst, begin + 4),
      payload: burst.subarray(begin + 12, end),
    });
  });
  return packets;
}

function nalsIn(unit: Uint8Array): string[] {
  const nals: string[] = [];
  forEachNal(unit, (bytes, begin, end) => nals.push(Buffer.from(bytes.subarray(begin, end)).toString('hex')));
  return nals;
}

/** What our own client makes of the packets. */
function received(codec: 'h264' | 'h265', bursts: readonly Uint8Array[]): { nals: string[]; oddities: string[] } {
  const nals: string[] = [];
  const oddities: string[] = [];
  const handler = {
    picture: (bytes: Uint8Array) => nals.push(...nalsIn(bytes)),
    parameterSet: () => {},
    damaged: () => oddities.push('damaged'),
    oddity: (text: string) => oddities.push(text),
  };
  const depacketiser =
    codec === 'h264' ? new H264Depacketiser(handler) : new H265Depacketiser(handler, { hasDonl: false });
  for (const burst of bursts) {
    for (const { payload, time, marker } of packetsIn(burst)) {
      depacketiser.payload(payload, 0, payload.length, time, marker);
    }
  }
  // The next picture ends the last one.
  const next = codec === 'h264' ? slice() : Uint8Array.of(2, 1, 0x80, 0x55);
  depacketiser.payload(next, 0, next.length, 1, false);
  return { nals, oddities };
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test('pictures of any size come out of our own client as they went in', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 2, max: 6_000 }), { minLength: 1, maxLength: 5 }), (sizes) => {
      const nals = sizes.map((bytes, at) => slice({ isFirst: at === 0, bytes }));
      const { bytes } = packetiserOf(h264).burst({ bytes: joinNals(nals), isKey: false }, 900);

      expect(received('h264', [bytes])).toEqual({ nals: nals.map(hex), oddities: [] });
    }),
  );
});

test('H.265 pictures are cut and joined by the rules of their own', () => {
  for (const size of [3, 1_388, 1_389, 1_390, 5_000]) {
    const nal = new Uint8Array(size).fill(0x55);
    nal.set([0x02, 0x01, 0x80]);

    const { bytes } = packetiserOf(h265).burst({ bytes: joinNals([nal]), isKey: false }, 900);

    expect(received('h265', [bytes])).toEqual({ nals: [hex(nal)], oddities: [] });
  }
});

test('no packet is larger than what passes, the last one has the marker, and numbers wrap', () => {
  const burst = packetiserOf(h264).burst(
    { bytes: joinNals([slice({ bytes: 10_000 }), slice({ isFirst: false, bytes: 900 })]), isKey: false },
    2 ** 32 - 1,
  );
  const packets = packetsIn(burst.bytes);

  expect(Math.max(...packets.map(({ payload }) => payload.length))).toBe(1_388);
  expect(packets.map(({ marker }) => marker)).toEqual([...new Array(packets.length - 1).fill(false), true]);
  expect(packets.map(({ sequence }) => sequence)).toEqual([65_530, 65_531, 65_532, 65_533, 65_534, 65_535, 0, 1, 2]);
  expect(new Set(packets.map(({ time }) => time))).toEqual(new Set([2 ** 32 - 1]));
  expect(burst).toMatchObject({ packets: 9, firstSequence: 65_530 });
});

test('a key picture brings its parameter sets, once, behind the delimiter', () => {
  const delimiter = Uint8Array.of(9, 0xf0);
  const key = slice({ isKey: true });
  const bare = packetiserOf(h264).burst({ bytes: joinNals([delimiter, key]), isKey: true }, 0);
  const own = packetiserOf(h264).burst({ bytes: joinNals([sps, pps, key]), isKey: true }, 0);
  const payloads = (burst: Uint8Array) => packetsIn(burst).map(({ payload }) => hex(payload));

  expect(payloads(bare.bytes)).toEqual([delimiter, sps, pps, key].map(hex));
  expect(payloads(own.bytes)).toEqual([sps, pps, key].map(hex));
});

test('sound comes out of our own client as it went in, a frame larger than a packet too', () => {
  const frames = [7, 300, 1_384, 1_385, 6_000].map((size) => new Uint8Array(size).fill(size));
  const seen: string[] = [];
  const depacketiser = new AacDepacketiser(
    { frame: (bytes) => seen.push(hex(bytes)), damaged: () => seen.push('damaged'), oddity: (text) => seen.push(text) },
    { sizeBits: 13, indexBits: 3, indexDeltaBits: 3, constantSize: 0, ticksPerFrame: 1024 },
  );
  const packetiser = packetiserOf(aac);

  for (const [at, frame] of frames.entries()) {
    for (const { payload } of packetsIn(packetiser.burst({ bytes: frame, isKey: true }, at).bytes)) {
      depacketiser.payload(payload, 0, payload.length, at);
    }
  }

  expect(seen).toEqual(frames.map(hex));
  expect(() => packetiser.burst({ bytes: new Uint8Array(8_192), isKey: true }, 0)).toThrow('larger than its format');
});

test('G.711 is cut between samples, with a time of its own for each piece', () => {
  const track = g711Track(2, { law: 'pcma', samplingFrequencyHz: 8_000, channels: 1 });
  const packets = packetsIn(packetiserOf(track).burst({ bytes: new Uint8Array(3_000), isKey: true }, 100).bytes);

  expect(packets.map(({ time, payload }) => [time, payload.length])).toEqual([
    [100, 1_388],
    [1_488, 1_388],
    [2_876, 224],
  ]);
  expect(packets[0]?.type).toBe(8);
});

test('what a description says of each codec', () => {
  const tracks = [
    opusTrack(2, { channels: 2 }),
    h264,
    aac,
    g711Track(2, { law: 'pcmu', samplingFrequencyHz: 16_000, channels: 2 }),
  ];
  const formats = rtpFormatsOf(tracks);

  expect(formats.map(({ payloadType, map }) => `${payloadType} ${map}`)).toEqual([
    '96 H264/90000',
    '97 opus/48000/2',
    '97 mpeg4-generic/48000/2',
    '97 PCMU/16000/2',
  ]);
  expect(formats[0]?.parameters).toContain('profile-level-id=42c01e');
  expect(formats[2]?.parameters).toContain('config=1190');
});

test('broken units are refused, not sent', () => {
  const packetiser = packetiserOf(h264);

  for (const bytes of [new Uint8Array(), Uint8Array.of(0, 0, 0, 9, 1), new Uint8Array(4)]) {
    expect(() => packetiser.burst({ bytes, isKey: true }, 0)).toThrow();
  }
  expect(packetiser.nextSequence).toBe(65_530);
});

test('another channel is a copy: the shared bytes stay as they are', () => {
  const { bytes } = packetiserOf(h264).burst({ bytes: joinNals([slice({ bytes: 4_000 })]), isKey: false }, 0);
  const before = hex(bytes);
  const copy = onChannel(bytes, 6);
  const channels = new Set<number | undefined>();
  forEachPacket(copy, (begin) => channels.add(copy[begin - 3]));

  expect(hex(bytes)).toBe(before);
  expect(channels).toEqual(new Set([6]));
});

test('sound keeps its own rhythm over times rounded to milliseconds, and follows a jump', () => {
  const [format] = rtpFormatsOf([aac]);
  if (format === undefined) throw new Error('no format');
  const clock = new TrackClock(format, { firstTime: 2 ** 32 - 10 });
  const frame = new Uint8Array(10);
  const times = Array.from({ length: 200 }, (_, i) => clock.next(Math.round((i * 1024) / 48) * 1000, frame));
  const steps = times.slice(1).map((time, i) => (time - (times[i] ?? 0) + 2 ** 32) % 2 ** 32);

  expect(times[0]).toBe(2 ** 32 - 10);
  expect(Math.max(...steps.map((step) => Math.abs(step - 1024)))).toBeLessThanOrEqual(4);
  expect(clock.next(60_000_000, frame)).toBe((2 ** 32 - 10 + 60 * 48_000) % 2 ** 32);
});

test('our own client reads what sender reports tell', () => {
  const told: unknown[] = [];
  const handler = {
    senderReport: (source: number, ntpMs: number, rtpTime: number) => told.push([source, Math.round(ntpMs), rtpTime]),
    bye: (source: number) => told.push(['bye', source]),
  };
  const wallMs = Date.UTC(2026, 10, 21, 17, 30, 0, 125);
  const report = { ssrc: 0x89abcdef, wallMs, rtpTime: 4_000_000_000, packets: 7, payloadBytes: 2 ** 33 + 5 };

  for (const bytes of [formatSenderReport(report), formatBye(report.ssrc)]) parseRtcp(bytes, 0, bytes.length, handler);

  const said = [0x89abcdef, wallMs, 4_000_000_000];
  expect(told).toEqual([said, ['bye', 0x89abcdef]]);
});

test('a unit in thousands of pieces is refused before each becomes a packet', () => {
  const piece = Uint8Array.of(0x41, 0x9a);
  const unit = (pieces: number) => ({ bytes: joinNals(Array<Uint8Array>(pieces).fill(piece)), isKey: false });

  expect(packetsIn(packetiserOf(h264).burst(unit(1_024), 0).bytes).length).toBe(1_024);
  expect(() => packetiserOf(h264).burst(unit(1_025), 0)).toThrow('too many nal units');
});
