import { expect, test } from 'vitest';
import { RtpReceiver } from '../../../gateway/rtsp/media/receiver.ts';
import { ReorderBuffer } from '../../../gateway/rtsp/media/reorder.ts';
import { formatReceiverReport, parseRtcp } from '../../../gateway/rtsp/media/rtcp.ts';
import { u16, u32 } from '../../../storage/base/bytes.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { type RtpOptions, rtp, senderReport } from './packets.ts';

function open() {
  const events: string[] = [];
  const receiver = new RtpReceiver(
    {
      payload: (bytes, begin, end) => events.push(Buffer.from(bytes.subarray(begin, end)).toString('latin1')),
      gap: (packets) => events.push(`gap ${packets}`),
      restarted: () => events.push('restarted'),
    },
    { payloadType: 96, otherTypes: [8] },
  );
  const take = (options: Partial<RtpOptions> & { sequence: number }, text = String(options.sequence)) => {
    const packet = rtp({ time: 0, payload: Buffer.from(text), ...options });
    return receiver.packet(packet, 0, packet.length);
  };
  return { events, receiver, take };
}

test('padding, extension and contributing sources are no payload', () => {
  const { events, take } = open();

  take({ sequence: 1, padding: 4 });
  take({ sequence: 2, extensionWords: 3 });
  take({ sequence: 3, contributors: 2, extensionWords: 0, padding: 1 });

  expect(events).toEqual(['1', '2', '3']);
});

test('what is too short, of another version or all header is malformed', () => {
  const { receiver } = open();
  const short = new Uint8Array(11).fill(0x80);
  const other = rtp({ sequence: 1, time: 0, payload: new Uint8Array(4) }).fill(0x40, 0, 1);
  const header = rtp({ sequence: 1, time: 0, payload: new Uint8Array(0) });
  header[0] = 0x8f;

  for (const packet of [short, other, header]) expect(receiver.packet(packet, 0, packet.length)).toBe('malformed');
});

test('loss is counted across the wrap of the sequence, duplicates and late packets pass silently', () => {
  const { events, receiver, take } = open();

  for (const sequence of [65_533, 65_534, 65_534, 65_535, 2, 1, 3]) take({ sequence });

  expect(events).toEqual(['65533', '65534', '65535', 'gap 2', '2', '3']);
  expect(receiver.lost).toBe(2);
  expect(receiver.expectedPackets).toBe(7);
  expect(receiver.received).toBe(5);
});

test('a camera that resets its sequence goes on with a loss of unknown size', () => {
  const { events, take } = open();

  take({ sequence: 50_000 });
  take({ sequence: 10 });
  take({ sequence: 11 });

  expect(events).toEqual(['50000', 'gap 1', '10', '11']);
});

test('stray packets of another source are left out, one that stays takes over', () => {
  const { events, take } = open();

  take({ sequence: 1 });
  take({ sequence: 900, source: 77 });
  take({ sequence: 2 });
  for (let sequence = 500; sequence < 506; sequence++) take({ sequence, source: 88 });

  expect(events).toEqual(['1', '2', 'gap 4', 'restarted', '504', '505']);
});

test('packets of another payload type are foreign, unless the camera never sends the one it announced', () => {
  const { events, take } = open();
  expect(take({ sequence: 1, type: 8 })).toBe('foreign-type');

  const verdicts = Array.from({ length: 60 }, (_, index) => take({ sequence: index, type: 105 }));

  expect(verdicts.indexOf('taken')).toBe(49);
  expect(events).toHaveLength(11);
});

test('packets that overtook others wait for them, and not for ever', async () => {
  const clock = new SimulatedClock();
  const seen: number[] = [];
  const buffer = new ReorderBuffer({ clock, deliver: (packet) => seen.push(u16(packet, 2)) });
  const push = (...sequences: number[]) => {
    for (const sequence of sequences) buffer.push(rtp({ sequence, time: 0, payload: new Uint8Array(1) }));
  };

  push(65_534, 0, 65_535, 1, 1);
  expect(seen).toEqual([65_534, 65_535, 0, 1]);
  push(3, 5);
  await clock.advance(99);
  expect(seen).toHaveLength(4);
  await clock.advance(300);
  push(2);

  expect(seen).toEqual([65_534, 65_535, 0, 1, 3, 5]);
});

test('each packet that others overtook is told as missing once, for whoever can ask for it again', async () => {
  const clock = new SimulatedClock();
  const missing: number[][] = [];
  const onMissing = (sequence: number, packets: number) => missing.push([sequence, packets]);
  const buffer = new ReorderBuffer({ clock, deliver: () => {}, onMissing }, { waitMsMax: 400 });
  const push = (...sequences: number[]) => {
    for (const sequence of sequences) buffer.push(rtp({ sequence, time: 0, payload: new Uint8Array(1) }));
  };

  push(65_530, 65_533, 65_534, 2, 65_532);
  push(65_531, 65_535, 0, 1, 3, 5);
  await clock.advance(500);
  push(6, 9);

  expect(missing).toEqual([
    [65_531, 2],
    [65_535, 3],
    [4, 1],
    [7, 2],
  ]);
});

test('the number of waiting packets is bounded', () => {
  const seen: number[] = [];
  const buffer = new ReorderBuffer({ clock: new SimulatedClock(), deliver: (packet) => seen.push(u16(packet, 2)) });

  for (let sequence = 0; sequence < 2_000; sequence++) {
    if (sequence % 600 !== 1) buffer.push(rtp({ sequence, time: 0, payload: new Uint8Array(1) }));
  }

  expect(seen.length).toBeGreaterThan(1_300);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
});

test('a sender report gives wall time and rtp time, BYE its source', () => {
  const seen: unknown[] = [];
  const ntpMs = Date.UTC(2026, 5, 1, 12, 0, 0, 250);
  const bye = Uint8Array.of(0x81, 203, 0, 1, 0, 0, 0x12, 0x34);
  const bytes = Buffer.concat([senderReport({ ntpMs, time: 90_000 }), bye]);

  parseRtcp(bytes, 0, bytes.length, {
    senderReport: (source, ms, time) => seen.push([source, Math.round(ms), time]),
    bye: (source) => seen.push(source),
  });

  expect(seen).toEqual([[0x1234, ntpMs, 90_000], 0x1234]);
});

test('a receiver report is a compound packet that others can walk', () => {
  const bytes = formatReceiverReport({
    ourSource: 1,
    source: 0x1234,
    fractionLost: 128,
    packetsLost: 5,
    highestSequence: 65_536 + 7,
    lastReport: 0xabcd0000,
    sinceLastReportMs: 1_000,
  });

  const second = 4 + 4 * u16(bytes, 2);
  expect(second + 4 + 4 * u16(bytes, second + 2)).toBe(bytes.length);
  expect([u32(bytes, 8), u32(bytes, 12), u32(bytes, 16), u32(bytes, 28)]).toEqual([0x1234, 0x80000005, 65_543, 65_536]);
});
