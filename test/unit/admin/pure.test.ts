import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { byteRangeOf } from '../../../appliance/admin/byte-range.ts';
import { mergeMetrics } from '../../../appliance/admin/merge-metrics.ts';
import { Passwords, requireGoodPassword } from '../../../appliance/admin/passwords.ts';
import { PlaybackTokens } from '../../../appliance/admin/playback-token.ts';
import { parseRequestHead, redirectTarget } from '../../../appliance/admin/request-head.ts';
import { isSameOrigin } from '../../../appliance/admin/same-origin.ts';
import { sessionCookie, setSessionCookie } from '../../../appliance/admin/session-cookie.ts';
import { deviceOf, hostOf, isLessSecret, parseSourceUrl, shownUrl } from '../../../appliance/admin/source-url.ts';
import { time } from '../../../appliance/admin/times.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';

test('byte ranges are read as RFC 9110 says, and odd ones are ignored', () => {
  expect(byteRangeOf('bytes=0-9', 100)).toEqual({ begin: 0, end: 10 });
  expect(byteRangeOf('bytes=90-', 100)).toEqual({ begin: 90, end: 100 });
  expect(byteRangeOf('bytes=90-200', 100)).toEqual({ begin: 90, end: 100 });
  expect(byteRangeOf('bytes=-30', 100)).toEqual({ begin: 70, end: 100 });
  expect(byteRangeOf('bytes=-300', 100)).toEqual({ begin: 0, end: 100 });
  for (const header of ['bytes=100-', 'bytes=-0']) expect(byteRangeOf(header, 100)).toBe('unsatisfiable');
  for (const header of [undefined, '', 'bytes=-', 'bytes=9-1', 'bytes=0-1,5-6', 'lines=0-1', 'bytes=a-b']) {
    expect(byteRangeOf(header, 100)).toBe('all');
  }
});

test('any range that is answered lies inside', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 20 }), fc.nat(1_000), (text, byteLength) => {
      const range = byteRangeOf(`bytes=${text}`, byteLength);
      if (typeof range === 'string') return;
      expect(range.begin).toBeGreaterThanOrEqual(0);
      expect(range.begin).toBeLessThan(range.end);
      expect(range.end).toBeLessThanOrEqual(byteLength);
    }),
  );
});

test('user and password are taken out of an address, whatever they contain', () => {
  expect(parseSourceUrl('rtsp://ada:p%40ss%3Aw@10.0.0.9:554/a?b=c')).toEqual({
    url: 'rtsp://10.0.0.9:554/a?b=c',
    credentials: { username: 'ada', password: 'p@ss:w' },
  });
  expect(parseSourceUrl('RTSPS://ada:p@ss:w%zz@cam.example')).toEqual({
    url: 'rtsps://cam.example',
    credentials: { username: 'ada', password: 'p@ss:w%zz' },
  });
  expect(parseSourceUrl(' rtsp://[fd00::9]/x@y ')).toEqual({ url: 'rtsp://[fd00::9]/x@y' });
  expect(parseSourceUrl('rtsp://ada@cam/')).toMatchObject({ credentials: { username: 'ada', password: '' } });
});

test('what is no rtsp address is refused with the field and a hint', () => {
  const addresses = [
    '',
    'cam/1',
    'http://cam/',
    'rtsp://',
    'rtsp:///x',
    'rtsp://a b/',
    'rtsp://cam:99999/',
    'rtsp://c/?pw=x&password=***',
  ];
  for (const address of addresses) {
    expect(() => parseSourceUrl(address)).toThrowError(
      expect.objectContaining({ code: 'invalid_argument', hint: expect.any(String), context: { field: 'source.url' } }),
    );
  }
});

test('secrets that makers put into paths are hidden where an address is shown', () => {
  expect(shownUrl('rtsp://c/user=admin&password=x1&channel=1')).toBe('rtsp://c/user=admin&password=***&channel=1');
  expect(shownUrl('rtsp://c/live?ch=1&PWD=x1&token=t')).toBe('rtsp://c/live?ch=1&PWD=***&token=***');
  expect(shownUrl('rtsp://c/passage?keyframe=1')).toBe('rtsp://c/passage?keyframe=1');
  expect(hostOf('rtsp://CAM.example:554/x')).toBe('cam.example');
});

test('stored credentials are for one host and port, and for no weaker protection', () => {
  const secure = { url: 'rtsps://cam/x', tls: 'verify' } as const;

  expect(deviceOf('rtsp://CAM/x')).toBe(deviceOf('rtsp://cam:554/y'));
  expect(deviceOf('rtsp://cam:8554/x')).not.toBe(deviceOf('rtsp://cam/x'));
  expect(isLessSecret({ url: 'rtsp://cam:322/x', tls: 'verify' }, secure)).toBe(true);
  expect(isLessSecret({ ...secure, tls: 'any' }, secure)).toBe(true);
  expect(isLessSecret(secure, { ...secure, tls: 'any' })).toBe(false);
});

test('metrics of several roles are one text that a parser takes', () => {
  const serve = '# HELP a Words.\n# TYPE a gauge\na 1\n# TYPE h histogram\nh_bucket{le="+Inf"} 2\nh_count 2\n';
  const keeper = '# HELP a Other words.\n# TYPE a gauge\na{x="}"} 3 1700000000000\nnonsense\nb 4\n';

  expect(
    mergeMetrics([
      { role: 'serve', text: serve },
      { role: 'keeper', text: keeper },
    ]),
  ).toBe(
    [
      '# HELP a Words.',
      '# TYPE a gauge',
      'a{role="serve"} 1',
      'a{role="keeper",x="}"} 3 1700000000000',
      'b{role="keeper"} 4',
      '# TYPE h histogram',
      'h_bucket{role="serve",le="+Inf"} 2',
      'h_count{role="serve"} 2',
      '',
    ].join('\n'),
  );
});

test('a cookie of one kind of connection is none of the other', () => {
  const value = 'v'.repeat(43);
  const encrypted = setSessionCookie(value, true).split(';')[0];
  const plain = setSessionCookie(value, false).split(';')[0];

  expect(sessionCookie(`a=b; ${encrypted}`, true)).toBe(value);
  expect(sessionCookie(encrypted, false)).toBeUndefined();
  expect(sessionCookie(plain, true)).toBeUndefined();
  expect(sessionCookie(plain, false)).toBe(value);
  expect(sessionCookie(`${encrypted}x`, true)).toBeUndefined();
});

test('our own origin is our own name, port and scheme', () => {
  const own = { isEncrypted: true, publicOrigin: undefined };
  const check = (headers: Record<string, string>) => isSameOrigin({ host: 'cams:8443', ...headers }, own);

  expect(check({})).toBe(true);
  expect(check({ origin: 'https://cams:8443' })).toBe(true);
  expect(check({ 'sec-fetch-site': 'same-origin' })).toBe(true);
  for (const origin of ['http://cams:8443', 'https://cams', 'https://cams:8443.evil.example', 'null']) {
    expect(check({ origin })).toBe(false);
  }
  expect(check({ 'sec-fetch-site': 'same-site' })).toBe(false);
});

test('a playback token is ours, unchanged and in time, or opens nothing', async () => {
  const clock = new SimulatedClock();
  const tokens = new PlaybackTokens({ clock }, { key: randomBytes(32) });
  const others = new PlaybackTokens({ clock }, { key: randomBytes(32) });
  const grant = { streamId: 's', subject: { kind: 'user', id: 'u' }, expiresMs: clock.wallMs() + 1_000 } as const;
  const token = tokens.make(grant);

  expect(tokens.open(token)).toEqual(grant);
  fc.assert(
    fc.property(fc.nat(token.length - 1), fc.constantFrom('A', 'b', '.', ''), (at, character) => {
      const changed = token.slice(0, at) + character + token.slice(at + 1);
      // The last character of base64url has bits that mean nothing.
      fc.pre(changed !== token && at !== token.length - 1);
      expect(() => tokens.open(changed)).toThrowError(expect.objectContaining({ code: 'unauthenticated' }));
    }),
  );
  expect(() => others.open(token)).toThrowError(expect.objectContaining({ code: 'unauthenticated' }));
  await clock.advance(1_000);
  expect(() => tokens.open(token)).toThrowError(expect.objectContaining({ code: 'permission_denied' }));
});

test('times are milliseconds or ISO 8601 with a zone, and nothing in between', () => {
  expect(time.parse('1769860800000')).toBe(1_769_860_800_000);
  expect(time.parse(5)).toBe(5);
  expect(time.parse('2026-01-31T13:00:00+01:00')).toBe(Date.UTC(2026, 0, 31, 12));
  for (const text of [
    '',
    'now',
    '2026-01-31',
    '2026-01-31T12:00:00',
    '-1',
    '1e9',
    '99999999999999999',
    '2026-13-31T12:00Z',
  ]) {
    expect(time.safeParse(text).success).toBe(false);
  }
});

test('plain requests are sent to our own name and nowhere else', () => {
  const target = (request: string, host: string, port = 8_443) => {
    const head = parseRequestHead(Buffer.from(`GET ${request} HTTP/1.1\r\nhost: ${host}\r\n\r\n`));
    return head === undefined ? undefined : redirectTarget(head, port);
  };

  expect(target('/a?b', 'cams')).toBe('https://cams:8443/a?b');
  expect(target('/', '[fd00::9]:80', 443)).toBe('https://[fd00::9]/');
  for (const [request, host] of [
    ['//evil.example/', 'cams'],
    ['http://evil.example/', 'cams'],
    ['/', 'evil.example/@cams'],
    ['/', ''],
  ] as const) {
    expect(target(request, host)).toBeUndefined();
  }
});

test('one-time passwords have no letters that look alike, and never repeat', () => {
  const passwords = new Passwords({
    hasher: { hash: async () => '', verify: async () => false },
    random: (bytes) => randomBytes(bytes),
  });

  const made = new Set(Array.from({ length: 1_000 }, () => passwords.oneTime()));

  expect(made.size).toBe(1_000);
  for (const password of made) expect(password).toMatch(/^[a-hjkmnp-z2-9]{5}(-[a-hjkmnp-z2-9]{5}){3}$/);
});

test('a password is long enough and more than the name', () => {
  expect(() => requireGoodPassword('short', 'ada')).toThrowError(expect.objectContaining({ code: 'invalid_argument' }));
  expect(() => requireGoodPassword('administrator', 'Administrator')).toThrowError();
  expect(() => requireGoodPassword('correct horse', 'ada')).not.toThrow();
});

test('any bytes are a head, no head yet, or something for the HTTP server to refuse', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void parseRequestHead(bytes)));
});
