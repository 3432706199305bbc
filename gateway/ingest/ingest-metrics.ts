/** What an `ingest` process tells Prometheus. Values are read when somebody asks: the hot path counts in plain fields. */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Clock } from '../../storage/base/clock.ts';
import type { SourceStateName } from '../../storage/model/camera.ts';
import { limits } from '../../storage/model/limits.ts';
import type { PutMediaFigures } from '../put-media/index.ts';
import type { IngestStream } from './ingest-stream.ts';
import { registerPutMedia } from './put-media-metrics.ts';

/** What is measured beside the streams. */
export type ProcessFigures = {
  readonly streams: () => Iterable<IngestStream>;
  readonly budgetUsed: () => number;
  readonly syncs: () => number;
  readonly lanes: () => { readonly lanes: number; readonly queuedBytes: number; readonly droppedUnits: number };
  readonly placeFaults: () => number;
};

const stateNames: readonly SourceStateName[] = ['idle', 'connecting', 'live', 'retrying', 'stopped'];
/** Ten looks a second: each wakes the process, and a minute of them tells a p99. */
const delayResolutionMs = 100;

export class IngestMetrics {
  readonly #clock: Clock;
  readonly #registry: Registry;
  readonly #figures: ProcessFigures;
  readonly #delay: ReturnType<typeof monitorEventLoopDelay>;

  constructor(dependencies: { readonly clock: Clock; readonly registry: Registry }, figures: ProcessFigures) {
    this.#clock = dependencies.clock;
    this.#registry = dependencies.registry;
    this.#figures = figures;
    this.#delay = monitorEventLoopDelay({ resolution: delayResolutionMs });
  }

  start(): void {
    this.#delay.enable();
    this.#registerStreams();
    this.#registerProcess();
    registerPutMedia(this.#registry, () => this.#putMedia());
  }

  close(): void {
    this.#delay.disable();
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #registerStreams(): void {
    type Stats = IngestStream['stats'];
    const counters: [name: string, help: string, of: (stats: Stats) => number][] = [
      ['weir_ingest_bytes_total', 'Bytes of access units received', (stats) => stats.bytes],
      ['weir_ingest_units_total', 'Access units (frames) received', (stats) => stats.units],
      [
        'weir_ingest_sessions_total',
        'Sessions with the source: reconnects are this minus one',
        (stats) => stats.sessions,
      ],
      ['weir_ingest_packets_lost_total', 'Packets lost on the way from the source', (stats) => stats.packetsLost],
      ['weir_ingest_mistakes_total', 'Sessions ended by an internal error', (stats) => stats.mistakes],
      ['weir_ingest_runs_total', 'Runs begun', (stats) => stats.runs],
    ];
    for (const [name, help, of] of counters) {
      this.#perStream(new Counter({ name, help, labelNames, registers: [this.#registry] }), (counter, labels, stream) =>
        counter.inc(labels, of(stream.stats)),
      );
    }
    const clock = this.#clock;
    const registers = [this.#registry];
    this.#perStream(
      new Counter({
        name: 'weir_ingest_dropped_units_total',
        help: 'Access units received and not recorded, by reason',
        labelNames: [...labelNames, 'reason'],
        registers,
      }),
      (counter, labels, stream) => {
        for (const [reason, count] of stream.stats.dropped) counter.inc({ ...labels, reason }, count);
      },
    );
    this.#perStream(
      new Gauge({
        name: 'weir_ingest_lag_seconds',
        help: "Our clock at the reception of the last access unit minus the source's own time of it",
        labelNames,
        registers,
      }),
      (gauge, labels, { stats }) => {
        const last = stats.lastUnit;
        if (last?.producerTimestampMs === undefined) return;
        const receivedWallMs = clock.wallMs() - (clock.monotonicMs() - last.receivedMs);
        gauge.set(labels, (receivedWallMs - last.producerTimestampMs) / 1_000);
      },
    );
    this.#perStream(
      new Gauge({
        name: 'weir_ingest_last_unit_age_seconds',
        help: 'Time since the last access unit',
        labelNames,
        registers,
      }),
      (gauge, labels, { stats }) => {
        if (stats.lastUnit !== undefined) gauge.set(labels, (clock.monotonicMs() - stats.lastUnit.receivedMs) / 1_000);
      },
    );
    this.#perStream(
      new Gauge({
        name: 'weir_ingest_state',
        help: 'State of the source: 1 for the one it is in',
        labelNames: [...labelNames, 'state'],
        registers,
      }),
      (gauge, labels, stream) => {
        for (const state of stateNames) gauge.set({ ...labels, state }, stream.state.state === state ? 1 : 0);
      },
    );
    this.#perStream(
      new Gauge({ name: 'weir_ingest_recording', help: '1 while a run is written', labelNames, registers }),
      (gauge, labels, stream) => gauge.set(labels, stream.state.isRecording ? 1 : 0),
    );
  }

  *#putMedia(): Iterable<readonly [string, PutMediaFigures]> {
    for (const { planned, putMedia } of this.#figures.streams()) {
      if (planned.source.kind === 'kvs' && putMedia !== undefined) yield [planned.name, putMedia.snapshot()];
    }
  }

  #registerProcess(): void {
    const figures = this.#figures;
    const gauges: [name: string, help: string, of: () => number][] = [
      ['weir_journal_pending_bytes', 'Bytes held in memory on the way to the journal', figures.budgetUsed],
      ['weir_journal_pending_bytes_limit', 'Where recorders give up', () => limits.recorderBytesMax],
      ['weir_journal_faults', 'Journal directories that take no writes', figures.placeFaults],
      ['weir_lane_count', 'Open live lanes', () => figures.lanes().lanes],
      ['weir_lane_queued_bytes', 'Bytes waiting in live lanes', () => figures.lanes().queuedBytes],
    ];
    const registers = [this.#registry];
    for (const [name, help, of] of gauges) {
      collected(new Gauge({ name, help, registers }), (gauge) => gauge.set(of()));
    }
    const counters: [name: string, help: string, of: () => number][] = [
      ['weir_journal_syncs_total', 'Syncs of the journal', figures.syncs],
      ['weir_lane_dropped_units_total', 'Units that full lanes dropped', () => figures.lanes().droppedUnits],
    ];
    for (const [name, help, of] of counters) {
      collected(new Counter({ name, help, registers }), (counter) => counter.inc(of()));
    }
    const delay = new Gauge({
      name: 'weir_event_loop_delay_seconds',
      help: 'Event loop delay since the last scrape',
      labelNames: ['quantile'],
      registers,
    });
    collected(delay, () => {
      // The histogram counts the timer's own period too.
      const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - delayResolutionMs / 1_000);
      for (const quantile of [50, 99, 100]) {
        delay.set({ quantile: String(quantile / 100) }, seconds(this.#delay.percentile(quantile)));
      }
      this.#delay.reset();
    });
  }

  #perStream<M extends Counter | Gauge>(
    metric: M,
    collect: (metric: M, labels: Record<string, string>, stream: IngestStream) => void,
  ): void {
    collected(metric, () => {
      for (const stream of this.#figures.streams()) {
        const { streamId, cameraId, name } = stream.planned;
        collect(metric, { stream: streamId, camera: cameraId, name }, stream);
      }
    });
  }
}

const labelNames = ['stream', 'camera', 'name'];

/** Fills a metric anew each time it is asked for, so that removed streams leave no trace. */
function collected<M extends Counter | Gauge>(metric: M, collect: (metric: M) => void): void {
  Object.assign(metric, {
    collect: () => {
      metric.reset();
      collect(metric);
    },
  });
}
