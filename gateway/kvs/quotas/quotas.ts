/**
 * How much clients of the KVS API may ask for: AWS's own quotas times a factor of the site's, by its error. A bucket for each
 * operation, and one for each operation and thing; each holds what a second allows and fills up again within one.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { awsError } from '../errors.ts';
import { type Points, pointsOf, pointsPerSecond, rates } from './rates.ts';

export type QuotaOptions = {
  /** How many times what AWS allows; 0: nothing is bounded. */
  readonly factor: number;
};

/** A request that was counted. */
export type Admission = {
  /** It was none that its client may make, and takes nothing from those who may. */
  readonly giveBack: () => void;
};

type Bucket = { left: number; atMs: number };

/** Things that are asked about in one second; above it the oldest are forgotten, which lets them ask more. */
const bucketsMax = 20_000;

export class Quotas {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #factor: number;
  /** The one that was used last is the last. */
  readonly #buckets = new Map<string, Bucket>();

  constructor({ clock }: { readonly clock: Pick<Clock, 'monotonicMs'> }, { factor }: QuotaOptions) {
    this.#clock = clock;
    this.#factor = factor;
  }

  /**
   * Counts a request.
   *
   * @param path   of the operation, without the prefix of a public URL
   * @param thing  the stream, channel or session that it names; undefined when it names none
   * @param options.stream  whose fragments it asks for, as `thingOf` has it, where that is not the thing
   * @throws AppError ClientLimitExceededException  more than the quota; nothing is counted then
   */
  admit(
    path: string,
    input: Readonly<Record<string, unknown>>,
    thing: string | undefined,
    { stream = thing }: { readonly stream?: string | undefined } = {},
  ): Admission {
    if (this.#factor === 0) return { giveBack: () => {} };
    const { site, thing: ofThing } = rates.get(path) ?? {};
    const points: Points = pointsOf(path, input);
    const wanted: { readonly key: string; readonly perSecond: number; readonly cost: number }[] = [];
    if (site !== undefined) wanted.push({ key: path, perSecond: site, cost: 1 });
    if (thing !== undefined && ofThing !== undefined) {
      wanted.push({ key: `${path} ${thing}`, perSecond: ofThing, cost: 1 });
    }
    for (const kind of ['metadata', 'media'] as const) {
      if (stream === undefined || points[kind] === 0) continue;
      wanted.push({ key: `${kind} ${stream}`, perSecond: pointsPerSecond[kind], cost: points[kind] });
    }
    const nowMs = this.#clock.monotonicMs();
    const buckets = wanted.map(({ key, perSecond, cost }) => ({
      bucket: this.#bucket(key, perSecond * this.#factor, nowMs),
      cost,
    }));
    // A bucket may be overdrawn once: a list of 1000 fragments is allowed, though a second has 500.
    if (buckets.some(({ bucket }) => bucket.left < 1)) {
      throw awsError('ClientLimitExceededException', 'Rate exceeded: the client makes more requests than its quota.');
    }
    for (const { bucket, cost } of buckets) bucket.left -= cost;
    return {
      giveBack: () => {
        for (const { bucket, cost } of buckets) bucket.left += cost;
      },
    };
  }

  #bucket(key: string, perSecond: number, nowMs: number): Bucket {
    const known = this.#buckets.get(key);
    // Never below one request, however small the factor is.
    const full = Math.max(1, perSecond);
    const bucket = known ?? { left: full, atMs: nowMs };
    bucket.left = Math.min(full, bucket.left + (perSecond * (nowMs - bucket.atMs)) / 1_000);
    bucket.atMs = nowMs;
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > bucketsMax) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    return bucket;
  }
}

/** Which stream or channel a body names, the same by name and by ARN; undefined when it names none. */
export function thingOf(input: Readonly<Record<string, unknown>>): string | undefined {
  const text = (member: string) => {
    const value = input[member];
    return typeof value === 'string' ? value : undefined;
  };
  const arn =
    text('StreamARN') ?? text('ChannelARN') ?? text('ResourceARN') ?? text('channelArn') ?? text('resourceArn');
  if (arn !== undefined) {
    const [, type = 'stream', name = ''] = /:(stream|channel)\/([^/]{1,256})/.exec(arn) ?? [];
    return `${type} ${name}`;
  }
  const stream = text('StreamName');
  if (stream !== undefined) return `stream ${stream.slice(0, 256)}`;
  const channel = text('ChannelName');
  return channel === undefined ? undefined : `channel ${channel.slice(0, 256)}`;
}
