import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Delivery } from '../../../gateway/rtsp/delivery.ts';
import { AacDepacketiser } from '../../../gateway/rtsp/media/audio.ts';
import { BitCursor } from '../../../gateway/rtsp/media/bits.ts';
import { type ChosenMedia, chooseMedia, clockRateOf } from '../../../gateway/rtsp/media/formats.ts';
import { H264Depacketiser } from '../../../gateway/rtsp/media/h264.ts';
import { H265Depacketiser } from '../../../gateway/rtsp/media/h265.ts';
import { LatmDepacketiser, parseStreamMuxConfig } from '../../../gateway/rtsp/media/latm.ts';
import { parseRtcp } from '../../../gateway/rtsp/media/rtcp.ts';
import { MediaTimeline } from '../../../gateway/rtsp/media/timeline.ts';
import type { SourceSink } from '../../../gateway/rtsp/source.ts';
import { Framer } from '../../../gateway/rtsp/wire/framer.ts';
import { parseRtpInfo, parseSession, parseTransport } from '../../../gateway/rtsp/wire/headers.ts';
import { Login } from '../../../gateway/rtsp/wire/login.ts';
import { isResponse, parseMessage } from '../../../gateway/rtsp/wire/message.ts';
import { parseSdp } from '../../../gateway/rtsp/wire/sdp.ts';
import { aggregateCandidates, baseUrl, controlCandidates, parseRtspUrl } from '../../../gateway/rtsp/wire/url.ts';
import { forEachNal } from '../../../storage/media/index.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { aggregate, countedRandom, fragments, interleaved, pps, rtp, senderReport, slice, sps } from './packets.ts';

/** Pieces of what servers say, glued together at random: gets deeper than random letters. */
const words = fc.constantFrom(
  'RTSP/1.0 200 OK',
  'RTSP/1.0 401 ',
  'CSeq: 1',
  'Content-Length: ',
  '99999999',
  '-1',
  '5',
  'Session: ',
  ';timeout=',
  'Transport: ',
  'RTP/AVP/TCP;',
  'interleaved=',
  '0-1',
  '\r\n',
  '\n',
  '\r\n\r\n',
  ' ',
  ':',
  ';',
  ',',
  '=',
  '"',
  '$',
  '\0',
  'm=video 0 RTP/AVP 96',
  'm=audio ',
  'a=rtpmap:96 ',
  'H264/90000',
  'H265',
  '/0',
  'a=fmtp:96 ',
  'sprop-parameter-sets=',
  'Z0LAHtoCgL/lwFqDAwNSgAAAAwCAAAAZR4sXUA==,aM48gA==',
  'config=',
  '1408',
  'sizelength=',
  'a=control:',
  '*',
  'rtsp://',
  '[::1]',
  'Digest ',
  'realm="',
  'nonce=',
  'url=',
  'rtptime=',
  'v=0',
);
const talk = fc
  .array(fc.oneof({ weight: 5, arbitrary: words }, fc.string({ maxLength: 6 })), { maxLength: 60 })
  .map((parts) => parts.join(''));

/** Bytes that look like media often enough. */
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.constantFrom(
    sps,
    pps,
    slice({ isKey: true }),
    slice(),
    slice({ isFirst: false }),
    aggregate(24, [sps, pps]),
    ...fragments(slice({ bytes: 90 }), 30),
  ),
  fc
    .tuple(fc.constantFrom(0x1c, 0x18, 0x7c, 0x62, 0x60, 0x67, 0x42, 0x19), fc.uint8Array({ maxLength: 40 }))
    .map(([first, rest]) => Uint8Array.of(first, ...rest)),
  fc.uint8Array({ maxLength: 20 }).map((rest) => Uint8Array.from([0, 0, 0, 1, 0x67, ...rest, 0, 0, 1, 0x65, 0x88])),
);
const step = fc.record({ payload, time: fc.integer({ min: 0, max: 6 }), marker: fc.boolean(), gap: fc.boolean() });
const runs = { numRuns: 400 } as const;

test('descriptions, headers and urls of any text are read without an exception', () => {
  fc.assert(
    fc.property(talk, (text) => {
      const description = parseSdp(text);
      expect(description.medias.length).toBeLessThanOrEqual(32);
      for (const chosen of chooseMedia(description).chosen) expect(clockRateOf(chosen)).toBeGreaterThan(0);
      parseSession(text);
      parseTransport(text);
      expect(parseRtpInfo(text).length).toBeLessThanOrEqual(32);
      const request = { scheme: 'rtsp', host: 'h', port: 554, path: '/a' } as const;
      const base = baseUrl(request, { contentBase: text, contentLocation: undefined });
      for (const candidate of [...controlCandidates(base, text), ...aggregateCandidates(request, base, text)])
        parseRtspUrl(candidate);
      const message = parseMessage(text, text);
      if (message !== undefined && isResponse(message)) expect(message.status).toBeGreaterThanOrEqual(0);
      const login = new Login(
        { random: countedRandom() },
        { credentials: { username: 'u', password: 'p' }, isBasicAllowed: true },
      );
      login.challenged([text], false);
      login.authorization('PLAY', 'rtsp://h');
    }),
    runs,
  );
});

test('the framer takes any bytes in any pieces, with bounded memory, and always the same way', () => {
  const part = fc.oneof(
    talk.map((text) => Buffer.from(text, 'latin1')),
    fc.uint8Array({ maxLength: 100 }),
    payload.map((bytes) => interleaved(0, rtp({ sequence: 1, time: 1, payload: bytes }))),
  );
  const record = () => {
    const events: string[] = [];
    const framer = new Framer({
      packet: (channel, bytes, begin, end) =>
        events.push(`${channel}:${Buffer.from(bytes.subarray(begin, end)).toString('hex')}`),
      message: (head, body) => events.push(`${head}|${body}`),
      isChannel: (channel) => channel < 2,
      garbage: () => {},
      lost: () => {},
    });
    return { events, framer };
  };
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 20 }),
      (parts, sizes) => {
        const bytes = Buffer.concat(parts);
        const pieces = record();
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = Math.min(sizes[i % sizes.length] ?? 1, bytes.length - at);
          pieces.framer.push(Uint8Array.from(bytes.subarray(at, at + size)), size);
          at += size;
        }
        pieces.framer.flush();
        expect(pieces.events.join('').length).toBeLessThan(200_000);
      },
    ),
    runs,
  );
});

test('well-formed streams are framed the same however they are cut', () => {
  const unit = fc.oneof(
    payload.map((bytes) => interleaved(0, rtp({ sequence: 1, time: 1, payload: bytes }))),
    fc
      .uint8Array({ maxLength: 30 })
      .map((body) =>
        Buffer.concat([Buffer.from(`RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: ${body.length}\r\n\r\n`), body]),
      ),
  );
  const record = (bytes: Uint8Array, sizes: readonly number[]) => {
    const events: string[] = [];
    const framer = new Framer({
      packet: (_channel, all, begin, end) => events.push(Buffer.from(all.subarray(begin, end)).toString('hex')),
      message: (head, body) => events.push(`${head}|${body}`),
      isChannel: () => true,
      garbage: (count) => events.push(`garbage ${count}`),
      lost: () => {},
    });
    for (let at = 0, i = 0; at < bytes.length; i++) {
      const size = Math.min(sizes[i % sizes.length] ?? 1, bytes.length - at);
      framer.push(Uint8Array.from(bytes.subarray(at, at + size)), size);
      at += size;
    }
    return events;
  };
  fc.assert(
    fc.property(
      fc.array(unit, { maxLength: 10 }),
      fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1 }),
      (units, sizes) => {
        const bytes = Buffer.concat(units);
        const whole = record(bytes, [bytes.length + 1]);
        expect(whole).toHaveLength(units.length);
        expect(record(bytes, sizes)).toEqual(whole);
      },
    ),
    runs,
  );
});

test.each(['h264', 'h265', 'h265 with numbers'])(
  '%s payloads of any kind give whole length-prefixed units or none',
  (name) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const handler = {
          picture: (bytes: Uint8Array) => {
            let count = 0;
            forEachNal(bytes, () => count++);
            expect(count).toBeGreaterThan(0);
          },
          parameterSet: () => {},
          damaged: () => {},
          oddity: () => {},
        };
        const depacketiser =
          name === 'h264' ? new H264Depacketiser(handler) : new H265Depacketiser(handler, { hasDonl: name !== 'h265' });
        for (const { payload: bytes, time, marker, gap } of steps) {
          if (gap) depacketiser.pictures.gap();
          if (bytes.length > 0) depacketiser.payload(bytes, 0, bytes.length, time, marker);
        }
        depacketiser.pictures.flush();
      }),
      runs,
    );
  },
);

test('sound payloads of any kind give frames within the packet', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 30 }),
      fc.integer({ min: 0, max: 16 }),
      fc.uint8Array({ maxLength: 30 }),
      (steps, sizeBits, config) => {
        const handler = { frame: () => {}, damaged: () => {}, oddity: () => {}, config: () => {} };
        const options = { sizeBits, indexBits: 3, indexDeltaBits: 3, constantSize: 0, ticksPerFrame: 1024 };
        const bits = new BitCursor();
        bits.reset(config, 0, config.length);
        const parsed = parseStreamMuxConfig(bits);
        const latm = { config: parsed, ticksPerFrame: () => 1024 };
        const all = [
          new AacDepacketiser(handler, options),
          new LatmDepacketiser(handler, { ...latm, isConfigInBand: false }),
          new LatmDepacketiser(handler, { ...latm, isConfigInBand: true }),
        ];
        for (const { payload: bytes, time, marker, gap } of steps) {
          for (const depacketiser of all) {
            if (gap) depacketiser.gap();
            depacketiser.payload(bytes, 0, bytes.length, time, marker);
          }
        }
      },
    ),
    runs,
  );
});

test('the timeline never steps back for sound and never leaves the whole microseconds', () => {
  const event = fc.record({
    track: fc.integer({ min: 0, max: 1 }),
    time: fc.integer({ min: 0, max: 0xffffffff }),
    report: fc.boolean(),
    afterMs: fc.integer({ min: 0, max: 40_000 }),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const tracks = [
        { clockRateHz: 90_000, kind: 'video', rtpInfoTime: 5 },
        { clockRateHz: 8_000, kind: 'audio', rtpInfoTime: 9 },
      ] as const;
      const timeline = new MediaTimeline(tracks, () => {});
      let nowMs = 0;
      let soundUs = Number.NEGATIVE_INFINITY;
      for (const { track, time, report, afterMs } of events) {
        nowMs += afterMs;
        if (report) {
          timeline.senderReport(track, Date.UTC(2026, 0, 1) + nowMs, time);
          continue;
        }
        const us = timeline.place(track, time, 0, nowMs);
        if (Number.isNaN(us)) {
          timeline.restart({ jumpedTrack: track });
          soundUs = Number.NEGATIVE_INFINITY;
        } else {
          expect(Number.isSafeInteger(us)).toBe(true);
          if (track === 1) expect(us).toBeGreaterThan(soundUs);
          if (track === 1) soundUs = us;
        }
      }
    }),
    runs,
  );
});

test('a whole delivery takes any packets: no exception, units only after a session, sessions only with tracks', () => {
  const media = (kind: 'video' | 'audio', codec: ChosenMedia['codec'], payloadType: number): ChosenMedia => ({
    kind,
    trackNumber: kind === 'video' ? 1 : 2,
    codec,
    media: { kind, protocol: 'RTP/AVP', control: kind, formats: [], direction: undefined },
    format: { payloadType, encoding: '', clockRateHz: 8_000, channels: 1, parameters: new Map() },
  });
  const packet = fc.oneof(
    fc
      .record({
        sequence: fc.integer({ min: 0, max: 40 }),
        time: fc.integer({ min: 0, max: 400_000 }),
        payload,
        marker: fc.boolean(),
        type: fc.constantFrom(96, 96, 96, 8, 97),
        source: fc.constantFrom(1, 1, 1, 2),
      })
      .map(rtp),
    fc
      .record({
        source: fc.constantFrom(1, 2),
        ntpMs: fc.integer({ min: 0, max: 2_000_000_000_000 }),
        time: fc.integer({ min: 0, max: 400_000 }),
      })
      .map(senderReport),
    fc.uint8Array({ maxLength: 40 }),
  );
  fc.assert(
    fc.property(
      fc.constantFrom('h264', 'h265'),
      fc.constantFrom('aac', 'aac-latm', 'pcma', 'opus'),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), packet), { maxLength: 80 }),
      (video, audio, packets) => {
        let tracks: readonly number[] = [];
        const sink: SourceSink = {
          session: (announced) => {
            tracks = announced.map(({ number }) => number);
          },
          unit: (unit) => {
            expect(tracks).toContain(unit.trackNumber);
            expect(unit.bytes.length).toBeGreaterThan(0);
          },
          loss: () => {},
          clock: () => {},
        };
        const deps = { clock: new SimulatedClock(), random: countedRandom(), sink, onFault: () => {} };
        const delivery = new Delivery(deps, { silenceMs: 10_000 });
        delivery.add(media('video', video as 'h264', 96), () => {});
        delivery.add(media('audio', audio as 'aac', 8), () => {});
        delivery.begin([]);
        for (const [track, bytes] of packets) delivery.packet(track, bytes, 0, bytes.length);
        delivery.close();
      },
    ),
    runs,
  );
});

test('rtcp of any bytes ends', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      parseRtcp(bytes, 0, bytes.length, { senderReport: () => {}, bye: () => {} });
    }),
    runs,
  );
});
