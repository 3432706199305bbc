/** What is watched with low latency and what it takes, for Prometheus. */

import { Gauge, type Registry } from 'prom-client';
import type { LowLatency, LowLatencyFigures } from '../../gateway/playback/index.ts';

const gauges: Readonly<Record<keyof LowLatencyFigures, readonly [name: string, help: string]>> = {
  streams: ['weir_hls_parts_streams', 'Streams that HLS players watch with low latency'],
  bytes: ['weir_hls_parts_bytes', 'Memory that parts of these streams take'],
  waiting: ['weir_hls_parts_waiting', 'Requests of HLS players that wait for a part'],
};

export function addLowLatencyMetrics(registry: Registry, lowLatency: Pick<LowLatency, 'figures'>): void {
  for (const [figure, [name, help]] of Object.entries(gauges) as [
    keyof LowLatencyFigures,
    readonly [string, string],
  ][]) {
    new Gauge({
      ...{ name, help, registers: [registry] },
      collect() {
        this.set(lowLatency.figures[figure]);
      },
    });
  }
}
