/** What is told of streams: DescribeStream, ListStreams, GetDataEndpoint. */

import { streamArn } from '../arns.ts';
import { denied, type KvsCall, type KvsInput, type KvsOperations, requireStream } from '../call.ts';
import { awsError } from '../errors.ts';
import { choiceMember, integerMember, required, structureMember, textMember } from '../members.ts';
import { kvsStreams, streamInfo } from '../streams.ts';

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
  const wanted = integerMember(call.input, 'MaxResults', { min: 1, max: listMax }) ?? listMax;
  const prefix = prefixOf(call.input);
  const after = nameOfToken(textMember(call.input, 'NextToken', /^[a-zA-Z0-9+/=]{0,1024}$/));
  const matching = kvsStreams(call.tables)
    .filter(({ name }) => name.startsWith(prefix) && (after === undefined || name > after))
    .filter((stream) => call.may(action, { arn: streamArn(call.site, stream), streamId: stream.id }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const page = matching.slice(0, wanted);
  const last = page.at(-1);
  return {
    StreamInfoList: page.map((stream) => streamInfo(call.site, stream)),
    ...(last === undefined || page.length === matching.length
      ? {}
      : { NextToken: Buffer.from(last.name).toString('base64') }),
  };
}

function prefixOf(input: KvsInput): string {
  const condition = structureMember(input, 'StreamNameCondition');
  if (condition === undefined) return '';
  required(choiceMember(condition, 'ComparisonOperator', ['BEGINS_WITH']), 'ComparisonOperator');
  return required(textMember(condition, 'ComparisonValue', /^[a-zA-Z0-9_.-]{1,256}$/), 'ComparisonValue');
}

/** Where the page before ended. */
function nameOfToken(token: string | undefined): string | undefined {
  if (token === undefined || token === '') return undefined;
  const name = Buffer.from(token, 'base64').toString('latin1');
  if (!/^[a-zA-Z0-9_.-]{1,256}$/.test(name)) throw awsError('InvalidArgumentException', 'NextToken is not one of ours');
  return name;
}
