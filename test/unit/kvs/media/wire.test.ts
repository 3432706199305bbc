/** Documents and tokens as values. */

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  closingBytes,
  documentHead,
  faultDocument,
  openingBytes,
  secondsText,
} from '../../../../gateway/kvs/media/documents.ts';
import { readListToken, writeListToken } from '../../../../gateway/kvs/media/list-token.ts';
import { fragmentSelectorMember, numbersMember, startSelectorMember } from '../../../../gateway/kvs/media/selectors.ts';
import { readMatroskaHead, readTags, untargetedTags } from '../../../../storage/media/index.ts';
import { readBody } from '../../../kit/kvs-documents.ts';
import { runHead, someFragments } from './kit.ts';

const [{ fragment }] = someFragments(1) as [ReturnType<typeof someFragments>[number]];

test('the size of a Segment is made unknown in place, whatever bytes it was written in', () => {
  const at = Buffer.from(runHead).indexOf(Buffer.of(0x18, 0x53, 0x80, 0x67)) + 4;
  for (let length = 1; length <= 8; length++) {
    const size = Buffer.alloc(length);
    size[0] = 0x80 >> (length - 1);
    const known = Buffer.concat([runHead.subarray(0, at), size, runHead.subarray(at + 8)]);

    const head = documentHead(known);

    const unknown = Buffer.alloc(length, 0xff);
    unknown[0] = 0xff >> (length - 1);
    expect(Buffer.from(head.subarray(at, at + length)).equals(unknown)).toBe(true);
    expect(Buffer.from(head.subarray(at + length)).equals(runHead.subarray(at + 8))).toBe(true);
    expect(readMatroskaHead(head).tracks).toHaveLength(1);
  }
  expect(documentHead(runHead)).toEqual(new Uint8Array(runHead));
  expect(() => documentHead(Buffer.from('nothing'))).toThrow();
});

test('sizes of our tags take four bytes, and no tag names a target', () => {
  const bytes = closingBytes({ number: fragment.number, behindMs: -3.2 });

  expect(Buffer.from(bytes.subarray(0, 5)).toString('hex')).toBe('1254c36710');
  expect(Buffer.from(bytes.subarray(8, 11)).toString('hex')).toBe('737310');
  expect(Buffer.from(bytes.subarray(14, 17)).toString('hex')).toBe('67c810');
  expect(readTags(bytes)).toEqual([
    { name: 'AWS_KINESISVIDEO_MILLIS_BEHIND_NOW', value: '0' },
    { name: 'AWS_KINESISVIDEO_CONTINUATION_TOKEN', value: fragment.number },
  ]);
});

test('seconds have three decimals, also where milliseconds have a fraction', () => {
  expect([1_511_852_109_126, 1_000, 0, 1_499.6].map(secondsText)).toEqual([
    '1511852109.126',
    '1.000',
    '0.000',
    '1.500',
  ]);
});

test('a fault is a document of its own, with the header of its run or with one of ours', () => {
  const fault = { id: 5000, code: 'INTERNAL_ERROR', text: 'The fragment could not be read.' } as const;
  for (const head of [documentHead(runHead), undefined]) {
    const bytes = faultDocument({ head, number: fragment.number, fault, spelling: 'fragment-list' });
    expect(readBody(Buffer.from(bytes)).fault?.before).toEqual({
      AWS_KINESISVIDEO_FRAGMENT_NUMBER: fragment.number,
      AWS_KINESISVIDEO_ERROR_CODE: 'INTERNAL_ERROR',
      AWS_KINESISVIDEO_ERROR_ID: '5000',
      AWS_KINESISVIDEO_EXCEPTION_ERROR_CODE: '5000',
      AWS_KINESISVIDEO_EXCEPTION_MESSAGE: 'The fragment could not be read.',
    });
  }
});

test('any text of a producer comes through tags as it was', () => {
  const text = fc.string({ unit: 'binary', maxLength: 60 }).filter((value) => !value.includes('\0'));
  fc.assert(
    fc.property(fc.array(fc.record({ name: text, value: text }), { maxLength: 10 }), (tags) => {
      const opening = openingBytes({ head: documentHead(runHead), fragment, tags, spelling: 'get-media' });
      if (tags.length === 0) return;
      const own = untargetedTags(tags);
      expect(readTags(opening.subarray(opening.length - own.length))).toEqual(tags);
    }),
  );
});

test('a token of any bytes is one that we made, or refused by name', () => {
  const place = {
    streamId: 'door',
    selector: { axis: 'producer', firstMs: 1, lastMs: 2.5 },
    itemsMax: 7,
    after: { atMs: 2, number: fragment.number },
  } as const;
  const token = writeListToken(place);
  const refusal = (given: string, streamId: string) => {
    try {
      readListToken(given, streamId);
      return 'taken';
    } catch (error) {
      return (error as { context: { awsName: string } }).context.awsName;
    }
  };

  expect(readListToken(token, 'door')).toEqual(place);
  expect(token).toMatch(/^[a-zA-Z0-9+/]{1,4094}={0,2}$/);
  expect(refusal(token, 'yard')).toBe('InvalidArgumentException');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(refusal(Buffer.from(bytes).toString('base64'), 'door')).toBe('InvalidArgumentException');
    }),
  );
  fc.assert(
    fc.property(fc.nat(token.length - 5), fc.constantFrom('A', 'b', '9', '+'), (at, letter) => {
      const changed = token.slice(0, at) + letter + token.slice(at + 1);
      if (changed !== token) expect(refusal(changed, 'door')).toBe('InvalidArgumentException');
    }),
  );
});

test('selectors and lists of any JSON are taken or refused by name', () => {
  const types = fc.constantFrom(
    'NOW',
    'FRAGMENT_NUMBER',
    'SERVER_TIMESTAMP',
    'CONTINUATION_TOKEN',
    'PRODUCER_TIMESTAMP',
  );
  const value = fc.oneof(fc.jsonValue(), fc.constant(fragment.number), fc.double(), types);
  const selector = fc.record(
    {
      StartSelectorType: value,
      AfterFragmentNumber: value,
      ContinuationToken: value,
      StartTimestamp: value,
      FragmentSelectorType: value,
      TimestampRange: fc.oneof(fc.jsonValue(), fc.record({ StartTimestamp: value, EndTimestamp: value })),
    },
    { requiredKeys: [] },
  );
  const input = fc.record({
    StartSelector: fc.oneof(selector, fc.jsonValue()),
    FragmentSelector: fc.oneof(selector, fc.jsonValue()),
    Fragments: fc.oneof(fc.array(value), fc.jsonValue()),
  });
  fc.assert(
    fc.property(input, (given) => {
      for (const read of [startSelectorMember, fragmentSelectorMember, numbersMember]) {
        try {
          read(given);
        } catch (error) {
          expect(error).toMatchObject({ context: { awsName: 'InvalidArgumentException' } });
        }
      }
    }),
  );
});
