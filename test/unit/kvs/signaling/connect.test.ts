/** What stands in the URL of a connection. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readConnectWish } from '../../../../gateway/kvs/index.ts';
import { isAppError } from '../../../../storage/base/errors.ts';

const arn = 'arn:aws:kinesisvideo:us-east-1:000000000000:channel/gate/1795263502114';

test('an ARN may come encoded or as it is', () => {
  const wish = { role: 'viewer', channelArn: arn, clientId: 'v-1' };

  for (const text of [arn, encodeURIComponent(arn)]) {
    expect(readConnectWish(`/connectAsViewer?X-Amz-ChannelARN=${text}&X-Amz-ClientId=v-1`, 'viewer')).toEqual(wish);
  }
});

test("a master's client id is not read", () => {
  expect(readConnectWish(`/?X-Amz-ChannelARN=${arn}&X-Amz-ClientId=a%20b`, 'master').clientId).toBe('');
});

test.each([
  ['no ARN', '/?X-Amz-ClientId=v'],
  ['something else', '/?X-Amz-ChannelARN=gate&X-Amz-ClientId=v'],
  ['two ARNs', `/?X-Amz-ChannelARN=${arn}&X-Amz-ChannelARN=${arn}&X-Amz-ClientId=v`],
  ['no client id', `/?X-Amz-ChannelARN=${arn}`],
  ['an empty client id', `/?X-Amz-ChannelARN=${arn}&X-Amz-ClientId=`],
  ['a client id of other characters', `/?X-Amz-ChannelARN=${arn}&X-Amz-ClientId=a%20b`],
])('%s is InvalidArgument', (_what, target) => {
  expect(() => readConnectWish(target, 'viewer')).toThrow(
    expect.objectContaining({ context: expect.objectContaining({ awsName: 'InvalidArgumentException' }) }),
  );
});

test('whatever stands in a URL is read, or refused by a name of AWS', () => {
  const part = fc.oneof(
    fc.string(),
    fc.constantFrom(
      'X-Amz-ChannelARN=',
      `X-Amz-ChannelARN=${arn}`,
      'X-Amz-ClientId=v',
      '&',
      '?',
      '%',
      '%zz',
      '=',
      '/',
      '#',
    ),
  );
  fc.assert(
    fc.property(fc.array(part), fc.constantFrom('master' as const, 'viewer' as const), (parts, role) => {
      try {
        expect(readConnectWish(`/connect?${parts.join('')}`, role).channelArn).toMatch(/^arn:/);
      } catch (error) {
        if (!isAppError(error, 'invalid_argument')) throw error;
      }
    }),
  );
});
