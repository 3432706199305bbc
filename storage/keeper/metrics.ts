/** The keeper's figures for Prometheus: read when they are asked for, so that they cost nothing otherwise. */

import { Gauge, type Registry } from 'prom-client';
import type { Keeper } from './keeper.ts';
import type { KeeperState } from './keeper-state.ts';

const storeStates = ['unknown', 'well', 'away', 'another'] as const;
/** Gap seconds are told for the last day: what came before is Prometheus' own history. */
const gapWindowMs = 86_400_000;

type Figure = readonly [name: string, help: string, read: (state: KeeperState) => number];

const figures: readonly Figure[] = [
  ['index_open', '1 while the index can be written', (state) => Number(state.isIndexOpen)],
  ['index_rebuilding', '1 while the index is filled from objects', (state) => Number(state.rebuild !== undefined)],
  ['untaken_files', 'Finished files that have no row yet', (state) => state.untaken],
  ['backlog_segments', 'Segments that the object store does not have yet', (state) => state.backlog.segments],
  ['backlog_bytes', 'Bytes that the object store does not have yet', (state) => state.backlog.bytes],
  ['local_bytes', 'Bytes of finished files kept on this machine, stored or not', (state) => state.localFiles.bytes],
  ['ring_bytes', 'Bytes of files of streams with retention 0', (state) => state.ring.bytes],
  ['garbage_bytes', 'Bytes that were removed and are still to be deleted', (state) => state.garbage.bytes],
  ['journal_free_bytes', 'Room left where the journal lies', (state) => state.journalSpace?.freeBytes ?? Number.NaN],
  [
    'store_free_bytes',
    'Room left in the object store, if it has a bound',
    (state) => state.storeSpace?.freeBytes ?? Number.NaN,
  ],
  [
    'clock_trusted',
    '0 while age retention waits for a person to confirm the clock',
    (state) => Number(state.clock.isTrusted),
  ],
  ['problems', 'Things a person should look at', (state) => state.problems.length],
];

/** Registers all figures of a keeper. @param options.wallMs  tells the time */
export function registerKeeperMetrics(
  dependencies: { readonly keeper: Keeper; readonly registry: Registry },
  options: { readonly wallMs: () => number },
): void {
  const { keeper, registry } = dependencies;
  const registers = [registry];
  const storeState = new Gauge({
    name: 'weir_keeper_store_state',
    help: '1 for the state the object store is in',
    labelNames: ['state'],
    registers,
    // A registry collects in order of registration: this first one reads the state for all of them.
    collect() {
      const { state } = keeper;
      for (const each of storeStates) storeState.set({ state: each }, Number(state.store.state === each));
      for (const [gauge, read] of gauges) gauge.set(read(state));
    },
  });
  const gauges = figures.map(
    ([name, help, read]) => [new Gauge({ name: `weir_keeper_${name}`, help, registers }), read] as const,
  );
  registerStreamMetrics(keeper, registers, options.wallMs);
  registerEventMetrics(keeper, registers);
}

function registerStreamMetrics(keeper: Keeper, registers: Registry[], wallMs: () => number): void {
  const gauge = (name: string, help: string, labelNames: string[], read: (into: Gauge) => void) => {
    const made: Gauge = new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        made.reset();
        if (keeper.isIndexOpen) read(made);
      },
    });
  };
  gauge('weir_stream_stored_bytes', 'Bytes of taken-in footage', ['stream'], (into) => {
    for (const { streamId, bytes } of keeper.index.queries.streams.totalsOfAll()) into.set({ stream: streamId }, bytes);
  });
  gauge('weir_stream_stored_seconds', 'Seconds of taken-in footage', ['stream'], (into) => {
    for (const { streamId, durationMs } of keeper.index.queries.streams.totalsOfAll()) {
      into.set({ stream: streamId }, durationMs / 1_000);
    }
  });
  gauge(
    'weir_stream_gap_seconds',
    'Seconds of the last 24 hours that should have been recorded and were not',
    ['stream', 'reason'],
    (into) => {
      const endMs = wallMs();
      for (const { streamId, reason, missingMs } of keeper.index.queries.gaps.sums({
        beginMs: endMs - gapWindowMs,
        endMs,
      })) {
        into.set({ stream: streamId, reason }, missingMs / 1_000);
      }
    },
  );
  gauge('weir_keeper_removed_bytes', 'Bytes removed so far', ['reason'], (into) => {
    for (const { reason, bytes } of keeper.index.queries.streams.removedBytes()) into.set({ reason }, bytes);
  });
}

function registerEventMetrics(keeper: Keeper, registers: Registry[]): void {
  new Gauge({
    name: 'weir_keeper_event_ranges',
    help: 'Event ranges that mark footage, by whether they go on',
    labelNames: ['state'],
    registers,
    collect() {
      if (!keeper.isIndexOpen) return;
      const { ranges, open } = keeper.index.queries.events.totals();
      this.set({ state: 'open' }, open);
      this.set({ state: 'ended' }, ranges - open);
    },
  });
  new Gauge({
    name: 'weir_keeper_event_ranges_cut',
    help: 'Event ranges that nobody ended within a day and that were ended, since the start',
    registers,
    collect() {
      this.set(keeper.events.cut);
    },
  });
}
