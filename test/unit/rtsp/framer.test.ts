import { expect, test } from 'vitest';
import { rtspLimits } from '../../../gateway/rtsp/limits.ts';
import { Framer } from '../../../gateway/rtsp/wire/framer.ts';
import { formatAnswer, header, parseMessage } from '../../../gateway/rtsp/wire/message.ts';
import { interleaved, rtp } from './packets.ts';

class Heard {
  readonly events: string[] = [];
  garbageBytes = 0;
  isLost = false;
  readonly framer: Framer;

  constructor(channels: readonly number[] = [0, 1, 2, 3]) {
    this.framer = new Framer({
      packet: (channel, bytes, begin, end) => {
        this.events.push(`$${channel}:${Buffer.from(bytes.subarray(begin, end)).toString('hex')}`);
      },
      message: (head, body) => this.events.push(`${head}|${body}`),
      isChannel: (channel) => channels.includes(channel),
      garbage: (byteLength) => {
        this.garbageBytes += byteLength;
      },
      lost: () => {
        this.isLost = true;
      },
    });
  }

  push(...parts: readonly (string | Uint8Array)[]): this {
    const all = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)));
    this.framer.push(all, all.length);
    return this;
  }
}

const packet = (fill: number, bytes = 20) => rtp({ sequence: 1, time: 2, payload: new Uint8Array(bytes).fill(fill) });
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const ok = 'RTSP/1.0 200 OK\r\nCSeq: 4\r\n\r\n';

test('media in the same bytes as the answer to PLAY is taken, in order', () => {
  const heard = new Heard().push(ok, interleaved(0, packet(1)), interleaved(1, packet(2)), ok);

  expect(heard.events).toEqual([
    'RTSP/1.0 200 OK\r\nCSeq: 4|',
    `$0:${hex(packet(1))}`,
    `$1:${hex(packet(2))}`,
    'RTSP/1.0 200 OK\r\nCSeq: 4|',
  ]);
});

test('any split of the bytes gives the same packets and messages', () => {
  const sdp = 'RTSP/1.0 200 OK\r\nContent-Type: application/sdp\r\nContent-Length: 10\r\n\r\nv=0\r\ns=$a\n';
  const bytes = Buffer.concat([
    Buffer.from(sdp, 'latin1'),
    interleaved(0, packet(1, 300)),
    Buffer.from(ok),
    interleaved(2, packet(3, 0)),
  ]);
  const whole = new Heard().push(bytes).events;

  for (let at = 1; at < bytes.length; at++) {
    expect(new Heard().push(bytes.subarray(0, at)).push(bytes.subarray(at)).events).toEqual(whole);
  }
  const single = new Heard();
  for (const byte of bytes) single.push(Uint8Array.of(byte));
  expect(single.events).toEqual(whole);
  expect(whole).toHaveLength(4);
});

test('lines that end with LF alone, blank lines between messages and lower case are taken', () => {
  const heard = new Heard().push('\r\n\r\nRTSP/1.0 200 OK\ncseq: 3\ncontent-length: 3\n\nabc\r\n', ok);

  expect(heard.events).toEqual(['RTSP/1.0 200 OK\ncseq: 3\ncontent-length: 3|abc', 'RTSP/1.0 200 OK\r\nCSeq: 4|']);
});

test('a packet between the lines of a head is delivered and the head stays whole', () => {
  const heard = new Heard().push(
    'RTSP/1.0 200 OK\r\n',
    interleaved(0, packet(9)),
    'CSeq: 4\r\n\r\n',
    interleaved(0, packet(8)),
  );

  expect(heard.events).toEqual([`$0:${hex(packet(9))}`, 'RTSP/1.0 200 OK\r\nCSeq: 4|', `$0:${hex(packet(8))}`]);
});

test('a description without Content-Length ends where something else begins, or when nothing comes', () => {
  const head = 'RTSP/1.0 200 OK\r\nContent-Type: application/sdp\r\n\r\n';
  const followed = new Heard().push(head, 'v=0\r\nm=video 0 RTP/AVP 96\r\n', ok);
  const idle = new Heard().push(head, 'v=0\r\nm=video 0 RTP/AVP 96\r\n');
  expect(idle.events).toEqual([]);

  idle.framer.flush();

  expect(followed.events[0]).toMatch(/\|v=0\r\nm=video 0 RTP\/AVP 96\r\n$/);
  expect(followed.events[1]).toBe('RTSP/1.0 200 OK\r\nCSeq: 4|');
  expect(idle.events).toEqual([followed.events[0]]);
});

test('a Content-Length above what comes is cut short when nothing more comes', () => {
  const heard = new Heard().push('RTSP/1.0 200 OK\r\nContent-Length: 900\r\n\r\nv=0\r\n');

  heard.framer.flush();

  expect(heard.events).toEqual(['RTSP/1.0 200 OK\r\nContent-Length: 900|v=0\r\n']);
});

test('garbage is skipped up to the next packet on a known channel', () => {
  const garbage = Uint8Array.from([1, 2, 0x24, 9, 0x24, 0, 0, 40, 0x11, 0xff, 0x52, 0x53]);
  const heard = new Heard().push(interleaved(0, packet(1)), garbage, interleaved(0, packet(2)), ok);

  expect(heard.events).toEqual([`$0:${hex(packet(1))}`, `$0:${hex(packet(2))}`, 'RTSP/1.0 200 OK\r\nCSeq: 4|']);
  expect(heard.garbageBytes).toBe(garbage.length);
});

test('packets of an old session on a channel nobody asked for pass without harm', () => {
  const heard = new Heard([0, 1]).push(interleaved(6, packet(1)), interleaved(0, packet(2)));

  expect(heard.events).toEqual([`$6:${hex(packet(1))}`, `$0:${hex(packet(2))}`]);
  expect(heard.garbageBytes).toBe(0);
});

test('endless garbage is given up after a bounded number of bytes', () => {
  const heard = new Heard();
  for (let sent = 0; sent <= rtspLimits.resyncBytesMax + 10_000; sent += 10_000)
    heard.push(new Uint8Array(10_000).fill(7));

  expect(heard.isLost).toBe(true);
  expect(heard.push(ok).events).toEqual([]);
});

test('a head without end is no message', () => {
  const heard = new Heard().push('RTSP/1.0 200 OK\r\n', 'a: b\r\n'.repeat(20_000));

  expect(heard.events).toEqual([]);
  expect(heard.garbageBytes).toBeGreaterThan(rtspLimits.headBytesMax);
});

test('a request of the server is recognised and answered', () => {
  const heard = new Heard().push(
    'GET_PARAMETER rtsp://h/a RTSP/1.0\r\nCSeq: 9\r\nSession: 7\r\n\r\n',
    'REDIRECT * RTSP/1.0\r\nCSeq: 10\r\n\r\n',
  );

  const answers = heard.events.map((text) => {
    const message = parseMessage(text.slice(0, -1), '');
    return message === undefined || 'status' in message ? '' : formatAnswer(message);
  });

  expect(answers).toEqual([
    'RTSP/1.0 200 OK\r\nCSeq: 9\r\nSession: 7\r\n\r\n',
    'RTSP/1.0 501 Not Implemented\r\nCSeq: 10\r\n\r\n',
  ]);
});

test('headers are found in any case, folded, repeated, and without a reason phrase', () => {
  const message = parseMessage(
    'RTSP/1.0 401\r\nWWW-AUTHENTICATE: Digest realm="a",\r\n  nonce="b"\r\nwww-authenticate: Basic\r\nbroken line\r\n:x',
    '',
  );

  expect(message).toMatchObject({ status: 401, reason: '' });
  expect(message === undefined ? '' : header(message, 'Www-Authenticate')).toBe('Digest realm="a", nonce="b"');
});

test('packets without end inside a head are garbage after the first few', () => {
  const heard = new Heard().push('RTSP/1.0 200 OK\r\nCSeq: 4\r\n', '$\0\0\0'.repeat(60_000));

  expect(heard.events.length).toBeLessThan(100);
  expect(heard.isLost).toBe(true);
});

test('a head longer than most is a head, with a packet between its lines', () => {
  const head = `RTSP/1.0 200 OK\r\nServer: ${'x'.repeat(3_000)}\r\n`;

  const heard = new Heard().push(head, interleaved(0, packet(1)), 'CSeq: 4\r\n\r\n', ok);

  expect(heard.events).toEqual([`$0:${hex(packet(1))}`, `${head}CSeq: 4|`, 'RTSP/1.0 200 OK\r\nCSeq: 4|']);
});
