/** Signatures as each known client makes them. Numbers in names are those of the conformance checklist. */

import { describe, expect, test } from 'vitest';
import type { SignedRequest } from '../../../gateway/kvs/index.ts';
import { sha256Hex } from '../../../gateway/kvs/index.ts';
import {
  accessKeyId,
  presigned,
  refusal,
  secretAccessKey,
  signed,
  signedMs,
  streamed,
  verified,
  whole,
} from './kit.ts';

const body = '{"StreamName":"front-door"}';
const minuteMs = 60_000;

/** The request with one header changed, added or (undefined) taken away. */
function withHeader(request: SignedRequest, name: string, value: string | undefined): SignedRequest {
  const others = request.headers.filter(([key]) => key.toLowerCase() !== name);
  return { ...request, headers: value === undefined ? others : [...others, [name, value]] };
}

const header = (request: SignedRequest, name: string) =>
  request.headers.find(([key]) => key.toLowerCase() === name)?.[1] ?? '';

describe('signed in the header', () => {
  test('(26) a call as the JS SDK sends it verifies, with and without session token, on a port that is signed', async () => {
    const headers = { 'content-type': 'application/json', 'amz-sdk-request': 'attempt=1; max=3' };
    const lasting = await signed({ body, headers });
    const temporary = await signed({ body, headers, sessionToken: 'a/session+token==' });

    expect(verified(lasting, { body: whole(body) })).toEqual({
      accessKeyId,
      sessionToken: undefined,
      scope: { date: '20150830', region: 'us-east-1', service: 'kinesisvideo' },
      signedHeaders: ['amz-sdk-request', 'content-type', 'host', 'x-amz-content-sha256', 'x-amz-date'],
      payload: { kind: 'body' },
    });
    expect(verified(temporary, { body: whole(body) })).toMatchObject({ sessionToken: 'a/session+token==' });
  });

  test('(26) a path prefix is signed with its operation, blanks and percent signs in it encoded twice', async () => {
    for (const path of ['/pfx/describeStream', '/a%20b/describeStream', '/50%25/~x/describeStream', '/']) {
      expect(verified(await signed({ body, path }), { body: whole(body) }).payload).toEqual({ kind: 'body' });
    }
  });

  test('(26) a signer that encodes no path twice is understood too', async () => {
    const twice = await signed({ path: '/a%20b/x' });
    const once = { ...(await signed({ path: '/a b/x' })), target: '/a%20b/x' };

    expect([verified(twice).accessKeyId, verified(once).accessKeyId]).toEqual([accessKeyId, accessKeyId]);
  });

  test('(26) a query is sorted and encoded anew before it is verified', async () => {
    const request = await signed({ query: { b: 'x y', a: 'arn:aws:kinesisvideo', 'a-': '1' } });

    expect(verified({ ...request, target: '/describeStream?b=x%20y&a-=1&a=arn:aws:kinesisvideo' }).accessKeyId).toBe(
      accessKeyId,
    );
    expect(() => verified({ ...request, target: '/describeStream?b=x%20y&a-=1&a=arn' })).toThrow('does not match');
  });

  test('(26) blanks around and inside of header values, and repeated headers, are signed in their canonical form', async () => {
    const request = await signed({ headers: { 'x-note': 'a b', 'x-list': 'one,two' } });
    const sent = withHeader(withHeader(request, 'x-note', '  a \t b  '), 'x-list', 'one');

    expect(verified({ ...sent, headers: [...sent.headers, ['X-List', ' two ']] }).accessKeyId).toBe(accessKeyId);
    expect(() => verified({ ...sent, headers: [['X-List', 'two'], ...sent.headers] })).toThrow('does not match');
  });

  test('(35) an absolute-form target is verified by its path', async () => {
    const request = await signed();

    expect(verified({ ...request, target: `https://kvs.example.org:8443${request.target}` }).accessKeyId).toBe(
      accessKeyId,
    );
  });

  test('(27) without x-amz-content-sha256 the body that came is hashed, and a tampered one fails', async () => {
    const request = await signed({ body, isHashSent: false, headers: { 'content-type': 'application/json' } });

    expect(header(request, 'x-amz-content-sha256')).toBe('');
    expect(verified(request, { body: whole(body) }).payload).toEqual({ kind: 'body' });
    expect(() => verified(request, { body: whole(`${body} `) })).toThrow('does not match');
  });

  test('(27) no literal in place of a hash lets another body through where the whole body is there', async () => {
    for (const literal of ['UNSIGNED-PAYLOAD', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD', sha256Hex('')]) {
      const request = await signed({ body, headers: { 'x-amz-content-sha256': literal } });

      expect(() => verified(request, { body: whole(body) })).toThrow('does not match');
    }
  });

  test('(28) PutMedia of the C producer verifies: hop-by-hop headers signed, host without port, hash of no body', async () => {
    const hopByHop = { connection: 'keep-alive', 'transfer-encoding': 'chunked', 'user-agent': 'producer-c' };
    const headers = { host: 'kvs.example.org', ...hopByHop, 'x-amzn-stream-name': 'front-door' };
    const request = await signed({ path: '/putMedia', headers, isHashSent: false, alsoSigned: Object.keys(headers) });
    const unsignedToken = withHeader(request, 'x-amz-security-token', 'token');

    expect(verified(unsignedToken, { body: streamed })).toMatchObject({
      sessionToken: 'token',
      signedHeaders: ['connection', 'host', 'transfer-encoding', 'user-agent', 'x-amz-date', 'x-amzn-stream-name'],
      payload: { kind: 'empty' },
    });
    expect(() => verified(withHeader(request, 'transfer-encoding', undefined), { body: streamed })).toThrow(
      'does not match',
    );
  });

  test('(29) PutMedia of the Java producer verifies: UNSIGNED-PAYLOAD in a header that is not signed', async () => {
    const headers = { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', 'x-amzn-stream-name': 'front-door' };
    const request = await signed({ path: '/putMedia', headers, notSigned: ['x-amz-content-sha256'] });

    expect(verified(request, { body: streamed }).payload).toEqual({ kind: 'unsigned' });
    expect(verified(withHeader(request, 'x-amz-content-sha256', 'nonsense'), { body: streamed }).payload).toEqual({
      kind: 'unsigned',
    });
  });

  test('(29) PutMedia of the Java SDK v1 verifies with the STREAMING literal', async () => {
    const headers = { 'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' };

    const found = verified(await signed({ path: '/putMedia', headers }), { body: streamed });

    expect(found.payload).toEqual({ kind: 'streaming' });
  });

  test('(29) PutMedia with a signed UNSIGNED-PAYLOAD or a hash of its own verifies, and says what is covered', async () => {
    const unsigned = await signed({ path: '/putMedia', headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } });
    const hashed = await signed({ path: '/putMedia', body: 'media' });
    const empty = await signed({ path: '/putMedia' });

    expect(verified(unsigned, { body: streamed }).payload).toEqual({ kind: 'unsigned' });
    expect(verified(hashed, { body: streamed }).payload).toEqual({ kind: 'declared', sha256: sha256Hex('media') });
    expect(verified(empty, { body: streamed }).payload).toEqual({ kind: 'empty' });
  });

  test('(26) any region verifies, unless the appliance names its own', async () => {
    const request = await signed({ region: 'ap-northeast-1' });

    expect(verified(request).scope.region).toBe('ap-northeast-1');
    expect(() => verified(request, { regions: ['eu-central-1'] })).toThrow(
      'Credential should be scoped to a valid region.',
    );
  });

  test('(31) a clock that is off by more than 15 minutes is told so in the words that clients look for', async () => {
    const request = await signed();

    expect(verified(request, { nowMs: signedMs + 15 * minuteMs }).accessKeyId).toBe(accessKeyId);
    expect(verified(request, { nowMs: signedMs - 15 * minuteMs }).accessKeyId).toBe(accessKeyId);
    expect(() => verified(request, { nowMs: signedMs + 16 * minuteMs })).toThrow(
      'Signature expired: 20150830T123600Z is now earlier than 20150830T123700Z (20150830T125200Z - 15 min.)',
    );
    expect(() => verified(request, { nowMs: signedMs - 16 * minuteMs })).toThrow(
      'Signature not yet current: 20150830T123600Z is still later than 20150830T123500Z (20150830T122000Z + 15 min.)',
    );
  });

  test('(32) what is not signed at all is told that a token is missing', async () => {
    const request = await signed();
    const expected = expect.objectContaining(
      refusal('MissingAuthenticationTokenException', 'Missing Authentication Token'),
    );

    expect(() => verified(withHeader(request, 'authorization', undefined))).toThrowError(expected);
    expect(() => verified(withHeader(request, 'authorization', 'Bearer weir_abc'))).toThrowError(expected);
  });

  test('an unknown key is told apart from a wrong secret, and a tampered part of the scope from both', async () => {
    const request = await signed();
    const authorization = header(request, 'authorization');
    const answered = (from: string, to: string) => () =>
      verified(withHeader(request, 'authorization', authorization.replace(from, to)));

    expect(answered(accessKeyId, 'AKIDOTHER')).toThrowError(
      expect.objectContaining(refusal('UnrecognizedClientException')),
    );
    expect(answered('us-east-1', 'us-east-2')).toThrowError(
      expect.objectContaining(refusal('InvalidSignatureException')),
    );
    expect(answered('/kinesisvideo/', '/s3/')).toThrow(
      "Credential should be scoped to correct service: 'kinesisvideo'.",
    );
    expect(answered('20150830', '20150829')).toThrow(
      "does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150829' != '20150830'",
    );
  });

  test('an incomplete or misspelt signature is refused before any key is looked up', async () => {
    const request = await signed();
    const right = header(request, 'authorization');
    const wrong = [
      'AWS4-HMAC-SHA256',
      'AWS4-HMAC-SHA256 ',
      right.replace('AWS4-HMAC-SHA256', 'AWS4-ECDSA-P256-SHA256'),
      right.replace(/Signature=.*/, 'Signature='),
      right.replace(/Signature=.*/, 'Signature=00'),
      right.replace('host;', ''),
      right.replace('host;', 'Host;'),
      right.replace('host;', 'host;host;'),
      right.replace('aws4_request', 'aws5_request'),
      right.replace(accessKeyId, 'a/b'),
      `${right}, Signature=${'0'.repeat(64)}`,
      right + 'x'.repeat(9_000),
    ];

    for (const authorization of wrong) {
      expect(() => verified(withHeader(request, 'authorization', authorization))).toThrowError(
        expect.objectContaining(refusal('IncompleteSignatureException')),
      );
    }
    for (const date of [undefined, '2015-08-30', '20150230T123600Z']) {
      expect(() => verified(withHeader(request, 'x-amz-date', date))).toThrowError(
        expect.objectContaining(refusal('IncompleteSignatureException')),
      );
    }
  });

  test('a head that is longer than any client sends is refused', async () => {
    const request = await signed();
    const many = Array.from({ length: 200 }, (_, at) => [`x-${at}`, ''] as const);
    const expected = expect.objectContaining(refusal('InvalidArgumentException', /too (long|many)/));

    expect(() => verified({ ...request, target: `/${'a'.repeat(20_000)}` })).toThrowError(expected);
    expect(() => verified({ ...request, headers: [...request.headers, ...many] })).toThrowError(expected);
    expect(() => verified({ ...request, target: `/x?${'a&'.repeat(100)}` })).toThrowError(expected);
  });

  test('no refusal tells the secret or the signature that would have been right', async () => {
    const request = await signed({ body });
    const right = /Signature=(\w+)/.exec(header(request, 'authorization'))?.[1] ?? '-';

    const tried = () =>
      verified(withHeader(request, 'x-amz-content-sha256', sha256Hex('other')), { body: whole('other') });

    expect(tried).toThrowError(
      expect.not.objectContaining({ message: expect.stringMatching(`${secretAccessKey}|${right}`) }),
    );
    expect(tried).toThrow('does not match');
  });
});

describe('signed in the query', () => {
  const query = {
    'X-Amz-ChannelARN': 'arn:aws:kinesisvideo:us-east-1:123456789012:channel/door/1',
    'X-Amz-ClientId': 'me',
  };

  test('(30) a presigned URL verifies, the session token inside of what is signed', async () => {
    const request = await presigned({ path: '/', query, sessionToken: 'a/session+token==' });

    expect(request.target).toContain('X-Amz-Security-Token=a%2Fsession%2Btoken%3D%3D');
    expect(verified(request)).toMatchObject({ sessionToken: 'a/session+token==', signedHeaders: ['host'] });
    expect(() => verified({ ...request, target: request.target.replace('session', 'sessiom') })).toThrow(
      'does not match',
    );
  });

  test('(30) an ARN that stands in the URL as it is, is the same ARN', async () => {
    const request = await presigned({ path: '/', query });

    expect(
      verified({ ...request, target: request.target.replaceAll('%3A', ':').replace('channel%2F', 'channel/') })
        .accessKeyId,
    ).toBe(accessKeyId);
  });

  test('(30) it is good until it expires, a week at most, and altered it never is', async () => {
    const request = await presigned({ path: '/', query }, 299);
    const week = await presigned({ path: '/', query }, 604_800);

    expect(verified(request, { nowMs: signedMs + 299_000 }).accessKeyId).toBe(accessKeyId);
    expect(() => verified(request, { nowMs: signedMs + 299_001 })).toThrow(/^Signature expired: .* - 299 sec\.\)$/);
    expect(verified(week, { nowMs: signedMs + 604_800_000 }).accessKeyId).toBe(accessKeyId);
    for (const expires of ['298', '0', '604801', '-1', 'x']) {
      const altered = { ...request, target: request.target.replace('X-Amz-Expires=299', `X-Amz-Expires=${expires}`) };
      expect(() => verified(altered)).toThrow();
    }
  });

  test('PutMedia may be presigned too: its body is not covered', async () => {
    const request = await presigned({ path: '/putMedia', method: 'POST' });

    expect(verified(request, { body: streamed }).payload).toEqual({ kind: 'empty' });
  });

  test('a parameter that comes twice, and a signature in both places, are refused', async () => {
    const request = await presigned({ path: '/', query });
    const both: SignedRequest = {
      ...request,
      headers: [...request.headers, ['authorization', 'AWS4-HMAC-SHA256 Credential=x']],
    };
    const expected = expect.objectContaining(refusal('IncompleteSignatureException'));

    expect(() => verified({ ...request, target: `${request.target}&X-Amz-Date=20150830T123600Z` })).toThrowError(
      expected,
    );
    expect(() => verified(both)).toThrowError(expected);
  });
});
