import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { guardedLookup, isAllowed } from '../../../appliance/webhooks/address-policy.ts';
import { parseTarget } from '../../../appliance/webhooks/send.ts';
import { newSecret, signedHeaders } from '../../../appliance/webhooks/signature.ts';

test('openssl makes the same signature of what we sign', () => {
  const secret = newSecret(randomBytes);
  const body = JSON.stringify({ event: 'test', text: 'Tür äöü' });

  const headers = signedHeaders({ id: 'abc', body }, { secret, nowMs: 1_700_000_000_999 });

  const key = Buffer.from(secret.slice('whsec_'.length), 'base64').toString('hex');
  const signed = execFileSync('openssl', ['dgst', '-sha256', '-mac', 'HMAC', '-macopt', `hexkey:${key}`, '-binary'], {
    input: `abc.1700000000.${body}`,
  });
  expect(headers).toEqual({
    'webhook-id': 'abc',
    'webhook-timestamp': '1700000000',
    'webhook-signature': `v1,${signed.toString('base64')}`,
  });
});

test('a secret that is none of ours signs nothing', () => {
  for (const secret of ['', 'whsec_', 'whsec_AAAA', Buffer.alloc(32, 7).toString('base64')]) {
    expect(() => signedHeaders({ id: 'a', body: '{}' }, { secret, nowMs: 1 }), secret).toThrow('damaged');
  }
});

test.each([
  ['169.254.169.254', false, false, false],
  ['::ffff:169.254.169.254', false, false, false],
  ['64:ff9b::a9fe:a9fe', false, false, false],
  ['fe80::1', false, false, false],
  ['fd00:ec2::254', false, false, false],
  ['0.0.0.0', false, false, false],
  ['::', false, false, false],
  ['255.255.255.255', false, false, false],
  ['127.0.0.1', true, true, false],
  ['::1', true, true, false],
  ['192.168.1.7', true, true, false],
  ['::ffff:192.168.1.7', true, true, false],
  ['fd12::7', true, true, false],
  ['8.8.8.8', true, false, true],
  ['2606:4700::1111', true, false, true],
  ['no-address', false, false, false],
])('%s is allowed on a site: %s, on private networks: %s, in public: %s', (address, site, inPrivate, inPublic) => {
  expect([isAllowed(address, 'site'), isAllowed(address, 'private'), isAllowed(address, 'public')]).toEqual([
    site,
    inPrivate,
    inPublic,
  ]);
});

test('no link-local address is allowed, however it is written', () => {
  fc.assert(
    fc.property(fc.nat(255), fc.nat(255), fc.constantFrom('site', 'private', 'public'), (a, b, policy) => {
      const hex = (byte: number) => byte.toString(16).padStart(2, '0');
      for (const text of [
        `169.254.${a}.${b}`,
        `::ffff:169.254.${a}.${b}`,
        `::ffff:a9fe:${hex(a)}${hex(b)}`,
        `fe80::${hex(a)}${hex(b)}`,
      ]) {
        expect(isAllowed(text, policy as 'site')).toBe(false);
      }
      // Numbers of other forms are addresses already when the URL is read.
      expect(parseTarget(`http://${0xa9fe0000 + a * 256 + b}/`).hostname).toBe(`169.254.${a}.${b}`);
    }),
  );
});

test('a name is connected to by the addresses that are allowed alone', async () => {
  const look = (policy: 'site' | 'public') =>
    new Promise<unknown>((resolve) => {
      guardedLookup(policy)('localhost', { all: true }, (error, found) => resolve(error?.message ?? found));
    });

  expect(await look('site')).toContainEqual({ address: '127.0.0.1', family: 4 });
  expect(await look('public')).toMatch(/not allowed/);
});

test('an address is taken when something can be sent to it', () => {
  expect(parseTarget('https://chat.example/hooks/abc?token=1').host).toBe('chat.example');
  for (const text of [
    '',
    'chat.example',
    'ftp://a/',
    'file:///etc/passwd',
    'http://a:b@c/',
    `http://a/${'x'.repeat(2_000)}`,
  ]) {
    expect(() => parseTarget(text), text).toThrow();
  }
});
