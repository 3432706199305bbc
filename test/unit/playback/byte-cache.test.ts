import { expect, test } from 'vitest';
import { ByteCache } from '../../../gateway/playback/byte-cache.ts';

function cacheOf(bytesMax: number): ByteCache<Uint8Array> {
  return new ByteCache({ bytesMax, bytesOf: (bytes: Uint8Array) => bytes.length });
}

test('what many ask for at once is made once', async () => {
  const cache = cacheOf(100);
  let made = 0;
  const make = async () => {
    made++;
    return new Uint8Array(10);
  };

  await Promise.all([cache.get('a', make), cache.get('a', make), cache.get('a', make)]);
  await cache.get('a', make);

  expect(made).toBe(1);
});

test('the least recently used goes when the bytes are used up', async () => {
  const cache = cacheOf(30);
  const madeFor: string[] = [];
  const ask = (key: string) =>
    cache.get(key, async () => {
      madeFor.push(key);
      return new Uint8Array(10);
    });

  for (const key of ['a', 'b', 'c', 'a', 'd', 'a', 'b']) await ask(key);

  expect(madeFor).toEqual(['a', 'b', 'c', 'd', 'b']);
  expect(cache.bytes).toBe(30);
});

test('a failure is not kept, and what is too large is not either', async () => {
  const cache = cacheOf(30);

  await expect(cache.get('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  await cache.get('a', async () => new Uint8Array(31));

  expect(cache.bytes).toBe(0);
  expect((await cache.get('a', async () => new Uint8Array(5))).length).toBe(5);
});
