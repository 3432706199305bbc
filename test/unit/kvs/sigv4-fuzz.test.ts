import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SignedRequest } from '../../../gateway/kvs/index.ts';
import { isAppError } from '../../../storage/base/errors.ts';
import { presigned, signed, verified, whole } from './kit.ts';

const body = '{"StreamName":"front-door"}';

/** Puts another character of the same kind and case where one stands: `%3a` and `%3A` are one. */
function changed(text: string, at: number): string {
  const place = at % text.length;
  const letter = text[place] ?? '';
  const [first, second] = /[0-9]/.test(letter) ? ['1', '2'] : /[A-Z]/.test(letter) ? ['A', 'B'] : ['a', 'b'];
  const other = letter === first ? second : first;
  return text.slice(0, place) + other + text.slice(place + 1);
}

/** One character of what is signed is another one: of the method, the target, a signed header or the signature itself. */
function mutated(request: SignedRequest, which: number, at: number): SignedRequest {
  const part = which % (request.headers.length + 2);
  if (part === 0) return { ...request, method: changed(request.method, at) };
  if (part === 1) return { ...request, target: changed(request.target, at) };
  const headers = request.headers.map(([name, value], index) =>
    index === part - 2 ? ([name, changed(value, at)] as const) : ([name, value] as const),
  );
  return { ...request, headers };
}

test('(26) a request of which one character was changed never verifies', async () => {
  const requests = [
    await signed({ body, path: '/pfx/describeStream', query: { a: 'b' }, sessionToken: 'token' }),
    await presigned({ path: '/', query: { 'X-Amz-ChannelARN': 'arn:aws:kinesisvideo' } }),
  ];
  for (const request of requests) {
    const bytes = request.method === 'POST' ? whole(body) : whole();
    expect(verified(request, { body: bytes }).accessKeyId).toBe('AKIDEXAMPLE');

    fc.assert(
      fc.property(fc.nat(), fc.nat(), (which, at) => {
        const other = mutated(request, which, at);
        fc.pre(JSON.stringify(other) !== JSON.stringify(request));
        expect(() => verified(other, { body: bytes })).toThrow();
      }),
      { numRuns: 500 },
    );
  }
});

test('(27) a body of which anything was changed never verifies', async () => {
  const request = await signed({ body, isHashSent: false });

  fc.assert(
    fc.property(fc.string(), (other) => {
      fc.pre(other !== body);
      expect(() => verified(request, { body: whole(other) })).toThrow();
    }),
  );
});

test('whatever comes as a head is answered with an error of the world, in bounded time', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.constantFrom('a/../', '%', '%zz', '//', '?', '&=&', 'a=,'),
  );
  const pieces = fc.array(text, { maxLength: 20 }).map((parts) => parts.join(''));
  const name = fc.oneof(fc.constantFrom('authorization', 'host', 'x-amz-date', 'x-amz-content-sha256'), text);
  const value = fc.oneof(
    pieces,
    pieces.map(
      (rest) => `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/kinesisvideo/aws4_request,${rest}`,
    ),
    fc.constant('20150830T123600Z'),
  );
  const target = fc.oneof(
    pieces,
    pieces.map((rest) => `/?X-Amz-Algorithm=AWS4-HMAC-SHA256&${rest}`),
  );

  fc.assert(
    fc.property(pieces, target, fc.array(fc.tuple(name, value), { maxLength: 30 }), (method, path, headers) => {
      try {
        verified({ method, target: path, headers });
        expect.unreachable('nothing was signed');
      } catch (error) {
        expect(isAppError(error)).toBe(true);
      }
    }),
    { numRuns: 1_000 },
  );
});
