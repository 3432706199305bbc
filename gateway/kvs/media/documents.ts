/**
 * What GetMedia sends, byte by byte: each fragment is a whole Matroska document,
 *
 *   EBML head, Segment, ..., Tracks  |  Tags of ours  |  the producer's tags  |  Cluster  |  Tags of ours
 *
 * so that a reader may begin anywhere, and clients that look for the EBML head find one in front of each fragment. Head and
 * cluster are stored bytes; all that is made here are the tags. Pure.
 */

import { appError } from '../../../storage/base/errors.ts';
import { ElementCursor, ebmlIds, matroskaHead, untargetedTags } from '../../../storage/media/index.ts';
import type { Fragment, FragmentTags } from '../../../storage/model/fragment.ts';
import type { FragmentNumber } from '../../../storage/model/fragment-number.ts';

const prefix = 'AWS_KINESISVIDEO_';

/** Why a body ends before its time, by the numbers of the model. */
export const mediaFaults = {
  notFound: { id: 4000, code: 'FRAGMENT_NOT_FOUND', text: 'The fragment was removed meanwhile.' },
  internal: { id: 5000, code: 'INTERNAL_ERROR', text: 'The fragment could not be read.' },
} as const;

export type MediaFault = (typeof mediaFaults)[keyof typeof mediaFaults];

/** How an API spells its tags: the documentation of GetMediaForFragmentList has names of its own for some, clients know both. */
export type TagSpelling = 'get-media' | 'fragment-list';

/**
 * A run's header as it stands before each of its fragments: verbatim, but that the Segment's size is not told, since the document
 * ends with its one cluster.
 *
 * @param runHead  from the EBML head to the first cluster
 * @throws AppError data_loss  it is no Matroska
 */
export function documentHead(runHead: Uint8Array): Uint8Array {
  const head = new Uint8Array(runHead);
  const element = new ElementCursor(head);
  while (element.nextCut() && element.id !== ebmlIds.segment);
  if (element.id !== ebmlIds.segment) throw appError('data_loss', 'stored header has no segment');
  const sizeAt = element.begin + segmentIdBytes;
  head.fill(0xff, sizeAt, element.bodyBegin);
  head[sizeAt] = 0xff >> (element.bodyBegin - sizeAt - 1);
  return head;
}

const segmentIdBytes = 4;

/** Everything before the cluster. */
export function openingBytes(options: {
  readonly head: Uint8Array;
  readonly fragment: Fragment;
  readonly tags: FragmentTags;
  readonly spelling: TagSpelling;
}): Uint8Array {
  const { head, fragment, tags, spelling } = options;
  const server = secondsText(fragment.serverTimestampMs);
  const producer = secondsText(fragment.producerTimestampMs);
  const ours = [
    { name: `${prefix}FRAGMENT_NUMBER`, value: fragment.number },
    { name: `${prefix}SERVER_TIMESTAMP`, value: server },
    { name: `${prefix}PRODUCER_TIMESTAMP`, value: producer },
  ];
  if (spelling === 'fragment-list') {
    ours.push({ name: `${prefix}SERVER_SIDE_TIMESTAMP`, value: server });
    ours.push({ name: `${prefix}PRODUCER_SIDE_TIMESTAMP`, value: producer });
  }
  return Buffer.concat([head, untargetedTags(ours), ...(tags.length > 0 ? [untargetedTags(tags)] : [])]);
}

/** What follows the cluster in GetMedia: how late it is, 0 for the newest, and where to go on. */
export function closingBytes(options: { readonly number: FragmentNumber; readonly behindMs: number }): Uint8Array {
  return untargetedTags([
    { name: `${prefix}MILLIS_BEHIND_NOW`, value: String(Math.max(0, Math.round(options.behindMs))) },
    { name: `${prefix}CONTINUATION_TOKEN`, value: options.number },
  ]);
}

/** The last document of a body that ends before its time: without timestamps, by whose absence clients know it. */
export function faultDocument(options: {
  readonly head: Uint8Array | undefined;
  readonly number: FragmentNumber | undefined;
  readonly fault: MediaFault;
  readonly spelling: TagSpelling;
}): Uint8Array {
  const { head = emptyHead(), number, fault, spelling } = options;
  const tags = number === undefined ? [] : [{ name: `${prefix}FRAGMENT_NUMBER`, value: number as string }];
  tags.push({ name: `${prefix}ERROR_CODE`, value: fault.code });
  tags.push({ name: `${prefix}ERROR_ID`, value: String(fault.id) });
  if (spelling === 'fragment-list') {
    tags.push({ name: `${prefix}EXCEPTION_ERROR_CODE`, value: String(fault.id) });
    tags.push({ name: `${prefix}EXCEPTION_MESSAGE`, value: fault.text });
  }
  return Buffer.concat([head, untargetedTags(tags)]);
}

/** Seconds with three decimals: `1511852109.126`. */
export function secondsText(timestampMs: number): string {
  return (Math.round(timestampMs) / 1_000).toFixed(3);
}

/** Before a fault of a fragment whose own header cannot be read. */
function emptyHead(): Uint8Array {
  return matroskaHead({ segmentUid: new Uint8Array(16), tracks: [], timecodeScaleNs: 1_000_000 });
}
