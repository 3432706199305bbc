/**
 * One request of the KVS API, as an operation sees it, and what it answers. Who asks was found out before; what they may do with a
 * thing is asked through the call.
 */

import type { Catalog, StorageTier } from '../../storage/catalog/index.ts';
import { type KvsSite, streamArn } from './arns.ts';
import { awsError } from './errors.ts';
import { arnMember, nameMember } from './members.ts';
import { findKvsStream, findKvsStreamByArn, type KvsStream } from './streams.ts';

export type KvsInput = Readonly<Record<string, unknown>>;

/** A thing by the names under which policies may speak of it. */
export type KvsTarget = {
  readonly arn: string;
  /** Of a stream that is there. */
  readonly streamId?: string | undefined;
  /** What our own policies call anything else: `channel/k3x9`. */
  readonly resource?: string | undefined;
};

export type KvsCall = {
  /** The parsed body; members that an operation does not know are ignored. */
  readonly input: KvsInput;
  readonly site: KvsSite;
  /** Tiers that this appliance has stores for. */
  readonly storageTiers: readonly StorageTier[];
  /** Scheme, host and port by which the client reached us, or the public URL, without a slash at the end. */
  readonly endpoint: string;
  /** As `x-amzn-RequestId` tells it. */
  readonly requestId: string;
  /** The lasting key that answers for the request, or `device/<thing name>`: for quotas and usage. */
  readonly accessKeyId: string;
  /** Who signed, in the appliance's own words: what outlives the request, as a streaming session does, is asked about by it. */
  readonly owner: string;
  readonly nowMs: number;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
  /** To read from. */
  readonly tables: Catalog['tables'];
  /**
   * Changes the catalog in one transaction with its audit rows, by the key that signed. Recording hears of it before the answer
   * goes out.
   */
  readonly change: <T>(body: Parameters<typeof Catalog.prototype.change<T>>[1]) => T;
  /** May the caller do this with the thing of this ARN? Of one that is not there its ARN with the time 0 is asked about. */
  readonly may: (action: string, target: KvsTarget) => boolean;
  /** As `may`, by what holds when it is asked: for answers that go on while keys and policies change. */
  readonly mayNow: (action: string, target: KvsTarget) => boolean;
  /** May there be a thing with which they may? */
  readonly mayAny: (action: string) => boolean;
  /** Told which stream the request is about, once the caller may know: for metrics, usage and the log. */
  readonly onStream: (stream: KvsStream) => void;
};

/** An answer that is no JSON: head at once, bytes as they come. Iteration is given up when the client is gone. */
export type KvsBytes = {
  readonly kind: 'bytes';
  readonly contentType: string;
  /** Undefined where it is not known before: chunked. */
  readonly byteLength?: number | undefined;
  readonly body: AsyncIterable<Uint8Array>;
};

/** A body of media while it comes, and what its sender is told meanwhile. */
export type KvsUpload = {
  /** Throws when the sender breaks off. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Sends one line, in one piece; resolves when the sender takes more. */
  readonly send: (line: string) => Promise<void>;
  /** The appliance ends. */
  readonly closing: AbortSignal;
};

/** An answer that goes out while the body comes in. */
export type KvsExchange = {
  readonly kind: 'exchange';
  readonly contentType: string;
  /** Resolves when everything was said. */
  readonly run: (upload: KvsUpload) => Promise<void>;
};

/** Anything else that is answered is the JSON body of a 200. */
export type KvsAnswer = object | KvsBytes | KvsExchange;

export type KvsOperation = {
  /** `kinesisvideo:DescribeStream` */
  readonly action: string;
  readonly run: (call: KvsCall) => KvsAnswer | Promise<KvsAnswer>;
  /** Of an operation whose body is media, for an exchange: what is asked stands in headers, named in lower case. */
  readonly inputOfHeaders?: (header: (name: string) => string | undefined) => KvsInput;
};

/** By path, letter for letter: another spelling of a path, for which a signature might be good too, is no operation. */
export type KvsOperations = ReadonlyMap<string, KvsOperation>;

export function isExchange(answer: KvsAnswer): answer is KvsExchange {
  return 'kind' in answer && answer.kind === 'exchange';
}

export function isBytes(answer: KvsAnswer): answer is KvsBytes {
  return 'kind' in answer && answer.kind === 'bytes';
}

/**
 * The stream that the request names, by name, by ARN, or by both where they agree, if the caller may do this with it.
 * @throws AppError InvalidArgumentException, AccessDeniedException, ResourceNotFoundException
 */
export function requireStream(call: KvsCall, action: string): KvsStream {
  const { input, site, tables, may } = call;
  const name = nameMember(input, 'StreamName');
  const arn = arnMember(input, 'StreamARN');
  if (name === undefined && arn === undefined) {
    throw awsError('InvalidArgumentException', 'Either StreamName or StreamARN must be given.');
  }
  if (name !== undefined && arn !== undefined && arn.split('/')[1] !== name) {
    throw awsError('InvalidArgumentException', 'StreamName and StreamARN name two streams.');
  }
  const found = arn === undefined ? findKvsStream(tables, name ?? '') : findKvsStreamByArn(tables, site, arn);
  const asked =
    found === undefined ? (arn ?? streamArn(site, { name: name ?? '', createdMs: 0 })) : streamArn(site, found);
  // Asked first: whoever may not see a stream does not learn whether there is one.
  if (!may(action, { arn: asked, streamId: found?.id })) throw denied(action, asked);
  if (found === undefined) {
    throw awsError('ResourceNotFoundException', 'The requested stream is not found or not active.');
  }
  call.onStream(found);
  return found;
}

/** What a caller is told who may not. */
export function denied(action: string, arn?: string) {
  const on = arn === undefined ? '' : ` on resource: ${arn}`;
  return awsError('AccessDeniedException', `The access key is not authorized to perform: ${action}${on}`);
}
