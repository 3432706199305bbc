/**
 * What CloudWatch tells of Kinesis Video Streams, for Prometheus: `GetMedia.OutgoingBytes` of a stream is
 * `aws_kinesisvideo_get_media_outgoing_bytes_sum{stream_name="gate"}`, and `..._count` how many samples that is the sum of. Both only
 * rise, so a rate over the one is traffic, and the quotient of both is what CloudWatch calls the average.
 */

import { Counter, type Registry } from 'prom-client';

type Sample = {
  sum: number;
  count: number;
  /** Since somebody looked for one to forget. */
  wasUsed?: boolean;
};

const namespace = 'aws_kinesisvideo';
const labelNames = ['stream_name'];
/** Series of one metric: twice as many streams as there may be at once. Of removed ones nobody tells. */
const streamsMax = 4_000;

export class KvsMeter {
  readonly #registry: Registry;
  /** By metric, then by stream. */
  readonly #metrics = new Map<string, Map<string, Sample>>();

  constructor({ registry }: { readonly registry: Registry }) {
    this.#registry = registry;
  }

  /**
   * Counts one sample. Plain fields, so that it may be called for each fragment.
   *
   * @param metric  as AWS documents it: `GetMedia.OutgoingBytes`
   * @param stream  name of a stream that is there: each makes a time series. Empty where none is meant
   */
  add(metric: string, stream: string, value: number): void {
    let ofMetric = this.#metrics.get(metric);
    if (ofMetric === undefined) {
      ofMetric = new Map();
      this.#metrics.set(metric, ofMetric);
      this.#register(metric, ofMetric);
    }
    const sample = ofMetric.get(stream);
    if (sample === undefined) {
      if (ofMetric.size >= streamsMax) forgetOne(ofMetric);
      ofMetric.set(stream, { sum: value, count: 1 });
    } else {
      sample.sum += value;
      sample.count++;
      sample.wasUsed = true;
    }
  }

  #register(metric: string, samples: ReadonlyMap<string, Sample>): void {
    for (const part of ['sum', 'count'] as const) {
      new Counter({
        name: `${namespace}_${snakeCase(metric)}_${part}`,
        help: part === 'sum' ? `AWS/KinesisVideo ${metric}` : `Samples of ${metric}`,
        labelNames,
        registers: [this.#registry],
        collect() {
          this.reset();
          for (const [stream_name, sample] of samples) this.inc({ stream_name }, sample[part]);
        },
      });
    }
  }
}

/** The oldest that was not used since the last look; used ones go to the end, so that none is looked at twice before all others. */
function forgetOne(samples: Map<string, Sample>): void {
  for (const [stream, sample] of samples) {
    samples.delete(stream);
    if (sample.wasUsed !== true) return;
    samples.set(stream, { ...sample, wasUsed: false });
  }
}

/** `GetHLSStreamingSessionURL.Latency` as `get_hls_streaming_session_url_latency`. */
export function snakeCase(metric: string): string {
  return metric
    .replaceAll('.', '_')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1_$2')
    .toLowerCase();
}
