import fc from 'fast-check';
import { expect, test } from 'vitest';
import { asksForKeyFrame, RtpStamper, readRtp } from '../../../gateway/webrtc/storage-session/rtp.ts';
import { must } from '../../../storage/base/assert.ts';

type Wish = { readonly sequence: number; readonly rtpTime: number; readonly isMarked?: boolean };

function packet({ sequence, rtpTime, isMarked = false }: Wish): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  bytes.set([0x80, (isMarked ? 0x80 : 0) | 100]);
  view.setUint16(2, sequence);
  view.setUint32(4, rtpTime);
  bytes.set([1, 2, 3, 4], 12);
  return bytes;
}

const read = (wish: Wish) => must(readRtp(packet(wish)), 'a packet');
const line = { ssrc: 77, payloadType: 111, clockHz: 48_000 };

test('what is in a packet is found behind sources, extensions and before padding', () => {
  const bytes = new Uint8Array(12 + 4 + 8 + 5 + 3);
  bytes.set([0x80 | 0x20 | 0x10 | 1, 0x80 | 111, 0, 7]);
  bytes.set([0xbe, 0xde, 0, 1], 16);
  bytes.set([9, 8, 7, 6, 5], 24);
  bytes[31] = 3;

  expect(readRtp(bytes)).toMatchObject({ isMarked: true, sequence: 7, payload: Uint8Array.of(9, 8, 7, 6, 5) });
});

test('numbers and times go on when another source begins', () => {
  const stamper = new RtpStamper(line, () => 0);
  const [first, second] = [{}, {}];
  const sent = [
    stamper.stamp(read({ sequence: 500, rtpTime: 1_000 }), first, 0),
    stamper.stamp(read({ sequence: 501, rtpTime: 1_960 }), first, 20),
    stamper.stamp(read({ sequence: 9, rtpTime: 4_000_000_000 }), second, 120),
    stamper.stamp(read({ sequence: 10, rtpTime: 4_000_000_960, isMarked: true }), second, 140),
  ].map((bytes) => must(readRtp(bytes), 'a packet'));

  const steps = sent
    .slice(1)
    .map(({ sequence, rtpTime }, i) => [sequence - (sent[i]?.sequence ?? 0), rtpTime - (sent[i]?.rtpTime ?? 0)]);
  expect(steps).toEqual([
    [1, 960],
    [1, 4_800],
    [1, 960],
  ]);
  expect(sent.at(-1)).toMatchObject({ isMarked: true, payload: Uint8Array.of(1, 2, 3, 4) });
});

test('holes stay, and what comes late comes in its place', () => {
  const stamper = new RtpStamper(line, () => 0);
  const source = {};
  const numbers = [65_534, 65_535, 2, 1].map((sequence) => {
    const bytes = stamper.stamp(read({ sequence, rtpTime: 0 }), source, 0);
    return must(readRtp(bytes), 'a packet').sequence;
  });

  expect(numbers.map((number) => number - (numbers[0] ?? 0))).toEqual([0, 1, 4, 3]);
});

test('a key frame is asked for by PLI and by FIR, also behind a report', () => {
  const report = Uint8Array.of(0x80, 201, 0, 1, 0, 0, 0, 1);
  const pli = Uint8Array.of(0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2);
  const fir = Uint8Array.of(0x84, 206, 0, 4, ...new Uint8Array(16));

  expect([report, pli, fir, Buffer.concat([report, pli])].map(asksForKeyFrame)).toEqual([false, true, true, true]);
});

test('garbage is no packet, or one without harm', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2_100 }), (bytes) => {
      asksForKeyFrame(bytes);
      const found = readRtp(bytes);
      if (found === undefined) return;
      expect(found.payload.length).toBeGreaterThan(0);
      const stamped = new RtpStamper(line, () => 0.5).stamp(found, {}, 0);
      expect(readRtp(stamped)?.payload).toEqual(found.payload);
    }),
  );
});
