/**
 * What the newest plan says of how streams are recorded and kept, and what an older one last said of streams that it names no more.
 * A mode is told only of times since when its policy is known to hold: a change of policy never shortens what was recorded before it.
 */

import type { Clock } from '../base/clock.ts';
import type { IndexWriter, KeptMode, Span, StreamPolicy } from '../index/index.ts';
import { isRing, type Plan, type PlannedSource } from '../model/camera.ts';
import { modesWithin, strongestMode } from '../model/kept-mode.ts';
import { limits } from '../model/limits.ts';

/** A moment at which a stream began, or ceased, to be wanted by its schedule. */
export type WantedEdge = { readonly atMs: number; readonly isWanted: boolean };

export class Policies {
  readonly #clock: Clock;
  readonly #index: IndexWriter;
  #plan: Plan | undefined;
  #rows = new Map<string, StreamPolicy>();
  /** When a lost index began to be filled: what is older may have been recorded by any policy. */
  #lostMs = Number.NEGATIVE_INFINITY;

  constructor(dependencies: { readonly clock: Clock; readonly index: IndexWriter }) {
    this.#clock = dependencies.clock;
    this.#index = dependencies.index;
  }

  setPlan(plan: Plan): void {
    this.#plan = plan;
  }

  /** Writes the plan's policies; to be called when either changes, plan or index, while the index is open. */
  write(): void {
    const { sources = [] } = this.#plan ?? {};
    const nowMs = Math.floor(this.#clock.wallMs());
    this.#index.transaction((change) => {
      const known = new Map(change.state.policies().map((policy) => [policy.streamId, policy]));
      for (const source of sources) change.state.setPolicy(policyOf(source, known.get(source.streamId), nowMs));
      if (this.#plan === undefined) return;
      const named = new Set(sources.map(({ streamId }) => streamId));
      // Ages stay; how it is recorded is not known again before a plan says so.
      for (const policy of known.values()) {
        if (policy.recording === undefined || named.has(policy.streamId)) continue;
        change.state.setPolicy({ ...policy, recording: undefined, recordingSinceMs: nowMs });
      }
    });
    this.#rows = new Map(this.#index.state.policies().map((policy) => [policy.streamId, policy]));
    this.#lostMs = this.#index.state.get('rebuild')?.sinceMs ?? Number.NEGATIVE_INFINITY;
  }

  /** Streams that the newest plan wants out of the first of several stores. */
  get warmStreams(): readonly string[] {
    const { sources = [] } = this.#plan ?? {};
    return sources.flatMap(({ streamId, storageTier }) => (storageTier === 'WARM' ? [streamId] : []));
  }

  /** By which mode's age footage of a span goes, as far as the policy of then is known. */
  modeOf(streamId: string, span: Span): KeptMode {
    const recording = this.#recordingOf(streamId, span.beginMs);
    if (recording === undefined) return 'unknown';
    const mode = strongestMode(recording, span);
    // What lies among live hours alone has a row only because a line about them was lost: nobody wanted it kept.
    return mode === 'live' ? 'events' : mode;
  }

  /** As `modeOf`, of footage that is brought in today: today's policy counts, whenever it was recorded. */
  modeOfImport(streamId: string, span: Span): KeptMode {
    const recording = this.#rows.get(streamId)?.recording;
    if (recording === undefined) return 'unknown';
    const mode = strongestMode(recording, span);
    return mode === 'live' ? 'events' : mode;
  }

  /** True when nobody wants any moment of the span recorded; undefined while the policy of then is not known. */
  isLive(streamId: string, span: Span): boolean | undefined {
    const recording = this.#recordingOf(streamId, span.beginMs);
    return recording === undefined ? undefined : strongestMode(recording, span) === 'live';
  }

  /** True for a stream that today's plan keeps for live players alone. */
  isRing(streamId: string): boolean {
    const recording = this.#rows.get(streamId)?.recording;
    return recording !== undefined && isRing(recording);
  }

  /**
   * Edges of a stream's schedule within a span, in order; at most `limits.scheduleEdgesMax`. None of what KVS producers send: a
   * schedule does not say that one should.
   */
  edgesWithin(streamId: string, span: Span): WantedEdge[] {
    const recording = this.#rows.get(streamId)?.recording;
    const beginMs = Math.max(span.beginMs, this.#rows.get(streamId)?.recordingSinceMs ?? 0);
    const edges: WantedEdge[] = [];
    if (recording?.schedule === undefined || this.isPushed(streamId)) return edges;
    let wasWanted: boolean | undefined;
    for (const { mode, beginMs: atMs } of modesWithin(recording, { beginMs, endMs: span.endMs })) {
      const isWanted = mode !== 'live';
      if (wasWanted !== undefined && wasWanted !== isWanted) edges.push({ atMs, isWanted });
      wasWanted = isWanted;
      if (edges.length >= limits.scheduleEdgesMax) break;
    }
    return edges;
  }

  /** True for what KVS producers send, by the newest plan: when one should is in no ledger. */
  isPushed(streamId: string): boolean {
    return (
      this.#plan?.sources.some((planned) => planned.streamId === streamId && planned.source.kind === 'kvs') ?? false
    );
  }

  #recordingOf(streamId: string, beginMs: number): StreamPolicy['recording'] {
    const row = this.#rows.get(streamId);
    return row === undefined || beginMs < Math.max(row.recordingSinceMs, this.#lostMs) ? undefined : row.recording;
  }
}

function policyOf(source: PlannedSource, known: StreamPolicy | undefined, nowMs: number): StreamPolicy {
  const { streamId, cameraId, recording: policy } = source;
  const { mode, schedule, retentionHours, eventRetentionHours, preRollMinutes, bytesMax } = policy;
  const recording = schedule === undefined ? { mode } : { mode, schedule };
  const isFirst = known === undefined || (known.recording === undefined && known.recordingSinceMs === 0);
  const isSame = known?.recording !== undefined && JSON.stringify(known.recording) === JSON.stringify(recording);
  const recordingSinceMs = isFirst ? 0 : isSame ? known.recordingSinceMs : nowMs;
  return {
    ...{ streamId, cameraId, retentionHours, eventRetentionHours, preRollMinutes, recording, recordingSinceMs },
    cameraBytesMax: bytesMax,
  };
}
