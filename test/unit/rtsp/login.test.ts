import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { Login, parseChallenges } from '../../../gateway/rtsp/wire/login.ts';
import { countedRandom } from './packets.ts';

const credentials = { username: 'Mufasa', password: 'Circle Of Life' };
const open = (options: { isBasicAllowed?: boolean } = {}) =>
  new Login({ random: countedRandom() }, { credentials, isBasicAllowed: options.isBasicAllowed ?? true });
const field = (text: string | undefined, name: string) => new RegExp(`${name}="?([^",]+)"?`).exec(text ?? '')?.[1];

test('a digest without qop is the one of RFC 2069', () => {
  const login = open();

  login.challenged(
    [
      'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"',
    ],
    false,
  );
  const value = login.authorization('GET', '/dir/index.html');

  expect(field(value, 'response')).toBe('670fd8c2df070c60b045671b8b24ff02');
  expect(field(value, 'opaque')).toBe('5ccc069c403ebaf9f0171e9517f40e41');
  expect(value).not.toMatch(/algorithm|qop|cnonce/);
});

test.each([
  ['MD5', 'md5', false],
  ['SHA-256', 'sha256', false],
  ['MD5-sess', 'md5', true],
  ['SHA-256-sess', 'sha256', true],
] as const)('a digest with qop and %s counts its uses', (name, hash, isSession) => {
  const login = open();
  const h = (text: string) => createHash(hash).update(text).digest('hex');

  login.challenged([`Digest realm="r", nonce="n", algorithm=${name}, qop="auth,auth-int"`], false);
  login.authorization('OPTIONS', 'rtsp://h/a');
  const value = login.authorization('DESCRIBE', 'rtsp://h/a');

  const nonce = field(value, 'cnonce') ?? '';
  const secret = h('Mufasa:r:Circle Of Life');
  const a1 = isSession ? h(`${secret}:n:${nonce}`) : secret;
  expect(field(value, 'nc')).toBe('00000002');
  expect(field(value, 'response')).toBe(h(`${a1}:n:00000002:${nonce}:auth:${h('DESCRIBE:rtsp://h/a')}`));
  expect(field(value, 'algorithm')).toBe(name);
});

test('the strongest of several challenges is answered, in one header or in several', () => {
  const together = open();
  const apart = open();

  together.challenged(
    ['Basic realm="r", Digest realm="r", nonce="1", algorithm=MD5, Digest realm="r", nonce="2", algorithm=SHA-256'],
    false,
  );
  apart.challenged(
    ['Digest realm="r", nonce="1"', 'Basic realm="r"', 'Digest realm="r",nonce="2",algorithm="SHA-256",stale="FALSE"'],
    false,
  );

  for (const login of [together, apart]) expect(field(login.authorization('PLAY', 'x'), 'nonce')).toBe('2');
});

test('a camera that refuses its own SHA-256 is asked again with MD5, then it is given up', () => {
  const login = open();
  const challenges = ['Digest realm="r", nonce="1", algorithm=MD5', 'Digest realm="r", nonce="2", algorithm=SHA-256'];

  const tries = [
    login.challenged(challenges, false),
    login.challenged(challenges, true),
    login.challenged(challenges, true),
  ];

  expect(tries).toEqual([true, true, false]);
});

test('a stale nonce is replaced, by the word of the server or after the login was good', () => {
  const told = open();
  told.challenged(['Digest realm="r", nonce="1"'], false);
  const silent = open();
  silent.challenged(['Digest realm="r", nonce="1"'], false);
  silent.accepted();

  expect(told.challenged(['Digest realm="r", nonce="2", stale=TRUE'], true)).toBe(true);
  expect(silent.challenged(['Digest realm="r", nonce="2"'], true)).toBe(true);
  for (const login of [told, silent]) expect(field(login.authorization('PLAY', 'x'), 'nonce')).toBe('2');
});

test('basic sends user and password in UTF-8, but never to a host that a redirect named', () => {
  const login = new Login(
    { random: () => 0.5 },
    { credentials: { username: 'jürgen', password: 'a:b"c' }, isBasicAllowed: true },
  );

  login.challenged(['Basic realm="r"'], false);

  expect(login.authorization('PLAY', 'x')).toBe(`Basic ${Buffer.from('jürgen:a:b"c').toString('base64')}`);
  expect(open({ isBasicAllowed: false }).challenged(['Basic realm="r"'], false)).toBe(false);
});

test('quotes and commas inside a challenge are read, unknown schemes passed over', () => {
  expect(parseChallenges('Negotiate, Digest realm="a \\"b\\", c", nonce=xyz')).toMatchObject([
    { realm: 'a "b", c', nonce: 'xyz' },
  ]);
  expect(parseChallenges('Digest realm="a", nonce="b", algorithm=WHAT')).toEqual([]);
});
