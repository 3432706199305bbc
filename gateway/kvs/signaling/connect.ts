/**
 * ConnectAsMaster, ConnectAsViewer: what a connection asks for, and whether its peer may be there, at first and again and again.
 */

import type { Channel } from '../../../storage/catalog/index.ts';
import { channelArn } from '../arns.ts';
import type { KvsCall } from '../call.ts';
import { channelResource, mediaStorageOf, requireChannel } from '../channels.ts';
import { awsError } from '../errors.ts';
import { arnMember, required, textMember } from '../members.ts';
import { queryParameters } from '../sigv4/canonical.ts';
import type { ChannelNow, PeerStanding } from './connection.ts';
import { signalingIdPattern } from './messages.ts';

export type SignalingRole = 'master' | 'viewer';

/** What stands in the URL; everything else of it belongs to the signature. */
export type ConnectWish = { readonly role: SignalingRole; readonly channelArn: string; readonly clientId: string };

/**
 * Where peers connect. Paths of their own, since masters may name themselves as viewers do in the query; no character in them
 * that a client's signer would spell otherwise.
 */
export const signalingPaths: Readonly<Record<SignalingRole, string>> = {
  master: '/connectAsMaster',
  viewer: '/connectAsViewer',
};

/** As policies name it. */
export const connectActions: Readonly<Record<SignalingRole, string>> = {
  master: 'kinesisvideo:ConnectAsMaster',
  viewer: 'kinesisvideo:ConnectAsViewer',
};

/**
 * Of a master the client id is not read: some name themselves `MASTER`. An ARN may come encoded or as it is.
 * @throws AppError InvalidArgumentException
 */
export function readConnectWish(target: string, role: SignalingRole): ConnectWish {
  const input: Record<string, string> = {};
  for (const [name, value] of queryParameters(target)) {
    if (name !== arnParameter && name !== clientParameter) continue;
    if (Object.hasOwn(input, name)) throw awsError('InvalidArgumentException', `${name} is given twice`);
    input[name] = value;
  }
  const arn = required(arnMember(input, arnParameter), arnParameter);
  if (role === 'master') return { role, channelArn: arn, clientId: '' };
  const clientId = required(textMember(input, clientParameter, signalingIdPattern), clientParameter);
  return { role, channelArn: arn, clientId };
}

const arnParameter = 'X-Amz-ChannelARN';
const clientParameter = 'X-Amz-ClientId';

type Asked = Pick<KvsCall, 'site' | 'tables' | 'may'>;

/**
 * The channel, if the peer may connect to it.
 * @throws AppError InvalidArgumentException, AccessDeniedException, ResourceNotFoundException
 */
export function requireConnect(call: Asked, { role, channelArn: arn }: ConnectWish): ChannelNow {
  const channel = requireChannel({ ...call, input: { ChannelARN: arn } }, connectActions[role]);
  return channelNow(call, channel);
}

/** Whether a peer that connected may still be there; `may` answers by what holds now. */
export function lookAgain({ site, tables, may }: Asked, known: ChannelNow, role: SignalingRole): PeerStanding {
  const channel = tables.channels.findByName(known.name);
  if (channel?.id !== known.id) return { kind: 'channel-gone' };
  const names = { arn: channelArn(site, channel), resource: channelResource(channel) };
  if (!may(connectActions[role], names)) return { kind: 'denied' };
  return { kind: 'admitted', channel: channelNow({ tables }, channel) };
}

/** What signalling needs of a channel. */
export function channelNow(call: Pick<KvsCall, 'tables'>, channel: Channel): ChannelNow {
  const { id, name, messageTtlS } = channel;
  return { id, name, messageTtlMs: messageTtlS * 1_000, streamId: mediaStorageOf(call, channel)?.id };
}
