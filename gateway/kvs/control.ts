/**
 * Operations of the control plane that tell about streams: DescribeStream, ListStreams, GetDataEndpoint. Values in, values out;
 * who asks was found out before, what they may do with a stream is asked through the call.
 */

import { awsError } from './errors.ts';
import { type KvsSite, type KvsStream, streamArn, streamInfo } from './streams.ts';

/** One request, as an operation sees it. */
export type KvsCall = {
  /** The parsed body; members that an operation does not know are ignored. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly site: KvsSite;
  readonly streams: readonly KvsStream[];
  /** Scheme, host and port by which the client reached us, without a slash at the end. */
  readonly endpoint: string;
  /** May the caller do this with the stream? Of a stream that is not there its ARN is asked about. */
  readonly may: (action: string, target: { readonly arn: string; readonly streamId: string | undefined }) => boolean;
  /** May there be a stream with which they may? */
  readonly mayAny: (action: string) => boolean;
};

export type KvsOperation = { readonly action: string; readonly run: (call: KvsCall) => object };

/** AWS answers so many at most. */
const listMax = 10_000;

const apiNames: readonly string[] = [
  'PUT_MEDIA',
  'GET_MEDIA',
  'LIST_FRAGMENTS',
  'GET_MEDIA_FOR_FRAGMENT_LIST',
  'GET_HLS_STREAMING_SESSION_URL',
  'GET_DASH_STREAMING_SESSION_URL',
  'GET_CLIP',
  'GET_IMAGES',
];

/** By path, letter for letter: another spelling of a path, for which a signature might be good too, is no operation. */
export const controlOperations: ReadonlyMap<string, KvsOperation> = new Map([
  ['/describeStream', { action: 'kinesisvideo:DescribeStream', run: describeStream }],
  ['/listStreams', { action: 'kinesisvideo:ListStreams', run: listStreams }],
  ['/getDataEndpoint', { action: 'kinesisvideo:GetDataEndpoint', run: getDataEndpoint }],
]);

function describeStream(call: KvsCall): object {
  return { StreamInfo: streamInfo(call.site, requireStream(call, 'kinesisvideo:DescribeStream')) };
}

function getDataEndpoint(call: KvsCall): object {
  const apiName = text(call.input, 'APIName', /^[A-Z_]{1,64}$/);
  if (apiName === undefined || !apiNames.includes(apiName)) {
    throw awsError('InvalidArgumentException', `APIName must be one of ${apiNames.join(', ')}`);
  }
  requireStream(call, 'kinesisvideo:GetDataEndpoint');
  return { DataEndpoint: call.endpoint };
}

function listStreams(call: KvsCall): object {
  const action = 'kinesisvideo:ListStreams';
  if (!call.mayAny(action)) throw denied(action);
  const { MaxResults: wanted = listMax } = call.input;
  if (typeof wanted !== 'number' || !Number.isInteger(wanted) || wanted < 1 || wanted > listMax) {
    throw awsError('InvalidArgumentException', `MaxResults must be 1 to ${listMax}`);
  }
  const prefix = prefixOf(call.input.StreamNameCondition);
  const after = nameOfToken(text(call.input, 'NextToken', /^[a-zA-Z0-9+/=]{0,1024}$/));
  const matching = call.streams
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

/**
 * The stream that the request names, by name, by ARN, or by both where they agree.
 * @throws AppError InvalidArgumentException, AccessDeniedException, ResourceNotFoundException
 */
function requireStream({ input, site, streams, may }: KvsCall, action: string): KvsStream {
  const name = text(input, 'StreamName', /^[a-zA-Z0-9_.-]{1,256}$/);
  const arn = text(
    input,
    'StreamARN',
    /^arn:[a-z\d-]{1,32}:kinesisvideo:[a-z0-9-]{1,64}:[0-9]{1,32}:[a-z]{1,32}\/[a-zA-Z0-9_.-]{1,256}\/[0-9]{1,32}$/,
  );
  if (name === undefined && arn === undefined) {
    throw awsError('InvalidArgumentException', 'Either StreamName or StreamARN must be given.');
  }
  if (name !== undefined && arn !== undefined && arn.split('/')[1] !== name) {
    throw awsError('InvalidArgumentException', 'StreamName and StreamARN name two streams.');
  }
  const found = streams.find((stream) => (arn === undefined ? stream.name === name : streamArn(site, stream) === arn));
  const asked =
    found === undefined ? (arn ?? streamArn(site, { name: name ?? '', createdMs: 0 })) : streamArn(site, found);
  // Asked first: whoever may not see a stream does not learn whether there is one.
  if (!may(action, { arn: asked, streamId: found?.id })) throw denied(action, asked);
  if (found === undefined) {
    throw awsError('ResourceNotFoundException', 'The requested stream is not found or not active.');
  }
  return found;
}

function prefixOf(condition: unknown): string {
  if (condition === undefined || condition === null) return '';
  const isCondition =
    typeof condition === 'object' && 'ComparisonOperator' in condition && 'ComparisonValue' in condition;
  const value = isCondition && condition.ComparisonOperator === 'BEGINS_WITH' ? condition.ComparisonValue : undefined;
  if (typeof value !== 'string' || !/^[a-zA-Z0-9_.-]{1,256}$/.test(value)) {
    throw awsError(
      'InvalidArgumentException',
      'StreamNameCondition must be BEGINS_WITH and the beginning of a stream name',
    );
  }
  return value;
}

/** Where the page before ended. */
function nameOfToken(token: string | undefined): string | undefined {
  if (token === undefined || token === '') return undefined;
  const name = Buffer.from(token, 'base64').toString('latin1');
  if (!/^[a-zA-Z0-9_.-]{1,256}$/.test(name)) throw awsError('InvalidArgumentException', 'NextToken is not one of ours');
  return name;
}

/** A member that is a text, or absent. */
function text(input: KvsCall['input'], member: string, pattern: RegExp): string | undefined {
  const value = input[member];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string' || !pattern.test(value)) {
    throw awsError('InvalidArgumentException', `${member} is not of the form ${pattern.source}`);
  }
  return value;
}

function denied(action: string, arn?: string) {
  const on = arn === undefined ? '' : ` on resource: ${arn}`;
  return awsError('AccessDeniedException', `The access key is not authorized to perform: ${action}${on}`);
}
