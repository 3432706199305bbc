/**
 * Tags of streams, and of anything that has an ARN: TagStream and its kin take a map, TagResource and its kin a list of pairs, and
 * both answer a map.
 */

import type { StreamTags } from '../../../storage/catalog/index.ts';
import { streamArn } from '../arns.ts';
import { denied, type KvsCall, type KvsInput, type KvsOperations, requireStream } from '../call.ts';
import { awsError } from '../errors.ts';
import { arnMember, required, textMember } from '../members.ts';
import { findKvsStreamByArn } from '../streams.ts';
import { streamResourceOf } from './stream-changes.ts';
import { requireFewTags, tagKeysMember, tagListMember, tagMapMember } from './stream-members.ts';

/** Something that carries tags. */
export type Tagged = {
  readonly tags: StreamTags;
  /** Its name in our own policies, for them and for audit rows. */
  readonly resource: string;
  readonly streamId?: string | undefined;
  /** What people call it. */
  readonly name: string;
  /** To be called inside of a change of the catalog. */
  readonly put: (tags: StreamTags, nowMs: number) => void;
};

/** A kind of things that carry tags: finds one by its ARN. Permissions are asked by who calls. */
export type TaggedKind = (call: KvsCall, arn: string) => Tagged | undefined;

/** The operations on tags, of streams and of all kinds. */
export function tagOperations(kinds: readonly TaggedKind[]): KvsOperations {
  const find = (call: KvsCall, action: string) => requireResource(call, action, kinds);
  return new Map([
    ...operation('/tagStream', 'TagStream', (call, action) =>
      tag(call, action, { tagged: ofStream(call, action), given: tagMapMember(call.input, 'Tags') }),
    ),
    ...operation('/untagStream', 'UntagStream', (call, action) => untag(call, action, ofStream(call, action))),
    ...operation('/listTagsForStream', 'ListTagsForStream', (call, action) => list(call, ofStream(call, action))),
    ...operation('/TagResource', 'TagResource', (call, action) =>
      tag(call, action, { tagged: find(call, action), given: tagListMember(call.input, 'Tags') }),
    ),
    ...operation('/UntagResource', 'UntagResource', (call, action) => untag(call, action, find(call, action))),
    ...operation('/ListTagsForResource', 'ListTagsForResource', (call, action) => list(call, find(call, action))),
  ]);
}

/** Streams as things that carry tags. */
export const taggedStream: TaggedKind = (call, arn) => {
  const stream = findKvsStreamByArn(call.tables, call.site, arn);
  if (stream === undefined) return undefined;
  return {
    tags: call.tables.streamSettings.find(stream.id).tags,
    resource: streamResourceOf(stream),
    ...{ streamId: stream.id, name: stream.name },
    put: (tags, nowMs) => void call.tables.streamSettings.put(stream.id, { tags }, nowMs),
  };
};

function operation(
  path: string,
  name: string,
  run: (call: KvsCall, action: string) => object,
): readonly (readonly [string, { readonly action: string; readonly run: (call: KvsCall) => object }])[] {
  const action = `kinesisvideo:${name}`;
  return [[path, { action, run: (call) => run(call, action) }]];
}

function ofStream(call: KvsCall, action: string): Tagged {
  const arn = streamArn(call.site, requireStream(call, action));
  return required(taggedStream(call, arn), 'StreamARN');
}

/** @throws AppError InvalidArgumentException, AccessDeniedException, ResourceNotFoundException */
function requireResource(call: KvsCall, action: string, kinds: readonly TaggedKind[]): Tagged {
  const arn = required(arnMember(call.input, 'ResourceARN'), 'ResourceARN');
  const found = kinds.flatMap((find) => find(call, arn) ?? [])[0];
  if (!call.may(action, { arn, streamId: found?.streamId, resource: found?.resource })) throw denied(action, arn);
  if (found !== undefined) return found;
  throw awsError('ResourceNotFoundException', 'The requested resource is not found or not active.');
}

function tag(
  call: KvsCall,
  action: string,
  { tagged, given }: { readonly tagged: Tagged; readonly given: StreamTags | undefined },
): object {
  const added = required(given, 'Tags');
  if (Object.keys(added).length === 0) throw awsError('InvalidArgumentException', 'Tags must have at least one tag');
  put(call, action, { tagged, tags: requireFewTags({ ...tagged.tags, ...added }) });
  return {};
}

function untag(call: KvsCall, action: string, tagged: Tagged): object {
  const gone = new Set(tagKeysMember(call.input, 'TagKeyList'));
  const tags = Object.fromEntries(Object.entries(tagged.tags).filter(([key]) => !gone.has(key)));
  put(call, action, { tagged, tags });
  return {};
}

function put(
  call: KvsCall,
  action: string,
  { tagged, tags }: { readonly tagged: Tagged; readonly tags: StreamTags },
): void {
  call.change(({ nowMs, note }) => {
    tagged.put(tags, nowMs);
    note({ action, resource: tagged.resource, detail: { name: tagged.name, tags: Object.keys(tags) } });
  });
}

/** All tags of a thing are one page. */
function list({ input }: { readonly input: KvsInput }, tagged: Tagged): object {
  textMember(input, 'NextToken', /^[a-zA-Z0-9+/=]{0,1024}$/);
  return { Tags: tagged.tags };
}
