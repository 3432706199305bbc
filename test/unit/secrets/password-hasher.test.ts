import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { Argon2Hasher } from '../../../appliance/secrets/index.ts';

const hasher = new Argon2Hasher(randomBytes);

it('a hash tells its parameters and verifies its password only', async () => {
  const hash = await hasher.hash('correct horse');

  expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(await hasher.verify('correct horse', hash)).toBe(true);
  expect(await hasher.verify('correct house', hash)).toBe(false);
});

it('a password is the same in either Unicode spelling', async () => {
  expect(await hasher.verify('\u00e4rger', await hasher.hash('a\u0308rger'))).toBe(true);
});

it('a hash of the reference implementation verifies', async () => {
  const reference = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';

  expect(await hasher.verify('password', reference)).toBe(true);
});

it('what is no hash, or asks for too much, verifies nothing', async () => {
  for (const text of [
    '',
    'password',
    '$argon2id$v=19$m=99999999,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8',
  ]) {
    expect(await hasher.verify('password', text)).toBe(false);
  }
});
