/**
 * What CloudWatch tells of Kinesis Video Streams, for Prometheus: `GetMedia.OutgoingBytes` of a stream is
 * `aws_kinesisvideo_get_media_outgoing_bytes_sum{stream_name="gate"}`, and `..._count` how many samples that is the sum of. Both only
 * rise, so a rate over the one is traffic, and the quotient of both is what CloudWatch calls the average.
 */

import { Counter, type Registry } from 'prom-client';

type Sample = {
  readonly labels: Labels;
  sum: number;
  count: number;
  /** Since somebody looked for one to forget. */
  wasUsed?: boolean;
};

/** What a sample is about: label and value. */
type Labels = Readonly<Record<string, string>>;

const namespace = 'aws_kinesisvideo';
const streamLabels = ['stream_name'];
/** AWS calls the last one `Role`; `role` is which of our processes told it. */
const signalingLabels = ['operation', 'signaling_channel_name', 'peer_role'];
/** Series of one metric: twice as many streams as there may be at once. Of removed ones nobody tells. */
const seriesMax = 4_000;

export class KvsMeter {
  readonly #registry: Registry;
  /** By metric, then by stream or by what else tells its samples apart. */
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
    const samples = this.#samplesOf(metric, streamLabels);
    const known = samples.get(stream);
    if (known === undefined) begin(samples, stream, { labels: { stream_name: stream }, sum: value, count: 1 });
    else addTo(known, value);
  }

  /**
   * Counts one sample of signalling, or of storage sessions: `Failure` and `Latency` of an operation, `MessagesTransferred.Count` of a
   * channel.
   *
   * @param about.channel  name of a channel that is there
   */
  addSignaling(
    metric: string,
    {
      operation = '',
      channel,
      role = '',
    }: { readonly operation?: string | undefined; readonly channel: string; readonly role?: string | undefined },
    value: number,
  ): void {
    const samples = this.#samplesOf(metric, signalingLabels);
    const key = `${operation} ${channel} ${role}`;
    const known = samples.get(key);
    if (known !== undefined) {
      addTo(known, value);
      return;
    }
    const labels = {
      ...(operation === '' ? {} : { operation }),
      signaling_channel_name: channel,
      ...(role === '' ? {} : { peer_role: role }),
    };
    begin(samples, key, { labels, sum: value, count: 1 });
  }

  #samplesOf(metric: string, labelNames: string[]): Map<string, Sample> {
    const known = this.#metrics.get(metric);
    if (known !== undefined) return known;
    const made = new Map<string, Sample>();
    this.#metrics.set(metric, made);
    this.#register(metric, made, labelNames);
    return made;
  }

  #register(metric: string, samples: ReadonlyMap<string, Sample>, labelNames: string[]): void {
    for (const part of ['sum', 'count'] as const) {
      new Counter({
        name: `${namespace}_${snakeCase(metric)}_${part}`,
        help: part === 'sum' ? `AWS/KinesisVideo ${metric}` : `Samples of ${metric}`,
        labelNames,
        registers: [this.#registry],
        collect() {
          this.reset();
          for (const sample of samples.values()) this.inc(sample.labels, sample[part]);
        },
      });
    }
  }
}

function begin(samples: Map<string, Sample>, key: string, sample: Sample): void {
  if (samples.size >= seriesMax) forgetOne(samples);
  samples.set(key, sample);
}

function addTo(sample: Sample, value: number): void {
  sample.sum += value;
  sample.count++;
  sample.wasUsed = true;
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
