/** Messages of signalling as clients write them, and whatever else may come. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { awsErrorOf } from '../../../../gateway/kvs/index.ts';
import {
  messageText,
  payloadOf,
  readCandidate,
  readDescription,
  readPeerMessage,
  statusText,
} from '../../../../gateway/kvs/signaling/messages.ts';
import { isAppError } from '../../../../storage/base/errors.ts';
import { base64 } from './kit.ts';

test('the message of the SDK for JavaScript and the one of the native SDK are one', () => {
  const payload = base64('{"type":"offer","sdp":"v=0"}');
  const script = {
    action: 'SDP_OFFER',
    messagePayload: payload,
    recipientClientId: 'viewer-1',
    correlationId: '17.a_b-c',
  };
  const native = {
    ...{ action: 'SDP_OFFER', RecipientClientId: 'viewer-1', MessagePayload: payload, CorrelationId: '17.a_b-c' },
    IceServerList: [{ Password: 'p', Ttl: 300, Uris: ['turn:a'], Username: 'u' }],
  };

  const read = readPeerMessage(JSON.stringify(script));

  expect(read).toEqual({ kind: 'message', ...script, messagePayload: undefined, payload });
  expect(readPeerMessage(JSON.stringify(native))).toEqual(read);
});

test('a recipient that is empty or null is none', () => {
  for (const recipientClientId of ['', null]) {
    expect(
      readPeerMessage(JSON.stringify({ action: 'SDP_ANSWER', recipientClientId, messagePayload: base64('x') })),
    ).toMatchObject({ kind: 'message', recipientClientId: undefined });
  }
});

test.each([
  ['nothing', ''],
  ['no JSON', '{'],
  ['no object', '[1]'],
  ['no action', '{"messagePayload":"eA==","correlationId":"1"}'],
  ['another action', '{"action":"DELETE","messagePayload":"eA==","correlationId":"1"}'],
  ['no payload', '{"action":"SDP_OFFER","correlationId":"1"}'],
  ['an empty payload', '{"action":"SDP_OFFER","messagePayload":"","correlationId":"1"}'],
  ['a payload that is no text', '{"action":"SDP_OFFER","messagePayload":{"type":"offer"},"correlationId":"1"}'],
  ['a payload that is no base64', '{"action":"SDP_OFFER","messagePayload":"{}","correlationId":"1"}'],
  [
    'a recipient that is no text',
    '{"action":"SDP_OFFER","messagePayload":"eA==","recipientClientId":7,"correlationId":"1"}',
  ],
])('%s is refused, by a correlation id where there is one', (_what, text) => {
  expect(readPeerMessage(text)).toMatchObject({
    kind: 'refused',
    correlationId: text.includes('correlationId') ? '1' : undefined,
    error: { context: { awsName: 'InvalidArgumentException' } },
  });
});

test('10 KB are taken, a byte more is not', () => {
  const message = (bytes: number) => ({ action: 'SDP_OFFER', messagePayload: base64('x'.repeat(bytes)) });

  expect(readPeerMessage(JSON.stringify(message(10_240))).kind).toBe('message');
  expect(readPeerMessage(JSON.stringify(message(10_245))).kind).toBe('refused');
});

test('a correlation id of other characters is none', () => {
  expect(readPeerMessage('{"action":"NONE","correlationId":"a b"}')).toMatchObject({ correlationId: undefined });
});

test('what goes out is flat, has a status in text, and no sender where there is none', () => {
  expect(messageText({ action: 'SDP_OFFER', payload: 'eA==', senderClientId: 'v' })).toBe(
    '{"senderClientId":"v","messageType":"SDP_OFFER","messagePayload":"eA=="}',
  );
  expect(messageText({ action: 'SDP_ANSWER', payload: 'eA==' })).toBe(
    '{"messageType":"SDP_ANSWER","messagePayload":"eA=="}',
  );
  expect(
    JSON.parse(statusText('7', { name: 'InvalidArgumentException', httpStatus: 400, message: 'x'.repeat(2_000) })),
  ).toEqual({
    messageType: 'STATUS_RESPONSE',
    statusResponse: {
      correlationId: '7',
      errorType: 'InvalidArgumentException',
      statusCode: '400',
      description: 'x'.repeat(1_024),
    },
  });
});

test('descriptions and candidates are opened for storage sessions alone, and made by them', () => {
  expect(readDescription(payloadOf({ type: 'answer', sdp: 'v=0' }), 'answer')).toBe('v=0');
  expect(readCandidate(base64('{"candidate":"","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":null}'))).toEqual({
    ...{ candidate: '', sdpMid: '0', sdpMLineIndex: 0 },
  });
  expect(() => readDescription(payloadOf({ type: 'offer', sdp: 'v=0' }), 'answer')).toThrow('"type":"answer"');
  expect(() => payloadOf({ sdp: 'x'.repeat(11_000) })).toThrow('longer than a signalling message');
});

test('whatever comes is a message or a refusal that AWS names', () => {
  const member = fc.constantFrom(
    ...['action', 'Action', 'messagePayload', 'MESSAGEPAYLOAD', 'recipientClientId', 'correlationId', '__proto__'],
  );
  const value = fc.oneof(fc.constantFrom('SDP_OFFER', 'ICE_CANDIDATE', 'eA==', 'v'), fc.jsonValue());
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .array(fc.tuple(member, value))
      .map((pairs) => `{${pairs.map(([name, it]) => `${JSON.stringify(name)}:${JSON.stringify(it)}`)}}`),
  );
  fc.assert(
    fc.property(text, (given) => {
      const read = readPeerMessage(given);
      if (read.kind === 'message') {
        expect(JSON.parse(messageText(read))).toEqual({ messageType: read.action, messagePayload: read.payload });
      } else if (read.correlationId !== undefined) {
        JSON.parse(statusText(read.correlationId, awsErrorOf(read.error)));
      }
    }),
  );
});

test('whatever stands in a payload is a description, a candidate, or refused', () => {
  const content = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record(
        { type: fc.constantFrom('offer', 'answer', 7), sdp: fc.jsonValue(), candidate: fc.jsonValue() },
        { requiredKeys: [] },
      )
      .map((it) => JSON.stringify(it)),
  );
  fc.assert(
    fc.property(content, (given) => {
      for (const read of [
        () => readDescription(base64(given), 'offer'),
        () => readCandidate(base64(given)).candidate,
      ]) {
        try {
          expect(typeof read()).toBe('string');
        } catch (error) {
          if (!isAppError(error, 'invalid_argument')) throw error;
        }
      }
    }),
  );
});
