/**
 * What `serve` knows about live streams: the newest state of each source and its newest recorded instant, as the `ingest`
 * processes tell them over their lane sockets. Of a process that cannot be reached nothing is known, which is said so.
 */

import type { LaneClient } from '../../storage/lane/index.ts';
import type { SourceState } from '../../storage/model/camera.ts';
import { fragmentEndMs } from '../../storage/model/fragment.ts';
import type { Hint } from '../../storage/model/hint.ts';

export type BoardListener = {
  /** One source changed. */
  readonly onState: (state: SourceState) => void;
  /** Many changed at once: read them all again. */
  readonly onSnapshot: () => void;
  /** Something of this stream was recorded up to this instant of server time. */
  readonly onRecorded: (streamId: string, latestMs: number) => void;
};

type Ingest = { readonly states: Map<string, SourceState>; isConnected: boolean };

export class StateBoard {
  readonly #lanes: ReadonlyMap<string, LaneClient>;
  readonly #ingests = new Map<string, Ingest>();
  readonly #latest = new Map<string, number>();
  readonly #listeners = new Set<BoardListener>();
  readonly #stops: (() => void)[] = [];

  constructor({ lanes }: { readonly lanes: ReadonlyMap<string, LaneClient> }) {
    this.#lanes = lanes;
  }

  start(): void {
    for (const [name, lane] of this.#lanes) this.#watch(name, lane);
  }

  close(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  /** Undefined while nobody can say. */
  state(streamId: string): SourceState | undefined {
    for (const ingest of this.#ingests.values()) {
      const state = ingest.states.get(streamId);
      if (state !== undefined) return state;
    }
    return undefined;
  }

  states(): SourceState[] {
    return [...this.#ingests.values()].flatMap((ingest) => [...ingest.states.values()]);
  }

  /** Newest recorded instant that was told since the start; undefined when none was. */
  latestMs(streamId: string): number | undefined {
    return this.#latest.get(streamId);
  }

  /** Names of `ingest` processes, and whether they can be reached. */
  connections(): { readonly name: string; readonly isConnected: boolean }[] {
    return [...this.#ingests].map(([name, { isConnected }]) => ({ name, isConnected }));
  }

  /** Returns how to stop. */
  listen(listener: BoardListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #watch(name: string, lane: LaneClient): void {
    const ingest: Ingest = { states: new Map(), isConnected: false };
    this.#ingests.set(name, ingest);
    const stop = lane.watch({
      onSnapshot: ({ states }) => {
        ingest.isConnected = true;
        ingest.states.clear();
        for (const state of states) ingest.states.set(state.streamId, state);
        for (const listener of this.#listeners) listener.onSnapshot();
      },
      onState: (state) => {
        ingest.states.set(state.streamId, state);
        for (const listener of this.#listeners) listener.onState(state);
      },
      onHint: (hint) => this.#onHint(hint),
      onLost: () => {
        ingest.isConnected = false;
        ingest.states.clear();
        for (const listener of this.#listeners) listener.onSnapshot();
      },
    });
    this.#stops.push(stop);
  }

  #onHint(hint: Hint): void {
    if (hint.kind !== 'committed') return;
    const latestMs = Math.max(this.#latest.get(hint.streamId) ?? 0, fragmentEndMs(hint.fragment));
    this.#latest.set(hint.streamId, latestMs);
    for (const listener of this.#listeners) listener.onRecorded(hint.streamId, latestMs);
  }
}
