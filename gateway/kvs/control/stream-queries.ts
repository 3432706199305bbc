/** What is told of streams: DescribeStream, ListStreams, GetDataEndpoint. */

import { streamArn } from '../arns.ts';
import { denied, type KvsCall, type KvsOperations, requireStream } from '../call.ts';
import { choiceMember, required } from '../members.ts';
import { beginningMember, pageMember, pageOf } from '../paging.ts';
import { kvsStreams, streamInfo } from '../streams.ts';
import { streamResourceOf } from './stream-changes.ts';

/** AWS answers so many at most. */
const listMax = 10_000;

const apiNames = [
  'PUT_MEDIA',
  'GET_MEDIA',
  'LIST_FRAGMENTS',
  'GET_MEDIA_FOR_FRAGMENT_LIST',
  'GET_HLS_STREAMING_SESSION_URL',
  'GET_DASH_STREAMING_SESSION_URL',
  'GET_CLIP',
  'GET_IMAGES',
] as const;

export const streamQueries: KvsOperations = new Map([
  ['/describeStream', { action: 'kinesisvideo:DescribeStream', run: describeStream }],
  ['/listStreams', { action: 'kinesisvideo:ListStreams', run: listStreams }],
  ['/getDataEndpoint', { action: 'kinesisvideo:GetDataEndpoint', run: getDataEndpoint }],
]);

function describeStream(call: KvsCall): object {
  return { StreamInfo: streamInfo(call.site, requireStream(call, 'kinesisvideo:DescribeStream')) };
}

function getDataEndpoint(call: KvsCall): object {
  required(choiceMember(call.input, 'APIName', apiNames), 'APIName');
  requireStream(call, 'kinesisvideo:GetDataEndpoint');
  return { DataEndpoint: call.endpoint };
}

function listStreams(call: KvsCall): object {
  const action = 'kinesisvideo:ListStreams';
  if (!call.mayAny(action)) throw denied(action);
  const page = pageMember(call.input, { max: listMax, usual: listMax });
  const beginning = beginningMember(call.input, 'StreamNameCondition');
  const seen = kvsStreams(call.tables)
    .filter(({ name }) => name.startsWith(beginning))
    .filter((stream) => call.may(action, { arn: streamArn(call.site, stream), resource: streamResourceOf(stream) }));
  const { items, next } = pageOf(seen, ({ name }) => name, page);
  return { StreamInfoList: items.map((stream) => streamInfo(call.site, stream)), ...next };
}
