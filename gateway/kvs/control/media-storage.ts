/** Whether a channel's media goes into a stream, and which: one stream to a channel, one channel to a stream. */

import { channelArn, streamArn } from '../arns.ts';
import { type KvsCall, type KvsOperations, requireStream } from '../call.ts';
import { channelResource, mediaStorageOf, requireChannel, requireStreamOfArn } from '../channels.ts';
import { awsError } from '../errors.ts';
import { arnMember, choiceMember, required, structureMember } from '../members.ts';
import { pageMember } from '../paging.ts';
import type { KvsStream } from '../streams.ts';

export const mediaStorage: KvsOperations = new Map([
  [
    '/describeMediaStorageConfiguration',
    { action: 'kinesisvideo:DescribeMediaStorageConfiguration', run: describeMediaStorage },
  ],
  [
    '/updateMediaStorageConfiguration',
    { action: 'kinesisvideo:UpdateMediaStorageConfiguration', run: updateMediaStorage },
  ],
  [
    '/describeMappedResourceConfiguration',
    { action: 'kinesisvideo:DescribeMappedResourceConfiguration', run: describeMappedResource },
  ],
]);

function describeMediaStorage(call: KvsCall): object {
  const channel = requireChannel(call, 'kinesisvideo:DescribeMediaStorageConfiguration', 'name-or-arn');
  const stream = mediaStorageOf(call, channel);
  return {
    MediaStorageConfiguration:
      stream === undefined ? { Status: 'DISABLED' } : { StreamARN: streamArn(call.site, stream), Status: 'ENABLED' },
  };
}

function updateMediaStorage(call: KvsCall): object {
  const action = 'kinesisvideo:UpdateMediaStorageConfiguration';
  const given = required(structureMember(call.input, 'MediaStorageConfiguration'), 'MediaStorageConfiguration');
  const isEnabled = required(choiceMember(given, 'Status', ['ENABLED', 'DISABLED']), 'Status') === 'ENABLED';
  const arn = arnMember(given, 'StreamARN');
  const channel = requireChannel(call, action);
  const stream = isEnabled ? requireStreamOfArn(call, action, required(arn, 'StreamARN')) : undefined;
  if (stream !== undefined) requireFree(call, stream, channel.id);
  call.change(({ nowMs, note }) => {
    const changed = call.tables.channels.update(channel, { storageStreamId: stream?.id ?? null }, nowMs);
    if (changed.length === 0) return;
    const detail = { name: channel.name, stream: stream?.name ?? null };
    note({ action, resource: channelResource(channel), detail });
  });
  return {};
}

/** A stream has one source, and keeps what it gets. */
function requireFree(call: KvsCall, stream: KvsStream, channelId: string): void {
  if (stream.retentionHours === 0) {
    throw awsError('NoDataRetentionException', 'The stream retains no data: its retention is 0 hours.');
  }
  if (stream.feed !== 'kvs') throw awsError('ResourceInUseException', 'A camera of this appliance feeds the stream.');
  const other = call.tables.channels.findByStorage(stream.id);
  if (other !== undefined && other.id !== channelId) {
    throw awsError('ResourceInUseException', 'Another channel stores its media in the stream.');
  }
}

function describeMappedResource(call: KvsCall): object {
  pageMember(call.input, { max: 1, usual: 1 });
  const stream = requireStream(call, 'kinesisvideo:DescribeMappedResourceConfiguration');
  const channel = call.tables.channels.findByStorage(stream.id);
  const ARN = channel === undefined ? undefined : channelArn(call.site, channel);
  return { MappedResourceConfigurationList: ARN === undefined ? [] : [{ Type: 'SIGNALING_CHANNEL', ARN }] };
}
