import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AnswerBudget } from '../../../gateway/webrtc/stun/answer-budget.ts';
import { answerTo } from '../../../gateway/webrtc/stun/message.ts';

const viewer = { address: '192.0.2.1', port: 32_853 };
const transaction = Buffer.from('b7e7a701bc34d686fa87dfae', 'hex');

function attribute(type: number, value: Uint8Array = new Uint8Array()): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
}

function request(attributes: readonly Uint8Array[] = [], { type = 0x0001, cookie = 0x2112a442 } = {}): Buffer {
  const body = Buffer.concat(attributes);
  const head = Buffer.alloc(8);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(body.length, 2);
  head.writeUInt32BE(cookie, 4);
  return Buffer.concat([head, transaction, body]);
}

const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');

describe('the answer', () => {
  test('is the address and port of who asks, as the vectors of RFC 5769 have them', () => {
    const ipv6 = { address: '2001:db8:1234:5678:11:2233:4455:6677', port: 32_853 };

    expect(hex(answerTo(request(), viewer))).toBe(
      `0101000c2112a442${transaction.toString('hex')}002000080001a147e112a643`,
    );
    expect(hex(answerTo(request(), ipv6))).toBe(
      `010100182112a442${transaction.toString('hex')}002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9`,
    );
  });

  test.each([
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['fe80::1%eth0', 'fe80:0:0:0:0:0:0:1'],
    ['::1', '0:0:0:0:0:0:0:1'],
    ['2001:db8::', '2001:db8:0:0:0:0:0:0'],
    ['::192.0.2.1', '0:0:0:0:0:0:c000:201'],
  ])('is the same for %s and %s', (spelt, plain) => {
    const answer = answerTo(request(), { address: spelt, port: 9 });

    expect(answer).toBeDefined();
    expect(hex(answer)).toBe(hex(answerTo(request(), { address: plain, port: 9 })));
  });

  test('passes over what it may skip, and credentials that nobody asked for', () => {
    const asked = request([
      attribute(0x8022, Buffer.from('a client of some name')),
      attribute(0x0006, Buffer.from('user')),
      attribute(0x0008, createHmac('sha1', 'key').digest()),
      attribute(0x8028, Buffer.alloc(4)),
    ]);

    expect(hex(answerTo(asked, viewer))).toBe(hex(answerTo(request(), viewer)));
  });

  test('is 420 with the list of what would have to be understood', () => {
    const changeRequest = attribute(0x0003, Buffer.from([0, 0, 0, 6]));
    const answer = answerTo(request([changeRequest, attribute(0x0027), changeRequest, attribute(0x0024)]), viewer);

    expect(hex(answer)).toBe(`011100142112a442${transaction.toString('hex')}0009000400000414000a00060003002700240000`);
  });
});

describe('silence meets', () => {
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['half a head', request().subarray(0, 19)],
    ['another cookie, as before RFC 5389', request([], { cookie: 1 })],
    ['an answer, so that two servers never talk for ever', request([], { type: 0x0101 })],
    ['an indication', request([], { type: 0x0011 })],
    ['a question for a relay', request([], { type: 0x0003 })],
    ['less than its length says', request([attribute(0x8022, Buffer.alloc(8))]).subarray(0, 28)],
    ['more than its length says', Buffer.concat([request(), Buffer.alloc(4)])],
    ['an attribute beyond the end', request([Buffer.from([0x80, 0x22, 0, 5, 1, 2, 3, 4])])],
    ['half an attribute', request([Buffer.from([0x80, 0x22])])],
    ['more than a datagram of unknown path has', request([attribute(0x8022, Buffer.alloc(528))])],
  ])('%s', (_, asked) => {
    expect(answerTo(asked, viewer)).toBeUndefined();
  });

  test('an address that is none', () => {
    expect(answerTo(request(), { address: 'somewhere', port: 1 })).toBeUndefined();
  });
});

test('whatever comes, nothing is thrown and no answer has more than 24 bytes more than the question', () => {
  const attributes = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 0xffff }), fc.uint8Array({ maxLength: 40 })).map((each) => attribute(...each)),
    { maxLength: 140 },
  );
  const changed = fc
    .tuple(
      attributes.map((each) => request(each)),
      fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 4 }),
    )
    .map(([bytes, changes]) => {
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      return bytes;
    });
  const source = fc.record({
    address: fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()),
    port: fc.integer({ min: 0, max: 65_535 }),
  });
  let answers = 0;

  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 700 }), changed), source, (bytes, from) => {
      const answer = answerTo(bytes, from);
      if (answer === undefined) return;
      answers++;
      expect(answer.length).toBeLessThanOrEqual(bytes.length + 24);
      expect(new DataView(answer.buffer).getUint16(2)).toBe(answer.length - 20);
      expect(hex(answer.subarray(4, 20))).toBe(hex(bytes.subarray(4, 20)));
    }),
    { numRuns: 2_000 },
  );
  expect(answers).toBeGreaterThan(0);
});

describe('in a second', () => {
  test('a source gets fifty answers, under all addresses of its /64, and others their own', () => {
    const budget = new AnswerBudget();
    const taken = (address: string, nowMs: number) =>
      Array.from({ length: 60 }, (_, i) => budget.take(address.replace('*', `${i + 1}`), nowMs)).filter(Boolean).length;

    expect(taken('2001:db8::*', 0)).toBe(50);
    expect(taken('192.0.2.1', 999)).toBe(50);
    expect(taken('2001:db8::1', 999)).toBe(0);
    expect(taken('2001:db8::1', 1_000)).toBe(50);
  });

  test('all together get a thousand', () => {
    const budget = new AnswerBudget();
    const taken = (nowMs: number) =>
      Array.from({ length: 2_000 }, (_, i) => budget.take(`10.0.${i >> 8}.${i & 255}`, nowMs)).filter(Boolean).length;

    expect(taken(0)).toBe(1_000);
    expect(taken(1_000)).toBe(1_000);
  });
});
