import { describe, expect, test } from 'vitest';
import { rtmpLimits } from '../../../gateway/rtmp/limits.ts';
import { amf0, chunks, tags } from '../../kit/rtmp-publisher/index.ts';
import { hello, notedProtocol, publishing } from './kit.ts';

const frame = tags.aacFrame(Uint8Array.of(1, 2, 3));
const audio = (timestampMs: number, body: Uint8Array = frame) =>
  chunks({ type: 8, timestampMs, body }, { chunkBytes: 128 });

/** A chunk whose head holds a difference of time (type 1), as most encoders write all but the first. */
function delta(deltaMs: number, body: Uint8Array): Buffer {
  const head = Buffer.from([0x44, 0, 0, 0, 0, 0, 0, 8]);
  head.writeUIntBE(deltaMs, 1, 3);
  head.writeUIntBE(body.length, 4, 3);
  return Buffer.concat([head, body]);
}

test('a publisher shakes hands, names its stream and sends', () => {
  const { protocol, noted, output } = notedProtocol();

  protocol.push(Buffer.concat([publishing('front-door'), audio(40)]));

  expect(noted.map((one) => one.what)).toEqual(['publish front-door', 'audio']);
  expect(noted[1]).toMatchObject({ timestampMs: 40, hex: frame.toString('hex') });
  expect(output()).toContain('NetConnection.Connect.Success');
  expect(output()).toContain('NetStream.Publish.Start');
});

test('every split of the bytes gives the same', () => {
  const bytes = Buffer.concat([publishing('front-door'), audio(40), audio(0x1000000, Buffer.alloc(500, 7)), audio(80)]);
  const whole = notedProtocol();
  whole.protocol.push(bytes);

  for (const step of [1, 2, 7, 127, 128, 129, 1537]) {
    const { protocol, noted } = notedProtocol();
    for (let at = 0; at < bytes.length; at += step) protocol.push(bytes.subarray(at, at + step));
    expect(noted).toEqual(whole.noted);
  }
});

test('nothing is taken from somebody who was not let in', () => {
  const { protocol, noted } = notedProtocol({ isAccepted: false });

  protocol.push(Buffer.concat([publishing('front-door'), audio(40)]));

  expect(noted.map((one) => one.what)).toEqual(['publish front-door']);
});

test('a player is told apart', () => {
  const { protocol, noted } = notedProtocol();
  const play = chunks(
    { type: 20, timestampMs: 0, body: amf0('play', 3, null, 'front-door'), chunkStream: 3 },
    { chunkBytes: 128 },
  );

  protocol.push(Buffer.concat([hello, play]));

  expect(noted.map((one) => one.what)).toEqual(['play']);
});

test('the clock wraps after 49.7 days, and goes on', () => {
  const { protocol, noted } = notedProtocol();
  protocol.push(Buffer.concat([publishing('k'), audio(2 ** 32 - 50)]));

  for (let i = 0; i < 3; i++) protocol.push(delta(40, frame));

  expect(noted.slice(1).map((one) => one.timestampMs)).toEqual([2 ** 32 - 50, 2 ** 32 - 10, 30, 70]);
});

test('messages of several chunk streams interleave, also of those with long ids', () => {
  const { protocol, noted } = notedProtocol();
  protocol.push(publishing('k'));
  const [a, b] = [Buffer.alloc(200, 1), Buffer.alloc(200, 2)];
  // Ids of three bytes whose sum is the same.
  const first = chunks({ type: 8, timestampMs: 1, body: a, chunkStream: 64 + 1 + 2 * 256 }, { chunkBytes: 128 });
  const second = chunks({ type: 8, timestampMs: 2, body: b, chunkStream: 64 + 2 + 1 * 256 }, { chunkBytes: 128 });
  const headBytes = 3 + 11;

  protocol.push(first.subarray(0, headBytes + 128));
  protocol.push(second.subarray(0, headBytes + 128));
  protocol.push(first.subarray(headBytes + 128));
  protocol.push(second.subarray(headBytes + 128));

  expect(noted.slice(1).map((one) => one.hex)).toEqual([a.toString('hex'), b.toString('hex')]);
});

test('an aborted message is forgotten', () => {
  const { protocol, noted } = notedProtocol();
  protocol.push(publishing('k'));
  const broken = chunks({ type: 8, timestampMs: 1, body: Buffer.alloc(200, 9) }, { chunkBytes: 128 });
  const abort = chunks(
    { type: 2, timestampMs: 0, body: Buffer.from([0, 0, 0, 4]), chunkStream: 2 },
    { chunkBytes: 128 },
  );

  protocol.push(Buffer.concat([broken.subarray(0, 12 + 128), abort, audio(2)]));

  expect(noted.slice(1)).toEqual([{ what: 'audio', timestampMs: 2, hex: frame.toString('hex') }]);
});

test('aggregate messages are taken apart', () => {
  const { protocol, noted } = notedProtocol();
  const tag = (type: number, atMs: number, body: Uint8Array) => {
    const head = Buffer.alloc(11);
    head.writeUInt8(type, 0);
    head.writeUIntBE(body.length, 1, 3);
    head.writeUIntBE(atMs, 4, 3);
    return Buffer.concat([head, body, Buffer.alloc(4)]);
  };
  const body = Buffer.concat([tag(9, 1_000, Uint8Array.of(0x17)), tag(8, 1_020, frame)]);

  protocol.push(Buffer.concat([publishing('k'), chunks({ type: 22, timestampMs: 50, body }, { chunkBytes: 128 })]));

  expect(noted.slice(1).map(({ what, timestampMs }) => [what, timestampMs])).toEqual([
    ['video', 50],
    ['audio', 70],
  ]);
});

test('what was read is acknowledged, and pings are answered', () => {
  const { protocol, output } = notedProtocol();
  protocol.push(publishing('k'));
  const before = output().length;

  for (let i = 0; i < 40; i++) protocol.push(audio(i, Buffer.alloc(rtmpLimits.audioBytesMax)));
  const acknowledgement = Buffer.from(output().slice(before), 'latin1');
  const ping = Buffer.from([0, 6, 1, 2, 3, 4]);
  protocol.push(chunks({ type: 4, timestampMs: 0, body: ping, chunkStream: 2 }, { chunkBytes: 128 }));
  const pong = Buffer.from(output().slice(before + acknowledgement.length), 'latin1');

  expect(acknowledgement[7]).toBe(3);
  expect(acknowledgement.readUInt32BE(12)).toBeGreaterThan(2_500_000);
  expect(pong.subarray(12).toString('hex')).toBe('000701020304');
});

describe('a peer is ended that', () => {
  const control = (type: number, body: Uint8Array, chunkStream = 2) =>
    chunks({ type, timestampMs: 0, body, chunkStream }, { chunkBytes: 128 });
  const u32 = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const head = (cid: number, length: number, type: number) => {
    const bytes = Buffer.alloc(12);
    bytes[0] = cid;
    bytes.writeUIntBE(length, 4, 3);
    bytes[7] = type;
    return bytes;
  };
  const nested = (levels: number) =>
    Buffer.concat([amf0('connect'), ...Array.from({ length: levels }, () => Buffer.from([3, 0, 1, 0x61]))]);

  test.each<readonly [string, Uint8Array, RegExp]>([
    ['speaks another protocol', Buffer.from('GET / HTTP/1.1\r\n'), /does not speak RTMP/],
    ['asks for no chunk size', Buffer.concat([hello, control(1, u32(0))]), /chunk size is out of bounds/],
    ['asks for tiny chunks', Buffer.concat([hello, control(1, u32(1))]), /chunk size is out of bounds/],
    ['sends half a control message', Buffer.concat([hello, control(1, u32(0).subarray(2))]), /cut off/],
    ['sends a large command', Buffer.concat([hello, head(3, 100_000, 20)]), /larger than its kind/],
    ['sends a picture before its key', Buffer.concat([hello, head(4, 0xffffff, 9), Buffer.alloc(1)]), /larger than/],
    ['begins a chunk stream in its middle', Buffer.concat([hello, Buffer.from([0xc4])]), /without a full head/],
    ['nests its command', Buffer.concat([hello, control(20, nested(900))]), /too deep/],
    ['cuts its command off', Buffer.concat([hello, control(20, amf0('connect', 1).subarray(0, 12))]), /cut off/],
    ['names an unknown type', Buffer.concat([hello, control(20, Buffer.from([0x42]))]), /type is unknown/],
  ])('%s', (_what, bytes, why) => {
    const { protocol } = notedProtocol();

    expect(() => {
      protocol.push(bytes);
      protocol.push(Buffer.alloc(1));
    }).toThrow(why);
  });

  test('opens many chunk streams', () => {
    const { protocol } = notedProtocol();
    protocol.push(publishing('k'));

    expect(() => {
      for (let cid = 4; cid < 60; cid++) protocol.push(audio(0, frame).fill(cid, 0, 1));
    }).toThrow(/too many chunk streams/);
  });

  test('keeps large messages open on several chunk streams', () => {
    const { protocol } = notedProtocol();
    protocol.push(publishing('k'));
    const before = process.memoryUsage().arrayBuffers;

    expect(() => {
      for (let cid = 4; cid < 16; cid++) protocol.push(Buffer.concat([head(cid, 0xffffff, 9), Buffer.alloc(128)]));
    }).toThrow(/too many large messages/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(rtmpLimits.messageBuffersBytesMax + 1e6);
  });

  test('changes the length of a message in its middle', () => {
    const { protocol } = notedProtocol();
    protocol.push(publishing('k'));

    expect(() => protocol.push(Buffer.concat([head(4, 200, 8), Buffer.alloc(128), head(4, 5_000, 8)]))).toThrow(
      /before the last one ended/,
    );
  });

  test('changes the chunk size in the middle of a message', () => {
    const { protocol } = notedProtocol();
    protocol.push(publishing('k'));

    expect(() => protocol.push(Buffer.concat([head(4, 200, 8), Buffer.alloc(128), control(1, u32(4_096))]))).toThrow(
      /inside a message/,
    );
  });
});

test('a stranger may say so much and no more, and a publisher as much as it likes', () => {
  const ping = chunks(
    { type: 4, timestampMs: 0, body: Buffer.from([0, 6, 0, 0, 0, 0]), chunkStream: 2, streamId: 0 },
    { chunkBytes: 128 },
  );
  const many = Buffer.concat(Array<Buffer>(rtmpLimits.strangerMessagesMax).fill(ping));
  const stranger = notedProtocol();
  const publisher = notedProtocol();
  stranger.protocol.push(Buffer.concat([hello, many]));
  publisher.protocol.push(Buffer.concat([publishing('front-door'), many, many]));

  expect(() => stranger.protocol.push(ping)).toThrow('publishes nothing');
  expect(publisher.noted.map((one) => one.what)).toEqual(['publish front-door']);
});
