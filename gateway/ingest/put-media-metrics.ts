/**
 * What CloudWatch tells of PutMedia, for Prometheus, as `gateway/kvs/meter` spells such names: sums that rise, and beside them how many
 * samples they are of.
 */

import { Counter, Gauge, type Registry } from 'prom-client';
import type { LatencyFigures, PutMediaFigures } from '../put-media/index.ts';

type Of = (figures: PutMediaFigures) => { readonly sum: number; readonly count: number };

const ofLatency = (pick: (figures: PutMediaFigures) => LatencyFigures): Of => {
  return (figures) => ({ sum: pick(figures).sumMs, count: pick(figures).count });
};
/** One sample for each fragment that was stored, or was begun and was not. */
const fragments = ({ storedFragments, failedFragments }: PutMediaFigures) => storedFragments + failedFragments;

const metrics: readonly (readonly [name: string, help: string, of: Of])[] = [
  ['requests', 'Uploads that began', ({ requests }) => ({ sum: requests, count: requests })],
  ['incoming_bytes', 'Bytes of media received', (f) => ({ sum: f.incomingBytes, count: f.incomingFragments })],
  ['incoming_fragments', 'Fragments received whole', (f) => ({ sum: f.incomingFragments, count: f.incomingFragments })],
  ['incoming_frames', 'Frames received', (f) => ({ sum: f.incomingFrames, count: f.incomingFragments })],
  [
    'connection_errors',
    'Uploads that ended otherwise than well',
    (f) => ({ sum: f.connectionErrors, count: f.requests }),
  ],
  ['error_ack_count', 'Acknowledgements of errors', (f) => ({ sum: f.errorAcks, count: f.errorAcks })],
  ['success', 'Fragments stored', (f) => ({ sum: f.storedFragments, count: fragments(f) })],
  [
    'fragment_ingestion_latency',
    'Milliseconds from the first byte of a fragment to its last',
    ofLatency((f) => f.fragmentIngestionLatency),
  ],
  [
    'fragment_persist_latency',
    'Milliseconds from the last byte of a fragment until it is stored',
    ofLatency((f) => f.fragmentPersistLatency),
  ],
  [
    'buffering_ack_latency',
    'Milliseconds from the first byte of a fragment to its acknowledgement',
    ofLatency((f) => f.bufferingAckLatency),
  ],
  [
    'received_ack_latency',
    'Milliseconds from the last byte of a fragment to its acknowledgement',
    ofLatency((f) => f.receivedAckLatency),
  ],
  [
    'persisted_ack_latency',
    'Milliseconds from the last byte of a fragment until it is said to be stored',
    ofLatency((f) => f.persistedAckLatency),
  ],
];

/** @param figures  of the streams that producers feed, by name */
export function registerPutMedia(
  registry: Registry,
  figures: () => Iterable<readonly [string, PutMediaFigures]>,
): void {
  const labelNames = ['stream_name'];
  const registers = [registry];
  for (const [name, help, of] of metrics) {
    for (const part of ['sum', 'count'] as const) {
      new Counter({
        name: `aws_kinesisvideo_put_media_${name}_${part}`,
        help: part === 'sum' ? help : `Samples of put_media_${name}`,
        ...{ labelNames, registers },
        collect() {
          this.reset();
          for (const [stream_name, sampled] of figures()) this.inc({ stream_name }, of(sampled)[part]);
        },
      });
    }
  }
  new Gauge({
    name: 'aws_kinesisvideo_put_media_active_connections',
    help: 'Uploads that go on',
    ...{ labelNames, registers },
    collect() {
      this.reset();
      for (const [stream_name, { activeConnections }] of figures()) this.set({ stream_name }, activeConnections);
    },
  });
}
