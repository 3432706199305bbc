/** Lists that come page by page, in the order of a key that every item has and that says where a page ended. */

import type { KvsInput } from './call.ts';
import { awsError } from './errors.ts';
import { choiceMember, integerMember, required, structureMember, textMember } from './members.ts';

export type Page = { readonly itemsMax: number; readonly after: string | undefined };

const namePattern = /^[a-zA-Z0-9_.-]{1,256}$/;

/**
 * Which page is asked for.
 * @throws AppError InvalidArgumentException  MaxResults or NextToken is none
 */
export function pageMember(input: KvsInput, { max, usual }: { readonly max: number; readonly usual: number }): Page {
  const itemsMax = integerMember(input, 'MaxResults', { min: 1, max }) ?? usual;
  const token = textMember(input, 'NextToken', /^[a-zA-Z0-9+/=]{0,1024}$/);
  if (token === undefined || token === '') return { itemsMax, after: undefined };
  const after = Buffer.from(token, 'base64').toString('latin1');
  if (!namePattern.test(after)) throw awsError('InvalidArgumentException', 'NextToken is not one of ours');
  return { itemsMax, after };
}

/** The page of these items: sorted by their keys, and the member `NextToken` unless it is the last one. */
export function pageOf<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
  { itemsMax, after }: Page,
): { readonly items: readonly T[]; readonly next: { readonly NextToken?: string } } {
  const rest = items
    .filter((item) => after === undefined || keyOf(item) > after)
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const page = rest.slice(0, itemsMax);
  const last = page.at(-1);
  if (last === undefined || page.length === rest.length) return { items: page, next: {} };
  return { items: page, next: { NextToken: Buffer.from(keyOf(last), 'latin1').toString('base64') } };
}

/**
 * What names are to begin with; empty for all.
 * @param member  `StreamNameCondition` or `ChannelNameCondition`
 * @throws AppError InvalidArgumentException  it is no condition
 */
export function beginningMember(input: KvsInput, member: string): string {
  const condition = structureMember(input, member);
  if (condition === undefined) return '';
  required(choiceMember(condition, 'ComparisonOperator', ['BEGINS_WITH']), 'ComparisonOperator');
  return required(textMember(condition, 'ComparisonValue', namePattern), 'ComparisonValue');
}
