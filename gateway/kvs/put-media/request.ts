/** What the headers of PutMedia say. Pure. */

import type { KvsInput } from '../call.ts';
import { awsError } from '../errors.ts';

export type PutMediaWish = {
  readonly timecodes: 'absolute' | 'relative';
  /** Milliseconds since 1970 UTC. */
  readonly producerStartMs: number;
  readonly wantsAcks: boolean;
};

/** Headers as members, by the names under which other operations have them in their body. */
export function inputOfHeaders(header: (name: string) => string | undefined): KvsInput {
  const members = {
    StreamName: header('x-amzn-stream-name'),
    StreamARN: header('x-amzn-stream-arn'),
    FragmentTimecodeType: header('x-amzn-fragment-timecode-type'),
    ProducerStartTimestamp: header('x-amzn-producer-start-timestamp'),
    FragmentAcknowledgmentRequired: header('x-amzn-fragment-acknowledgment-required'),
  };
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

/** @throws AppError InvalidArgumentException  a header is missing, or not of its form */
export function wishOf(input: KvsInput): PutMediaWish {
  const { FragmentTimecodeType: type, FragmentAcknowledgmentRequired: required } = input;
  if (type !== 'ABSOLUTE' && type !== 'RELATIVE') {
    throw invalid('x-amzn-fragment-timecode-type must be ABSOLUTE or RELATIVE.');
  }
  return {
    timecodes: type === 'ABSOLUTE' ? 'absolute' : 'relative',
    producerStartMs: startMs(input.ProducerStartTimestamp, { isOfProducerC: required !== undefined }),
    wantsAcks: required !== '0',
  };
}

/** The end of the year 9999. */
const secondsMax = 253_402_300_799;

/**
 * Seconds, with decimals or without, or a date of ISO 8601. The C producer prints seconds, a dot and milliseconds without leading zeros,
 * so that `.5` is 5 ms: it alone sends the header about acknowledgements.
 */
function startMs(text: unknown, { isOfProducerC }: { readonly isOfProducerC: boolean }): number {
  const value = typeof text === 'string' ? text.trim() : '';
  const [, whole, decimals = ''] = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(value) ?? [];
  if (whole !== undefined && Number(whole) <= secondsMax) {
    const isUnpadded = isOfProducerC && decimals.length <= 3;
    return Number(whole) * 1_000 + (isUnpadded ? Number(decimals) : Math.floor(Number(`0.${decimals || 0}`) * 1_000));
  }
  const isDate = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)$/i.test(value);
  const ms = isDate ? Date.parse(value) : Number.NaN;
  if (!(ms >= 0)) throw invalid('x-amzn-producer-start-timestamp must be a time: seconds, or a date of ISO 8601.');
  return ms;
}

function invalid(message: string) {
  return awsError('InvalidArgumentException', message);
}
