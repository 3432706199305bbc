/**
 * Messages of a signalling connection as they stand on the wire. Pure, total: whatever comes is a message or a refusal. Payloads
 * are passed on as they came; only those for a storage session are opened.
 */

import type { AppError } from '../../../storage/base/errors.ts';
import { type AwsError, awsError } from '../errors.ts';
import { signalingLimits } from './limits.ts';
import type { SignaledCandidate } from './storage-port.ts';

const actions = ['SDP_OFFER', 'SDP_ANSWER', 'ICE_CANDIDATE'] as const;

export type PeerAction = (typeof actions)[number];

export type PeerMessage = {
  readonly kind: 'message';
  readonly action: PeerAction;
  /** Base64 with at least one byte behind it. */
  readonly payload: string;
  /** Of a master's message: the viewer. Absent where none was named. */
  readonly recipientClientId: string | undefined;
  readonly correlationId: string | undefined;
};

/** What cannot be passed on; told to its sender where there is a correlation id, dropped in silence where not. */
export type RefusedMessage = {
  readonly kind: 'refused';
  readonly correlationId: string | undefined;
  readonly error: AppError;
};

/** Ids of clients and of messages. */
export const signalingIdPattern = /^[a-zA-Z0-9_.-]{1,256}$/;

const base64Pattern = /^[A-Za-z0-9+/]+={0,2}$/;
/** Of the most bytes, with padding. */
const payloadCharactersMax = Math.ceil(signalingLimits.payloadBytesMax / 3) * 4;

/** Names of members count without regard to case, as native clients write `MessagePayload`; unknown ones are ignored. */
export function readPeerMessage(text: string): PeerMessage | RefusedMessage {
  const members = membersOf(text);
  if (members === undefined) {
    return { kind: 'refused', correlationId: undefined, error: invalid('the message is not a JSON object') };
  }
  const given = members.get('correlationid');
  const correlationId = typeof given === 'string' && signalingIdPattern.test(given) ? given : undefined;
  const refused = (message: string): RefusedMessage => ({ kind: 'refused', correlationId, error: invalid(message) });
  const action = actions.find((known) => known === members.get('action'));
  if (action === undefined) return refused(`action must be one of ${actions.join(', ')}`);
  const payload = members.get('messagepayload');
  if (typeof payload !== 'string' || payload === '') return refused('messagePayload must be given');
  if (payload.length > payloadCharactersMax) {
    return refused(`messagePayload must have ${signalingLimits.payloadBytesMax} bytes at most`);
  }
  if (!base64Pattern.test(payload) || Buffer.byteLength(payload, 'base64') === 0) {
    return refused('messagePayload is not base64');
  }
  const recipient = members.get('recipientclientid');
  if (recipient !== undefined && recipient !== null && typeof recipient !== 'string') {
    return refused('recipientClientId must be a text');
  }
  const recipientClientId = recipient === null || recipient === '' ? undefined : recipient;
  return { kind: 'message', action, payload, recipientClientId, correlationId };
}

/** A message of a peer, or of a storage session, for another one. Native clients take flat ones alone. */
export function messageText({
  action,
  payload,
  senderClientId,
}: {
  readonly action: PeerAction;
  readonly payload: string;
  /** Of a viewer whose message goes to the master; of nobody else. */
  readonly senderClientId?: string | undefined;
}): string {
  return JSON.stringify({ senderClientId, messageType: action, messagePayload: payload });
}

/** What became of a message that could not be passed on. Its status is a text, as clients parse it. */
export function statusText(
  correlationId: string,
  { name, httpStatus, message }: AwsError,
  { isOfStorage = false }: { readonly isOfStorage?: boolean } = {},
): string {
  return JSON.stringify({
    messageType: 'STATUS_RESPONSE',
    statusResponse: {
      correlationId,
      errorType: name,
      statusCode: String(httpStatus),
      description: message.slice(0, descriptionCharactersMax),
      // Storage sessions of AWS say it, signalling does not.
      ...(isOfStorage ? { success: false } : {}),
    },
  });
}

/** Native clients keep no more. */
const descriptionCharactersMax = 1_024;

/** The connection ends soon, or now: connect anew. */
export const goAwayText = JSON.stringify({ messageType: 'GO_AWAY' });

/** @throws AppError InvalidArgumentException  it is no description of this type */
export function readDescription(payload: string, type: 'offer' | 'answer'): string {
  const object = objectOf(payload);
  if (object?.type !== type || typeof object.sdp !== 'string') {
    throw invalid(`messagePayload must be the base64 of {"type":"${type}","sdp":"..."}`);
  }
  return object.sdp;
}

/** @throws AppError InvalidArgumentException  it is no candidate */
export function readCandidate(payload: string): SignaledCandidate {
  const object = objectOf(payload);
  if (typeof object?.candidate !== 'string') {
    throw invalid('messagePayload must be the base64 of {"candidate":"..."}');
  }
  const { candidate, sdpMid, sdpMLineIndex, usernameFragment } = object;
  return {
    candidate,
    ...(typeof sdpMid === 'string' ? { sdpMid } : {}),
    ...(Number.isInteger(sdpMLineIndex) ? { sdpMLineIndex: Number(sdpMLineIndex) } : {}),
    ...(typeof usernameFragment === 'string' ? { usernameFragment } : {}),
  };
}

/** @throws AppError InvalidArgumentException  longer than a message may be */
export function payloadOf(content: object): string {
  const bytes = Buffer.from(JSON.stringify(content));
  if (bytes.length > signalingLimits.payloadBytesMax) {
    throw awsError('InvalidArgumentException', 'what is to be sent is longer than a signalling message may be', {
      bytes: bytes.length,
    });
  }
  return bytes.toString('base64');
}

/** Members of a JSON object by their names in lower case; of several that differ in case alone the first counts. */
function membersOf(text: string): Map<string, unknown> | undefined {
  const object = parsed(text);
  if (object === undefined) return undefined;
  const members = new Map<string, unknown>();
  for (const [name, value] of Object.entries(object)) {
    const key = name.toLowerCase();
    if (!members.has(key)) members.set(key, value);
  }
  return members;
}

function objectOf(payload: string): Readonly<Record<string, unknown>> | undefined {
  return parsed(Buffer.from(payload, 'base64').toString('utf8'));
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {}
  return undefined;
}

function invalid(message: string) {
  return awsError('InvalidArgumentException', message);
}
