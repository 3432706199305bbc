/** Signalling channels: made, described, changed, removed and listed. */

import { isAppError } from '../../../storage/base/errors.ts';
import { type Channel, channelsMax } from '../../../storage/catalog/index.ts';
import { channelArn } from '../arns.ts';
import { denied, type KvsCall, type KvsInput, type KvsOperations } from '../call.ts';
import { channelInfo, channelResource, channelVersion, requireChannel } from '../channels.ts';
import { awsError } from '../errors.ts';
import { choiceMember, integerMember, nameMember, required, structureMember, textMember } from '../members.ts';
import { beginningMember, pageMember, pageOf } from '../paging.ts';
import { tagListMember } from './stream-members.ts';
import type { TaggedKind } from './tags.ts';

/** AWS documents the bounds and what holds when nothing is said. */
const messageTtlSMin = 5;
const messageTtlSMax = 120;
const messageTtlSUsual = 60;
const listMax = 10_000;
const listUsual = 500;

export const channelOperations: KvsOperations = new Map([
  ['/createSignalingChannel', { action: 'kinesisvideo:CreateSignalingChannel', run: createChannel }],
  ['/describeSignalingChannel', { action: 'kinesisvideo:DescribeSignalingChannel', run: describeChannel }],
  ['/updateSignalingChannel', { action: 'kinesisvideo:UpdateSignalingChannel', run: updateChannel }],
  ['/deleteSignalingChannel', { action: 'kinesisvideo:DeleteSignalingChannel', run: deleteChannel }],
  ['/listSignalingChannels', { action: 'kinesisvideo:ListSignalingChannels', run: listChannels }],
]);

/** Channels as things that carry tags. */
export const taggedChannel: TaggedKind = (call, arn) => {
  const { channels } = call.tables;
  const channel = channels.findByName(arn.split('/')[1] ?? '');
  if (channel === undefined || channelArn(call.site, channel) !== arn) return undefined;
  return {
    tags: channel.tags,
    resource: channelResource(channel),
    name: channel.name,
    put: (tags, nowMs) => void channels.update(channel, { tags }, nowMs),
  };
};

function createChannel(call: KvsCall): object {
  const action = 'kinesisvideo:CreateSignalingChannel';
  const { input, site, tables } = call;
  const name = required(nameMember(input, 'ChannelName'), 'ChannelName');
  if (choiceMember(input, 'ChannelType', ['SINGLE_MASTER', 'FULL_MESH']) === 'FULL_MESH') {
    throw awsError('InvalidArgumentException', 'ChannelType FULL_MESH is not supported: only SINGLE_MASTER is.');
  }
  const messageTtlS = messageTtlOf(input) ?? messageTtlSUsual;
  const tags = tagListMember(input, 'Tags') ?? {};
  const arn = channelArn(site, { name, createdMs: 0 });
  if (!call.may(action, { arn })) throw denied(action, arn);
  if (tables.channels.findByName(name) !== undefined) {
    throw awsError('ResourceInUseException', `The channel ${name} already exists.`);
  }
  const made = call.change(({ nowMs, note }) => {
    const channel = createdWithin(() => tables.channels.create({ name, messageTtlS, tags }, nowMs));
    note({ action, resource: channelResource(channel), detail: { name } });
    return channel;
  });
  return { ChannelARN: channelArn(site, made) };
}

function describeChannel(call: KvsCall): object {
  const channel = requireChannel(call, 'kinesisvideo:DescribeSignalingChannel', 'name-or-arn');
  return { ChannelInfo: channelInfo(call.site, channel) };
}

function updateChannel(call: KvsCall): object {
  const action = 'kinesisvideo:UpdateSignalingChannel';
  const version = required(versionMember(call.input), 'CurrentVersion');
  const messageTtlS = messageTtlOf(call.input);
  const channel = requireChannel(call, action);
  requireVersion(channel, version);
  if (messageTtlS === undefined) return {};
  call.change(({ nowMs, note }) => {
    const changed = call.tables.channels.update(channel, { messageTtlS }, nowMs);
    if (changed.length > 0)
      note({ action, resource: channelResource(channel), detail: { name: channel.name, changed } });
  });
  return {};
}

function deleteChannel(call: KvsCall): object {
  const action = 'kinesisvideo:DeleteSignalingChannel';
  const version = versionMember(call.input);
  const channel = requireChannel(call, action);
  if (version !== undefined) requireVersion(channel, version);
  call.change(({ note }) => {
    call.tables.channels.remove(channel.id);
    note({ action, resource: channelResource(channel), detail: { name: channel.name } });
  });
  return {};
}

function listChannels(call: KvsCall): object {
  const action = 'kinesisvideo:ListSignalingChannels';
  if (!call.mayAny(action)) throw denied(action);
  const page = pageMember(call.input, { max: listMax, usual: listUsual });
  const beginning = beginningMember(call.input, 'ChannelNameCondition');
  const seen = call.tables.channels
    .list()
    .filter(({ name }) => name.startsWith(beginning))
    .filter((channel) => call.may(action, { arn: channelArn(call.site, channel), resource: channelResource(channel) }));
  const { items, next } = pageOf(seen, ({ name }) => name, page);
  return { ChannelInfoList: items.map((channel) => channelInfo(call.site, channel)), ...next };
}

/** @throws AppError AccountChannelLimitExceededException */
function createdWithin(create: () => Channel): Channel {
  try {
    return create();
  } catch (error) {
    if (!isAppError(error, 'resource_exhausted')) throw error;
    throw awsError('AccountChannelLimitExceededException', `There are ${channelsMax} channels, which is the most.`);
  }
}

function messageTtlOf(input: KvsInput): number | undefined {
  const configuration = structureMember(input, 'SingleMasterConfiguration');
  if (configuration === undefined) return undefined;
  return integerMember(configuration, 'MessageTtlSeconds', { min: messageTtlSMin, max: messageTtlSMax });
}

function versionMember(input: KvsInput): string | undefined {
  return textMember(input, 'CurrentVersion', /^[a-zA-Z0-9]{1,64}$/);
}

function requireVersion(channel: Channel, version: string): void {
  if (version === channelVersion(channel)) return;
  throw awsError('VersionMismatchException', 'The channel has another version by now: describe it again.');
}
