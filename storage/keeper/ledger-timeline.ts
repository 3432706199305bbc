/**
 * What the ledger's lines say, as a timeline: for each stream stretches of time in which it was recorded, missing for a reason,
 * or not wanted. Pure: lines in, stretches out. Which seconds really lie in a fragment is decided elsewhere (`gaps-of.ts`).
 */

import type { LedgerEntry, Span } from '../index/index.ts';
import type { PauseReason } from '../model/ledger.ts';
import { limits } from '../model/limits.ts';
import type { GapReason } from '../model/run.ts';

export type Missing = { readonly reason: GapReason; readonly detail?: string | undefined };

export type Stretch = {
  readonly beginMs: number;
  /** Undefined for the last one. */
  readonly endMs: number | undefined;
} & (
  | { readonly kind: 'unwanted'; readonly why?: PauseReason }
  | ({ readonly kind: 'missing' } & Missing)
  /** Seconds at its end that are in no fragment have the reason of its end, if it ended. */
  | { readonly kind: 'recording'; readonly runId: string; readonly end: Missing | undefined }
);

/** A part of a run that nobody wanted to be recorded. Times of one run can be compared: a step of the clock ends it. */
export type UnwantedPart = {
  readonly runId: string;
  /** Undefined: from its begin. */
  readonly beginMs?: number;
  /** Undefined: it goes on. */
  readonly endMs?: number;
};

/** Everything that lines before a moment say about the time after it; plain values, so that it can be a row's JSON. */
export type LedgerState = {
  readonly kind: 'unwanted' | 'missing' | 'recording';
  readonly sinceMs: number;
  /** What is missing when nothing is recorded; while recording, what was missing before. */
  readonly reason: GapReason;
  readonly detail?: string;
  /** Of a state `unwanted`: why, as far as it was told. */
  readonly why?: PauseReason;
  /** Runs that began and have not ended: PutMedia connections may overlap. */
  readonly runIds: readonly string[];
  readonly process?: string;
  /** When the stream was last heard of. */
  readonly heardMs: number;
  /** Of the newest runs: by the order of lines, not by their time. */
  readonly unwantedParts?: readonly UnwantedPart[];
  /**
   * The clock was set back from times that rows had spoken of. Rows up to these ids are of then: they stay as they are, until
   * footage says otherwise.
   */
  readonly history?: { readonly gapId: number; readonly pauseId: number };
};

/** Of a stream that no line spoke of. */
export const silentState: LedgerState = {
  kind: 'unwanted',
  sinceMs: 0,
  reason: 'connecting',
  runIds: [],
  heardMs: 0,
};

/**
 * Goes on from a state with more events.
 *
 * @param events  of one stream, in the order they were written
 * @returns       closed stretches in order, then the one that the new state describes
 */
export function timelineOf(
  state: LedgerState,
  events: readonly LedgerEntry[],
): { readonly stretches: readonly Stretch[]; readonly state: LedgerState } {
  const timeline = new Timeline(state);
  for (const event of events) timeline.apply(event);
  return timeline.result();
}

/** The state before the first event, and after each of them. */
export function statesOf(state: LedgerState, events: readonly LedgerEntry[]): readonly LedgerState[] {
  const timeline = new Timeline(state);
  const after = events.map((event) => {
    timeline.apply(event);
    return timeline.state;
  });
  return [state, ...after];
}

/** True when an event is from before what was heard: the clock was set back, or the event waited for another process's. */
export function isStepBack(state: LedgerState, { line }: LedgerEntry): boolean {
  if (line.kind === 'loss' || line.kind === 'off') return false;
  return line.atMs < state.heardMs - limits.ledgerStepMs;
}

/** What a state means after the clock was set back to a moment: nothing after it was heard yet. */
export function restartedAt(state: LedgerState, atMs: number, history: LedgerState['history']): LedgerState {
  return { ...state, sinceMs: atMs, heardMs: atMs, ...(history === undefined ? {} : { history }) };
}

class Timeline {
  readonly #stretches: Stretch[] = [];
  readonly #offs: Span[] = [];
  #state: LedgerState;

  constructor(state: LedgerState) {
    this.#state = state;
  }

  result(): { readonly stretches: readonly Stretch[]; readonly state: LedgerState } {
    return { stretches: [...this.#stretches, this.#stretch(undefined)], state: this.#state };
  }

  get state(): LedgerState {
    return this.#state;
  }

  apply({ process, line }: LedgerEntry): void {
    if (line.kind === 'loss') return;
    if (line.kind === 'off') {
      this.#offs.push(line);
      return;
    }
    if (line.kind === 'process-ended') {
      if (this.#state.process === process) this.#onProcessEnded(line.atMs);
      return;
    }
    if (line.kind === 'scheduled') {
      this.#onScheduled(line);
      return;
    }
    const isNewProcess = this.#state.process !== undefined && this.#state.process !== process;
    if (isNewProcess) this.#onNewProcess(line.atMs);
    switch (line.kind) {
      case 'wanted':
        this.#endUnwantedParts(line.atMs);
        if (this.#state.kind === 'unwanted' || isNewProcess) this.#miss(line.atMs, { reason: 'connecting' });
        break;
      case 'unwanted':
        for (const runId of this.#state.runIds) this.#addUnwantedPart({ runId, beginMs: line.atMs });
        this.#enter(line.atMs, { kind: 'unwanted', runIds: [], why: line.why });
        break;
      case 'waiting':
        if (!this.#isUnwanted) this.#onWaiting(line.atMs, missing(line));
        break;
      case 'run-began':
        this.#onRunBegan(line.atMs, line.runId);
        break;
      case 'run-ended':
        this.#onRunEnded(line.atMs, line.runId, missing(line));
        break;
    }
    this.#state = { ...this.#state, process, heardMs: Math.max(this.#state.heardMs, line.atMs) };
  }

  /** Lines before the stream was wanted were lost, or the index was: a stream that was never heard of is wanted then. */
  get #isUnwanted(): boolean {
    return this.#state.kind === 'unwanted' && this.#state.heardMs > 0;
  }

  #onRunBegan(atMs: number, runId: string): void {
    if (this.#isUnwanted) {
      this.#addUnwantedPart({ runId });
      return;
    }
    if (this.#state.kind === 'recording') {
      if (!this.#state.runIds.includes(runId)) this.#state = { ...this.#state, runIds: [...this.#state.runIds, runId] };
      return;
    }
    this.#enter(atMs, { kind: 'recording', runIds: [runId] });
  }

  #addUnwantedPart(part: UnwantedPart): void {
    const { unwantedParts = [] } = this.#state;
    if (unwantedParts.some(({ runId, endMs }) => runId === part.runId && endMs === undefined)) return;
    this.#state = { ...this.#state, unwantedParts: [...unwantedParts, part].slice(-limits.unwantedPartsMax) };
  }

  #endUnwantedParts(atMs: number): void {
    const { unwantedParts } = this.#state;
    if (unwantedParts?.some(({ endMs }) => endMs === undefined)) {
      this.#state = { ...this.#state, unwantedParts: unwantedParts.map((part) => ({ endMs: atMs, ...part })) };
    }
  }

  #onWaiting(atMs: number, why: Missing): void {
    if (this.#state.kind === 'recording') this.#miss(atMs, why, why);
    else this.#miss(atMs, why);
  }

  #onRunEnded(atMs: number, runId: string, why: Missing): void {
    if (this.#state.kind === 'missing' || this.#isUnwanted) return;
    const runIds = this.#state.runIds.filter((each) => each !== runId);
    if (runIds.length > 0) this.#state = { ...this.#state, runIds };
    else this.#miss(atMs, why, why);
  }

  /** Nothing more comes from it; what it recorded ends wherever its last fragment does. */
  #onProcessEnded(atMs: number): void {
    if (this.#state.kind === 'recording') this.#miss(atMs, crashed, crashed);
  }

  /** An edge of the schedule that no process lived to see: what recorded before is over, and what should have begun did not. */
  #onScheduled({ atMs, isWanted }: { readonly atMs: number; readonly isWanted: boolean }): void {
    this.#onNewProcess(atMs);
    if (!isWanted) {
      if (this.#state.kind !== 'unwanted') this.#enter(atMs, { kind: 'unwanted', runIds: [], why: 'not-scheduled' });
      return;
    }
    if (!this.#isUnwanted) return;
    const isOff = this.#offs.some((span) => span.beginMs <= atMs && span.endMs > atMs);
    this.#miss(atMs, isOff ? { reason: 'appliance-off' } : crashed);
  }

  /** The process before is over. When the keeper was off as well, so was the appliance, since the last sign of life. */
  #onNewProcess(atMs: number): void {
    if (this.#state.kind === 'unwanted') return;
    const off = this.#offs.find((span) => span.beginMs < atMs && span.endMs > this.#state.heardMs);
    if (this.#state.kind === 'recording') {
      this.#miss(off === undefined ? atMs : Math.max(off.beginMs, this.#state.heardMs), crashed, crashed);
    }
    if (off !== undefined) this.#miss(Math.max(off.beginMs, this.#state.heardMs), { reason: 'appliance-off' });
  }

  #miss(atMs: number, { reason, detail }: Missing, end?: Missing): void {
    this.#enter(atMs, { kind: 'missing', runIds: [], missing: { reason, detail } }, end);
  }

  /** Time never goes back: after a step of the wall clock a line counts from where the last one was. */
  #enter(
    atMs: number,
    next: Pick<LedgerState, 'kind' | 'runIds'> & { readonly missing?: Missing; readonly why?: PauseReason | undefined },
    end?: Missing,
  ): void {
    const before = this.#state;
    const sinceMs = Math.max(atMs, before.sinceMs);
    if (sinceMs > before.sinceMs || before.kind === 'recording') this.#stretches.push(this.#stretch(sinceMs, end));
    const { kind, runIds, why, missing: { reason, detail } = before } = next;
    const { process, heardMs, unwantedParts, history } = before;
    this.#state = {
      kind,
      runIds,
      sinceMs,
      reason,
      heardMs,
      ...(detail === undefined ? {} : { detail }),
      ...(why === undefined ? {} : { why }),
      ...(process === undefined ? {} : { process }),
      ...(unwantedParts === undefined ? {} : { unwantedParts }),
      ...(history === undefined ? {} : { history }),
    };
  }

  #stretch(endMs: number | undefined, end?: Missing): Stretch {
    const { kind, sinceMs, reason, detail, why, runIds } = this.#state;
    const span = { beginMs: sinceMs, endMs };
    switch (kind) {
      case 'unwanted':
        return { ...span, kind, ...(why === undefined ? {} : { why }) };
      case 'missing':
        return { ...span, kind, reason, detail };
      case 'recording':
        return { ...span, kind, runId: runIds[0] ?? '', end };
    }
  }
}

const crashed: Missing = { reason: 'crashed' };

function missing(line: { readonly reason: GapReason; readonly detail?: string }): Missing {
  // After an orderly stop nothing runs until something says so: that is what people want to read.
  return { reason: line.reason === 'shutdown' ? 'appliance-off' : line.reason, detail: line.detail };
}
