/** Signalling channels as KVS clients know them, and which of them a request means. */

import { createHash } from 'node:crypto';
import type { Channel, ListedChannel } from '../../storage/catalog/index.ts';
import { channelArn, type KvsSite } from './arns.ts';
import { denied, type KvsCall } from './call.ts';
import { awsError } from './errors.ts';
import { arnMember, nameMember } from './members.ts';
import { findKvsStream, findKvsStreamByArn, type KvsStream } from './streams.ts';

/** What our own policies call a channel. */
export function channelResource({ id }: Pick<Channel, 'id'>): string {
  return `channel/${id}`;
}

/** Opaque, 1 to 64 characters of a-zA-Z0-9; another one after every change. */
export function channelVersion({ id, revision }: Pick<Channel, 'id' | 'revision'>): string {
  return createHash('sha256').update(`${id} ${revision}`).digest('hex').slice(0, 20);
}

/** The member `ChannelInfo`, and an item of `ChannelInfoList`. */
export function channelInfo(site: KvsSite, channel: ListedChannel): object {
  return {
    ChannelName: channel.name,
    ChannelARN: channelArn(site, channel),
    ChannelType: 'SINGLE_MASTER',
    ChannelStatus: 'ACTIVE',
    CreationTime: channel.createdMs / 1000,
    SingleMasterConfiguration: { MessageTtlSeconds: channel.messageTtlS },
    Version: channelVersion(channel),
  };
}

/** Where a channel's media is stored; undefined where peers send it to each other, also when that stream is gone. */
export function mediaStorageOf({ tables }: Pick<KvsCall, 'tables'>, channel: Channel): KvsStream | undefined {
  const kept = channel.storageStreamId === null ? undefined : tables.cameras.findStream(channel.storageStreamId);
  const found = kept === undefined ? undefined : findKvsStream(tables, kept.name);
  // Another stream may have its name by now.
  return found?.id === kept?.id ? found : undefined;
}

/**
 * The channel that the request names, if the caller may do this with it.
 *
 * @param by  whether the operation takes a name too
 * @throws AppError InvalidArgumentException, AccessDeniedException, ResourceNotFoundException
 */
export function requireChannel(
  call: Pick<KvsCall, 'input' | 'site' | 'tables' | 'may'>,
  action: string,
  by: 'arn' | 'name-or-arn' = 'arn',
): Channel {
  const { input, site, tables } = call;
  const name = by === 'arn' ? undefined : nameMember(input, 'ChannelName');
  const arn = arnMember(input, 'ChannelARN');
  if (name === undefined && arn === undefined) {
    const members = by === 'arn' ? 'ChannelARN' : 'Either ChannelName or ChannelARN';
    throw awsError('InvalidArgumentException', `${members} must be given.`);
  }
  if (name !== undefined && arn !== undefined && arn.split('/')[1] !== name) {
    throw awsError('InvalidArgumentException', 'ChannelName and ChannelARN name two channels.');
  }
  const namesake = tables.channels.findByName(name ?? arn?.split('/')[1] ?? '');
  const found =
    namesake !== undefined && (arn === undefined || channelArn(site, namesake) === arn) ? namesake : undefined;
  const asked =
    found === undefined ? (arn ?? channelArn(site, { name: name ?? '', createdMs: 0 })) : channelArn(site, found);
  // Asked first: whoever may not see a channel does not learn whether there is one.
  if (!call.may(action, { arn: asked, resource: found === undefined ? undefined : channelResource(found) })) {
    throw denied(action, asked);
  }
  if (found === undefined) {
    throw awsError('ResourceNotFoundException', 'The requested channel is not found or not active.');
  }
  return found;
}

/**
 * The stream of an ARN inside of a request, if the caller may do this with it.
 * @throws AppError AccessDeniedException, ResourceNotFoundException
 */
export function requireStreamOfArn(call: KvsCall, action: string, arn: string): KvsStream {
  const found = findKvsStreamByArn(call.tables, call.site, arn);
  if (!call.may(action, { arn, streamId: found?.id })) throw denied(action, arn);
  if (found === undefined) {
    throw awsError('ResourceNotFoundException', 'The requested stream is not found or not active.');
  }
  return found;
}
