/** What conversion of video costs and refuses, for Prometheus. */

import { Counter, Gauge, type Registry } from 'prom-client';
import type { Conversions } from '../../gateway/playback/index.ts';

export function addConversionMetrics(registry: Registry, conversions: Pick<Conversions, 'figures'>): void {
  const registers = [registry];
  new Gauge({
    name: 'weir_conversions_running',
    help: 'Streams of H.265 that are converted now for players that cannot decode it',
    labelNames: ['kind'],
    registers,
    collect() {
      const { running } = conversions.figures();
      for (const kind of ['live', 'recorded', 'clip', 'webrtc'] as const) {
        this.set({ kind }, running.filter((one) => one.kind === kind).length);
      }
    },
  });
  new Gauge({
    name: 'weir_conversions_max',
    help: 'How many streams are converted at once at most (playback.conversionsMax)',
    registers,
    collect() {
      this.set(conversions.figures().conversionsMax);
    },
  });
  new Gauge({
    name: 'weir_conversion_encoder_info',
    help: 'Encoders of H.264: 1 for the one in use, 0 for those before it, with the reason why not',
    labelNames: ['encoder', 'reason'],
    registers,
    collect() {
      this.reset();
      const { encoder, refused } = conversions.figures();
      if (encoder !== undefined) this.set({ encoder, reason: '' }, 1);
      for (const { name, reason } of refused) this.set({ encoder: name, reason }, 0);
    },
  });
  counter('weir_conversions_refused_total', 'Viewers that were turned away because all conversions were taken', () => {
    return conversions.figures().turnedAway;
  });
  counter('weir_conversion_fragments_total', 'Fragments that were converted', () => conversions.figures().converted);
  counter('weir_conversion_failures_total', 'Fragments that could not be converted and were shown black', () => {
    return conversions.figures().failed;
  });
  counter('weir_conversion_cpu_seconds_total', 'Processor time of converting children', () => {
    return conversions.figures().cpuMs / 1000;
  });

  function counter(name: string, help: string, value: () => number): void {
    new Counter({
      ...{ name, help, registers },
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  }
}
