/** Cases of the test suite that AWS publishes for SigV4, written down by hand: request, signed headers, signature. */

import { expect, test } from 'vitest';
import { sha256Hex } from '../../../gateway/kvs/index.ts';
import { verified } from './kit.ts';

type Case = {
  readonly name: string;
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly signedHeaders: string;
  readonly body?: string;
  readonly signature: string;
};

const host = ['Host', 'example.amazonaws.com'] as const;
const date = ['X-Amz-Date', '20150830T123600Z'] as const;
const plain = { method: 'GET', target: '/', headers: [host, date], signedHeaders: 'host;x-amz-date' };
const vanilla = '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31';
const utf8 = (text: string) => Buffer.from(text).toString('latin1');

const cases: readonly Case[] = [
  { ...plain, name: 'get-vanilla', signature: vanilla },
  { ...plain, name: 'get-slash', target: '//', signature: vanilla },
  { ...plain, name: 'get-slashes-dots', target: '/./', signature: vanilla },
  { ...plain, name: 'get-relative', target: '/example/..', signature: vanilla },
  { ...plain, name: 'get-relative-relative', target: '/example1/example2/../..', signature: vanilla },
  {
    ...plain,
    name: 'get-vanilla-query-order-key-case',
    target: '/?Param2=value2&Param1=value1',
    signature: 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  },
  {
    ...plain,
    name: 'get-vanilla-utf8-query',
    target: utf8('/?ሴ=bar'),
    signature: '2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04',
  },
  {
    ...plain,
    name: 'get-utf8',
    target: utf8('/ሴ'),
    signature: '8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85',
  },
  {
    ...plain,
    name: 'get-unreserved',
    target: '/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
    signature: '07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f',
  },
  {
    ...plain,
    name: 'get-header-key-duplicate',
    headers: [host, ['My-Header1', 'value2'], ['My-Header1', 'value2'], ['My-Header1', 'value1'], date],
    signedHeaders: 'host;my-header1;x-amz-date',
    signature: 'c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea',
  },
  {
    ...plain,
    name: 'get-header-value-order',
    headers: [
      host,
      ['My-Header1', 'value4'],
      ['My-Header1', 'value1'],
      ['My-Header1', 'value3'],
      ['My-Header1', 'value2'],
      date,
    ],
    signedHeaders: 'host;my-header1;x-amz-date',
    signature: '08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01',
  },
  {
    ...plain,
    name: 'get-header-value-trim',
    headers: [host, ['My-Header1', ' value1'], ['My-Header2', ' "a   b   c"'], date],
    signedHeaders: 'host;my-header1;my-header2;x-amz-date',
    signature: 'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
  },
  {
    ...plain,
    name: 'post-vanilla',
    method: 'POST',
    signature: '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  },
  {
    ...plain,
    name: 'post-vanilla-query',
    method: 'POST',
    target: '/?Param1=value1',
    signature: '28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11',
  },
  {
    ...plain,
    name: 'post-header-key-sort',
    method: 'POST',
    headers: [host, ['My-Header1', 'value1'], date],
    signedHeaders: 'host;my-header1;x-amz-date',
    signature: 'c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c',
  },
  {
    ...plain,
    name: 'post-x-www-form-urlencoded',
    method: 'POST',
    headers: [['Content-Type', 'application/x-www-form-urlencoded'], host, date],
    signedHeaders: 'content-type;host;x-amz-date',
    body: 'Param1=value1',
    signature: 'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
  },
  {
    ...plain,
    name: 'post-sts-header-after',
    method: 'POST',
    headers: [host, date, ['X-Amz-Security-Token', 'a token that is sent and not signed']],
    signature: '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  },
];

for (const { name, method, target, headers, signedHeaders, body, signature } of cases) {
  test(`(26) the published case ${name} verifies, and not with another last digit`, () => {
    const request = (hex: string) => ({
      method,
      target,
      headers: [
        ...headers,
        [
          'Authorization',
          `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=${signedHeaders}, Signature=${hex}`,
        ] as const,
      ],
    });
    const facts = {
      body: { kind: 'whole', sha256: sha256Hex(body ?? '') },
      services: ['service'],
    } as const;
    const changed = signature.slice(0, -1) + (signature.endsWith('0') ? '1' : '0');

    expect(verified(request(signature), facts)).toMatchObject({
      accessKeyId: 'AKIDEXAMPLE',
      payload: { kind: 'body' },
    });
    expect(() => verified(request(changed), facts)).toThrow('does not match');
  });
}
