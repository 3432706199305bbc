/** ListFragments: fragments by one of their times, page by page. Media are not read, and of tables no more than a page takes. */

import type { FragmentNumber } from '../../../storage/model/fragment-number.ts';
import { type KvsOperation, requireStream } from '../call.ts';
import { awsError } from '../errors.ts';
import { integerMember, textMember } from '../members.ts';
import { retentionFloorMs } from '../streams.ts';
import { mediaLimits } from './limits.ts';
import { type ListPlace, readListToken, writeListToken } from './list-token.ts';
import { type FragmentSelector, fragmentSelectorMember } from './selectors.ts';
import type { MediaFragment, MediaSource } from './source.ts';

const action = 'kinesisvideo:ListFragments';

/** The operation. Streams that keep nothing have nothing to list. */
export function listFragments({ source }: { readonly source: MediaSource }): KvsOperation {
  return {
    action,
    run: async (call) => {
      const stream = requireStream(call, action);
      const { input, nowMs } = call;
      const told = integerMember(input, 'MaxResults', { min: 1, max: mediaLimits.listMax });
      const token = textMember(input, 'NextToken', /^[a-zA-Z0-9+/]{1,4094}={0,2}$/);
      const asked = fragmentSelectorMember(input);
      const place = token === undefined ? undefined : readListToken(token, stream.id);
      const selector = place?.selector ?? asked;
      if (selector === undefined) {
        throw awsError('InvalidArgumentException', 'Either FragmentSelector or NextToken must be given.');
      }
      const itemsMax = told ?? place?.itemsMax ?? mediaLimits.listDefault;
      if (stream.retentionHours === 0) return { Fragments: [] };
      const floorMs = retentionFloorMs(stream, nowMs);
      // One more tells whether there is another page.
      const found = await source.fragmentsByTime(stream.id, {
        ...rangeOf(selector, floorMs),
        after: place?.after,
        isWanted: (fragment) => fragment.serverTimestampMs >= floorMs,
        limit: itemsMax + 1,
      });
      const page = found.slice(0, itemsMax);
      const last = page.at(-1);
      const isLast = last === undefined || found.length === page.length;
      const next = isLast ? {} : { NextToken: writeListToken(nextPlace(stream.id, { selector, itemsMax, last })) };
      return { Fragments: page.map(itemOf), ...next };
    },
  };
}

/** Both ends belong to a selector; by server time nothing is looked at that is too old. */
function rangeOf({ axis, firstMs, lastMs }: FragmentSelector, floorMs: number) {
  return { axis, beginMs: axis === 'server' ? Math.max(firstMs, Math.floor(floorMs)) : firstMs, endMs: lastMs + 1 };
}

function nextPlace(
  streamId: string,
  options: { readonly selector: FragmentSelector; readonly itemsMax: number; readonly last: MediaFragment },
): ListPlace {
  const { selector, itemsMax, last } = options;
  const { serverTimestampMs, producerTimestampMs, number } = last.fragment;
  const atMs = selector.axis === 'server' ? serverTimestampMs : producerTimestampMs;
  return { streamId, selector, itemsMax, after: { atMs, number } };
}

function itemOf({ fragment }: MediaFragment): {
  readonly FragmentNumber: FragmentNumber;
  readonly FragmentSizeInBytes: number;
  readonly ProducerTimestamp: number;
  readonly ServerTimestamp: number;
  readonly FragmentLengthInMilliseconds: number;
} {
  return {
    FragmentNumber: fragment.number,
    FragmentSizeInBytes: fragment.byteLength,
    ProducerTimestamp: Math.round(fragment.producerTimestampMs) / 1_000,
    ServerTimestamp: Math.round(fragment.serverTimestampMs) / 1_000,
    FragmentLengthInMilliseconds: Math.round(fragment.durationMs),
  };
}
