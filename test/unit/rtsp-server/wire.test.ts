import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Login } from '../../../gateway/rtsp/wire/login.ts';
import { formatAnswerText } from '../../../gateway/rtsp-server/wire/answer.ts';
import {
  challenges,
  digestCredentials,
  digestSecret,
  parseAuthorization,
} from '../../../gateway/rtsp-server/wire/authorization.ts';
import { parseTarget, trackUrl } from '../../../gateway/rtsp-server/wire/target.ts';
import { formatMoment, formatNpt, parseMoment, parseRange } from '../../../gateway/rtsp-server/wire/times.ts';
import { formatTransport, parseTransports } from '../../../gateway/rtsp-server/wire/transport.ts';

const noonMs = Date.UTC(2026, 0, 31, 12);

describe('a URL', () => {
  test('names a stream, with percent signs resolved and credentials left out', () => {
    const target = parseTarget('rtsp://user:secret@host:8554/Front%20door/');

    expect(target).toMatchObject({ name: 'Front door', trackNumber: undefined, startMs: undefined });
    expect(target?.base).toBe('rtsp://host:8554/Front%20door');
  });

  test('names a track wherever players put it', () => {
    const base = 'rtsp://host/door?start=1000&end=2000';
    const urls = [trackUrl(base, 2), `${base}/trackID=2`, 'rtsp://host/door/trackID=2/?start=1000&end=2000'];

    for (const url of urls) {
      expect(parseTarget(url)).toMatchObject({ name: 'door', trackNumber: 2, startMs: 1000, endMs: 2000 });
    }
  });

  test.each([
    ['ISO 8601', '2026-01-31T12:00:00Z'],
    ['a zone with a plus sign', '2026-01-31T14:00:00+02:00'],
    ['percent signs', '2026-01-31T14%3A00%3A00%2B02%3A00'],
    ['milliseconds', String(noonMs)],
    ["RTSP's own form", '20260131T120000Z'],
  ])('takes a start as %s', (_form, text) => {
    expect(parseTarget(`rtsp://host/door?start=${text}`)?.startMs).toBe(noonMs);
  });

  test.each([
    'rtsp://host/',
    'rtsp://host/door?start=yesterday',
    'rtsp://host/door?start=5&end=4',
    'http://host/x',
    '%',
  ])('is refused when it is none: %s', (url) => {
    expect(parseTarget(url)).toBeUndefined();
  });
});

describe('a range', () => {
  test('is read in normal play time and in wall time', () => {
    expect(parseRange('npt=0.000-')).toEqual({ kind: 'npt', begin: 0, end: undefined });
    expect(parseRange('npt=now-')).toEqual({ kind: 'npt', begin: 'now', end: undefined });
    expect(parseRange('npt=1:02:03.5-4000')).toEqual({ kind: 'npt', begin: 3_723_500, end: 4_000_000 });
    expect(parseRange('clock=20260131T120000.25Z-20260131T120010Z;time=5')).toEqual({
      ...{ kind: 'clock', begin: noonMs + 250, end: noonMs + 10_000 },
    });
  });

  test.each(['npt=-', 'smpte=0:10:20-', 'clock=-20260131T120000Z', 'npt=a-b', '', 'npt'])('is none: %s', (text) => {
    expect(parseRange(text)).toBeUndefined();
  });

  test('is written as it is read', () => {
    expect(parseMoment(formatMoment(noonMs + 250))).toBe(noonMs + 250);
    expect(formatNpt(12_345)).toBe('12.345');
  });
});

describe('a transport', () => {
  test('is taken in the order of the player, without what we do not have', () => {
    const offers = parseTransports(
      'RTP/SAVP;unicast;client_port=1-2,RTP/AVP;multicast,RTP/AVP/UDP;unicast;client_port=5000-5001,RTP/AVP/TCP;interleaved=2-3',
    );

    expect(offers).toEqual([
      { kind: 'udp', ports: [5000, 5001] },
      { kind: 'tcp', channels: [2, 3] },
    ]);
  });

  test('of UDP never goes anywhere but to the player itself', () => {
    const [offer] = parseTransports('RTP/AVP;unicast;destination=192.0.2.9;client_port=5000');

    expect(offer).toEqual({ kind: 'udp', ports: [5000, 5001] });
    const answer = formatTransport({ kind: 'udp', ports: [5000, 5001] }, { ssrc: 10, serverPorts: [8000, 8001] });
    expect(answer).toBe('RTP/AVP;unicast;client_port=5000-5001;server_port=8000-8001;ssrc=0000000A');
  });

  test.each(['RTP/AVP/TCP;interleaved=300-301', 'RTP/AVP', 'RTP/AVP;client_port=70000', 'RTP/AVP/TCP;mode=record', ''])(
    'is none: %s',
    (text) => {
      expect(parseTransports(text)).toEqual([]);
    },
  );
});

describe('a digest', () => {
  const facts = { username: 'reader', realm: 'weir', password: 'open sesame' };

  test.each(['MD5', 'SHA-256'] as const)('of our own client in %s is proven by the verifier alone', (algorithm) => {
    const values = challenges({ realm: 'weir', nonce: 'abc', isStale: false, isBasicOffered: true });
    const login = new Login({ random: () => 0.5 }, { credentials: facts, isBasicAllowed: true });
    login.challenged(
      values.filter((value) => value.includes(algorithm)),
      false,
    );
    const shown = parseAuthorization(login.authorization('PLAY', 'rtsp://host/door') ?? '');
    if (shown?.kind !== 'digest') throw new Error('no digest');
    const credentials = digestCredentials(shown.digest, 'PLAY');
    if (credentials.kind !== 'digest') throw new Error('no digest');

    expect(credentials.algorithm).toBe(algorithm);
    expect(credentials.isProvenBy(digestSecret(algorithm, facts))).toBe(true);
    expect(credentials.isProvenBy(digestSecret(algorithm, { ...facts, password: 'other' }))).toBe(false);
  });

  test('counts for one method alone', () => {
    const secret = digestSecret('MD5', facts);
    const hash = (text: string) => createHash('md5').update(text).digest('hex');
    const response = hash(`${secret}:abc:${hash('DESCRIBE:rtsp://host/door')}`);
    const text = `Digest username="reader", realm="weir", nonce="abc", uri="rtsp://host/door", response="${response}"`;
    const shown = parseAuthorization(text);
    if (shown?.kind !== 'digest') throw new Error('no digest');

    const proven = ['DESCRIBE', 'PLAY'].map((method) => {
      const credentials = digestCredentials(shown.digest, method);
      return credentials.kind === 'digest' && credentials.isProvenBy(secret);
    });

    expect(proven).toEqual([true, false]);
  });

  test('challenges come with MD5 last of all digests: live555 takes the last one for MD5', () => {
    const values = challenges({ realm: 'weir', nonce: 'abc', isStale: true, isBasicOffered: true });

    expect(values.map((value) => /algorithm=([\w-]+)|^(Basic)/.exec(value)?.slice(1).join(''))).toEqual([
      ...['SHA-256', 'MD5', 'Basic'],
    ]);
    expect(values[0]).toContain('stale=TRUE');
  });

  test.each(['', 'Bearer x', 'Basic', 'Digest username="a"', `Basic ${'A'.repeat(10_000)}`])('is none: %s', (text) => {
    expect(parseAuthorization(text)).toBeUndefined();
  });
});

test('an answer has one line a header, whatever a stranger put into it', () => {
  const text = formatAnswerText('5\r\nX: y', { status: 200, headers: [['Session', 'a\r\nb']], body: 'äb' });

  expect(text).toBe('RTSP/1.0 200 OK\r\nCSeq: 5 X: y\r\nServer: weir\r\nSession: a b\r\nContent-Length: 3\r\n\r\näb');
});
