/** What readers ask for, in the words of the wire, checked and translated. */

import { isAppError } from '../../../storage/base/errors.ts';
import { type FragmentNumber, parseFragmentNumber } from '../../../storage/model/fragment-number.ts';
import type { KvsInput } from '../call.ts';
import { awsError } from '../errors.ts';
import { choiceMember, required, structureMember, textMember, timeMember } from '../members.ts';
import { mediaLimits } from './limits.ts';
import type { TimeAxis } from './source.ts';

/** Where GetMedia begins. */
export type StartSelector =
  | { readonly kind: 'now' }
  | { readonly kind: 'earliest' }
  /** After the fragment of that number, be it there or not. */
  | { readonly kind: 'after'; readonly number: FragmentNumber }
  /** With the fragment that holds the moment, or else the next one. */
  | { readonly kind: 'at'; readonly axis: TimeAxis; readonly atMs: number };

/** Fragments that begin within a span; both ends belong to it. */
export type FragmentSelector = { readonly axis: TimeAxis; readonly firstMs: number; readonly lastMs: number };

const startTypes = [
  'NOW',
  'EARLIEST',
  'FRAGMENT_NUMBER',
  'SERVER_TIMESTAMP',
  'PRODUCER_TIMESTAMP',
  'CONTINUATION_TOKEN',
] as const;

/** @throws AppError InvalidArgumentException  it is none, or lacks what its type needs */
export function startSelectorMember(input: KvsInput): StartSelector {
  const selector = required(structureMember(input, 'StartSelector'), 'StartSelector');
  const type = required(choiceMember(selector, 'StartSelectorType', startTypes), 'StartSelectorType');
  switch (type) {
    case 'NOW':
      return { kind: 'now' };
    case 'EARLIEST':
      return { kind: 'earliest' };
    case 'FRAGMENT_NUMBER':
      return { kind: 'after', number: numberMember(selector, 'AfterFragmentNumber') };
    case 'CONTINUATION_TOKEN':
      return { kind: 'after', number: numberMember(selector, 'ContinuationToken') };
    case 'SERVER_TIMESTAMP':
    case 'PRODUCER_TIMESTAMP': {
      const atMs = required(timeMember(selector, 'StartTimestamp'), 'StartTimestamp');
      return { kind: 'at', axis: axisOf(type), atMs };
    }
  }
}

/** The member `FragmentSelector`, or absent. @throws AppError InvalidArgumentException */
export function fragmentSelectorMember(input: KvsInput): FragmentSelector | undefined {
  const selector = structureMember(input, 'FragmentSelector');
  if (selector === undefined) return undefined;
  const types = ['PRODUCER_TIMESTAMP', 'SERVER_TIMESTAMP'] as const;
  const type = required(choiceMember(selector, 'FragmentSelectorType', types), 'FragmentSelectorType');
  const range = required(structureMember(selector, 'TimestampRange'), 'TimestampRange');
  const firstMs = required(timeMember(range, 'StartTimestamp'), 'StartTimestamp');
  const lastMs = required(timeMember(range, 'EndTimestamp'), 'EndTimestamp');
  if (lastMs < firstMs) throw awsError('InvalidArgumentException', 'EndTimestamp is before StartTimestamp.');
  return { axis: axisOf(type), firstMs, lastMs };
}

/** The member `Fragments` of GetMediaForFragmentList. @throws AppError InvalidArgumentException */
export function numbersMember(input: KvsInput): readonly FragmentNumber[] {
  const { Fragments: value } = input;
  if (!Array.isArray(value) || value.length < 1 || value.length > mediaLimits.numbersMax) {
    throw awsError('InvalidArgumentException', `Fragments must be a list of 1 to ${mediaLimits.numbersMax} numbers`);
  }
  return value.map((text: unknown) => {
    if (typeof text !== 'string') throw invalidNumbers();
    return numberOf(text) ?? thrown(invalidNumbers());
  });
}

/** As the service says it. */
export function invalidNumbers() {
  return awsError('InvalidArgumentException', 'Fragment numbers are invalid');
}

function axisOf(type: 'SERVER_TIMESTAMP' | 'PRODUCER_TIMESTAMP'): TimeAxis {
  return type === 'SERVER_TIMESTAMP' ? 'server' : 'producer';
}

function numberMember(selector: KvsInput, member: string): FragmentNumber {
  const text = required(textMember(selector, member, /^[a-zA-Z0-9_.-]{1,128}$/), member);
  return numberOf(text) ?? thrown(awsError('InvalidArgumentException', `${member} is no fragment of this stream`));
}

function numberOf(text: string): FragmentNumber | undefined {
  try {
    return parseFragmentNumber(text);
  } catch (error) {
    if (isAppError(error, 'invalid_argument')) return undefined;
    throw error;
  }
}

function thrown(error: Error): never {
  throw error;
}
