/**
 * Keeps the gap rows true: reads new ledger lines, and for each stream that has news computes the rows of the last minutes
 * again from lines and coverage. What is older than `limits.gapSettleMs` and covered is settled: its lines go, its rows stay.
 * Lines, cursors and rows change in one transaction, so each line counts once, whenever the process dies.
 */

import { unlink } from 'node:fs/promises';
import { must } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { errnoOf, isAppError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type {
  Gap,
  IndexChange,
  IndexWriter,
  LedgerEntry,
  LedgerStream,
  NewGap,
  Span,
  StoredSegment,
} from '../index/index.ts';
import { limits } from '../model/limits.ts';
import { isImported } from '../model/run.ts';
import { endAt, endOfTimeMs, type WrittenLedger, writeGaps, writePauses } from './gap-writing.ts';
import { gapsOf, without } from './gaps-of.ts';
import { type LedgerPage, readLedgerPages } from './ledger-files.ts';
import { isStepBack, type LedgerState, restartedAt, silentState, statesOf, timelineOf } from './ledger-timeline.ts';
import type { WantedEdge } from './policies.ts';

type StreamLedger = WrittenLedger & {
  readonly entries: readonly (LedgerEntry & { readonly lineId: number })[];
};

export class GapLedger {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #index: IndexWriter;
  readonly #edgesWithin: (streamId: string, span: Span) => readonly WantedEdge[];
  readonly #stateDirectory: string;
  /** Streams whose rows may have to change. */
  readonly #stale = new Set<string>();
  #isRead = false;

  constructor(
    dependencies: {
      readonly clock: Clock;
      readonly log: Log;
      readonly index: IndexWriter;
      /** Edges of a stream's schedule; without it there are none. */
      readonly edgesWithin?: (streamId: string, span: Span) => readonly WantedEdge[];
    },
    options: { readonly stateDirectory: string },
  ) {
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#index = dependencies.index;
    this.#edgesWithin = dependencies.edgesWithin ?? (() => []);
    this.#stateDirectory = options.stateDirectory;
  }

  /** Everything is computed once more; `off` is the time in which the keeper did not run, if it was long. */
  onStart(off: Span | undefined): void {
    const streams = this.#index.ledger.streams().filter((stream) => stream.state !== undefined);
    for (const { streamId } of streams) this.#stale.add(streamId);
    if (off === undefined) return;
    this.#index.transaction((change) => {
      for (const { streamKey, streamId } of streams) {
        change.ledger.addLine(streamKey, { process: '', line: { kind: 'off', streamId, ...off } });
      }
    });
  }

  /** Footage of lines that were read before it has rows again: everything is computed once more. */
  onRebuilt(): void {
    for (const { streamId } of this.#index.ledger.streams()) this.#stale.add(streamId);
    const { failure } = this.apply(() => {});
    if (failure !== undefined) throw failure;
  }

  /** False while lines cannot be read: then nothing is proved by their absence. */
  get isRead(): boolean {
    return this.#isRead;
  }

  /** Reads new lines; `apply` makes rows of them, when the files they speak of were taken in. */
  async read(): Promise<void> {
    this.#isRead = false;
    const pages = await readLedgerPages(this.#stateDirectory, (file) => this.#index.ledger.cursorOf(file));
    if (pages.length > 0) {
      this.#index.transaction((change) => {
        for (const page of pages) this.#takeIn(change, page);
      });
    }
    for (const page of pages) {
      if (page.badLines > 0)
        this.#log.warn('ledger lines are not readable', { file: page.file, badLines: page.badLines });
      if (page.isFinished) await this.#forget(page);
    }
    this.#isRead = true;
  }

  /**
   * Changes rows, and brings the gaps of all streams with news up to date, in one transaction. Footage gets its rows although its
   * gaps cannot be told, since what has no row is not stored either: `failure` says why.
   */
  apply<T>(changes: (change: IndexChange) => T): { readonly result: T; readonly failure: unknown } {
    try {
      const result = this.#index.transaction((change) => {
        const answer = changes(change);
        this.#update(change);
        return answer;
      });
      this.#stale.clear();
      return { result, failure: undefined };
    } catch (error) {
      if (isDatabaseFailure(error)) throw error;
      return { result: this.#index.transaction(changes), failure: error };
    }
  }

  /**
   * Whether any moment of a part of a run should have been recorded, by the lines read so far; undefined where none ever spoke of
   * the stream. Decided by the run, since after a step of the clock wanted footage may have the time of an old pause; true when
   * no line proves the contrary.
   */
  wasWanted(streamId: string, { runId, beginMs, endMs }: Span & { readonly runId: string }): boolean | undefined {
    const stream = this.#index.ledger.streams().find((each) => each.streamId === streamId);
    if (stream === undefined) return undefined;
    const entries = this.#index.ledger.linesOf(stream.streamKey);
    if (stream.state === undefined && entries.length === 0) return undefined;
    const { unwantedParts = [] } = timelineOf(parsed(stream.state), entries).state;
    // Lines have the wall clock's time, which a run's own follows no closer than this.
    const looseMs = limits.wallStepMs;
    return !unwantedParts.some(
      (part) =>
        part.runId === runId &&
        (part.beginMs === undefined || part.beginMs + looseMs <= beginMs) &&
        (part.endMs === undefined || part.endMs - looseMs >= endMs),
    );
  }

  /** A taken-in segment covers its span; one that came after its time was settled cuts the rows that said otherwise. */
  onTakenIn(
    change: IndexChange,
    segment: Pick<StoredSegment, 'streamId' | 'beginServerMs' | 'endServerMs' | 'runReason'>,
  ): void {
    const { streamId, beginServerMs: beginMs, endServerMs: endMs } = segment;
    this.#stale.add(streamId);
    const stream = change.ledger.streams().find((each) => each.streamId === streamId);
    // A recorded segment spans its own losses; one that was brought in lies in them.
    const isFilling = isImported(segment);
    if (stream === undefined || (beginMs >= stream.settledMs && !isFilling)) return;
    for (const gap of change.queries.gaps.between(streamId, { beginMs, endMs }, limits.indexRowsMax)) {
      if (gap.origin === 'loss' && !isFilling) continue;
      const left = without([{ beginMs: gap.beginMs, endMs: gap.endMs ?? endOfTimeMs }], [{ beginMs, endMs }]);
      change.gaps.remove(gap.gapId);
      for (const piece of left) {
        change.gaps.add(stream.streamKey, {
          ...gap,
          ...piece,
          endMs: piece.endMs === endOfTimeMs ? undefined : piece.endMs,
        });
      }
    }
  }

  /** The footage of a torn or damaged end is gone. */
  onTorn(change: IndexChange, torn: Span & { readonly streamId: string; readonly runId: string | undefined }): void {
    if (torn.endMs <= torn.beginMs) return;
    this.#stale.add(torn.streamId);
    this.#addLoss(change, { ...torn, reason: 'torn-tail', detail: undefined, origin: 'loss' });
  }

  /** The process of these streams is gone: what it was recording is missing from now on. */
  onProcessEnded(process: string): void {
    const streams = this.#index.ledger
      .streams()
      .filter((stream) => stream.state !== undefined || this.#index.ledger.linesOf(stream.streamKey).length > 0);
    const atMs = this.#clock.wallMs();
    this.#index.transaction((change) => {
      for (const { streamKey, streamId } of streams) {
        change.ledger.addLine(streamKey, { process, line: { kind: 'process-ended', streamId, atMs } });
        this.#stale.add(streamId);
      }
    });
  }

  #takeIn(change: IndexChange, page: LedgerPage): void {
    for (const entry of page.entries) {
      const { line } = entry;
      this.#stale.add(line.streamId);
      if (line.kind === 'loss') this.#addLoss(change, { ...line, detail: line.detail, origin: 'loss' });
      else {
        this.#restartIfSetBack(change, entry);
        this.#tellEdges(change, entry);
        addUnlessRepeated(change, entry);
      }
    }
    change.ledger.setCursor(page.file, page.cursor);
  }

  #update(change: IndexChange): void {
    if (this.#stale.size === 0) return;
    for (const stream of change.ledger.streams()) {
      if (!this.#stale.has(stream.streamId)) continue;
      const ledger = ledgerOf(change, stream);
      if (stream.state !== undefined || ledger.entries.length > 0) this.#recompute(change, ledger);
    }
  }

  /**
   * The clock ran ahead and was set back. Lines of then would hide everything up to their date and never settle: what they say is
   * written down, and the timeline begins anew with this line. Where the time that was heard has passed by now it was right, and
   * this line is of a clock that was behind: as ever, it counts from there.
   */
  #restartIfSetBack(change: IndexChange, entry: LedgerEntry): void {
    const { line } = entry;
    const stream = change.ledger.streams().find((each) => each.streamId === line.streamId);
    if (stream === undefined || line.kind === 'loss' || line.kind === 'off') return;
    const ledger = ledgerOf(change, stream);
    const { state } = timelineOf(ledger.state, ledger.entries);
    const isAhead = state.heardMs > this.#clock.wallMs() + limits.ledgerStepMs;
    if (!isAhead || !isStepBack(state, entry)) return;
    this.#log.warn('ledger begins anew: the clock was set back', {
      streamId: line.streamId,
      heardMs: state.heardMs,
      atMs: line.atMs,
    });
    this.#recompute(change, ledger, state.heardMs);
    const moments = { atMs: Math.floor(line.atMs), nowMs: this.#clock.wallMs(), heardMs: state.heardMs };
    endAt(change, ledger.streamId, moments);
    const restarted = restartedAt(state, line.atMs, change.ledger.newestIds());
    const lineId = ledger.entries.at(-1)?.lineId ?? 0;
    change.ledger.settle(ledger.streamKey, { state: JSON.stringify(restarted), settledMs: line.atMs, lineId });
  }

  /** Between the last words of one process and the first of the next, edges of the schedule passed that nobody told. */
  #tellEdges(change: IndexChange, { process, line }: LedgerEntry): void {
    if (line.kind !== 'wanted' && line.kind !== 'unwanted') return;
    const { streamId, atMs } = line;
    const stream = change.ledger.streams().find((each) => each.streamId === streamId);
    if (stream === undefined) return;
    const ledger = ledgerOf(change, stream);
    const { heardMs, process: former } = timelineOf(ledger.state, ledger.entries).state;
    if (former === undefined || former === process || heardMs >= atMs) return;
    for (const edge of this.#edgesWithin(streamId, { beginMs: heardMs, endMs: atMs })) {
      change.ledger.addLine(ledger.streamKey, { process: former, line: { kind: 'scheduled', streamId, ...edge } });
    }
  }

  #addLoss(change: IndexChange, loss: NewGap & { readonly streamId: string }): void {
    const { streamId, beginMs, endMs = beginMs, reason, runId } = loss;
    const known = change.queries.gaps.between(
      streamId,
      { beginMs: beginMs - 1, endMs: endMs + 1 },
      limits.indexRowsMax,
    );
    const isKnown = known.some(
      (gap) =>
        gap.origin === 'loss' && gap.reason === reason && gap.runId === runId && gap.beginMs === Math.floor(beginMs),
    );
    if (!isKnown) change.gaps.add(change.segments.streamKey(streamId), loss);
  }

  /** The file goes first: a cursor without a file is harmless, a file without a cursor would be read again. */
  async #forget(page: LedgerPage): Promise<void> {
    await unlink(page.path).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
    });
    this.#index.transaction((change) => change.ledger.dropCursor(page.file));
  }

  /** @param nowMs  footage and rows that are dated later are of a clock that ran ahead, and say nothing of today */
  #recompute(change: IndexChange, ledger: StreamLedger, nowMs = this.#clock.wallMs()): void {
    const { streamId, settledMs } = ledger;
    const window = { beginMs: settledMs, endMs: endOfTimeMs };
    const { stretches } = timelineOf(ledger.state, ledger.entries);
    const isOfToday = ({ beginMs }: { readonly beginMs: number }) => beginMs <= nowMs + limits.ledgerStepMs;
    const footage = coverageOf(change, streamId, window).filter(isOfToday);
    const rows = change.queries.gaps.between(streamId, window, limits.indexRowsMax);
    const historyId = ledger.state.history?.gapId ?? 0;
    const isGiven = (gap: Gap) => gap.origin === 'loss' || gap.gapId <= historyId;
    const given = rows.filter((gap) => isGiven(gap) && isOfToday(gap));
    const losses = given.map(({ beginMs, endMs = endOfTimeMs }) => ({ beginMs, endMs }));
    const wanted = gapsOf({ stretches, footage, losses, fromMs: settledMs });
    writeGaps(change, ledger, { known: rows.filter((gap) => !isGiven(gap)), wanted });
    writePauses(change, ledger, stretches);
    this.#settle(change, ledger, footage);
  }

  /** Moves the settled moment to the newest one that is old enough and not in the middle of a run's uncovered end. */
  #settle(change: IndexChange, ledger: StreamLedger, footage: readonly Span[]): void {
    const beforeMs = this.#clock.wallMs() - limits.gapSettleMs;
    let endMs = beforeMs;
    const states = statesOf(ledger.state, ledger.entries);
    for (let count = ledger.entries.length; count >= 0; count--) {
      const state = must(states[count], 'there is a state after each line');
      const settledMs = settledWithin(state, { beginMs: state.sinceMs, endMs }, footage);
      if (settledMs !== undefined && settledMs > ledger.settledMs) {
        const lineId = ledger.entries[count - 1]?.lineId ?? 0;
        change.ledger.settle(ledger.streamKey, { state: JSON.stringify(state), settledMs, lineId });
        return;
      }
      endMs = Math.min(endMs, state.sinceMs);
    }
  }
}

function isDatabaseFailure(error: unknown): boolean {
  return isAppError(error) && 'sqlite' in error.context;
}

function ledgerOf(change: IndexChange, stream: LedgerStream): StreamLedger {
  const { streamKey, streamId, state, settledMs } = stream;
  return { streamKey, streamId, state: parsed(state), settledMs, entries: change.ledger.linesOf(streamKey) };
}

function parsed(state: string | undefined): LedgerState {
  return state === undefined ? silentState : (JSON.parse(state) as LedgerState);
}

/** A camera that is away says so with each attempt: once is enough. */
function addUnlessRepeated(change: IndexChange, entry: LedgerEntry): void {
  const streamKey = change.segments.streamKey(entry.line.streamId);
  const last = change.ledger.lastLineOf(streamKey);
  const isRepeated =
    entry.line.kind === 'waiting' &&
    last?.line.kind === 'waiting' &&
    last.process === entry.process &&
    last.line.reason === entry.line.reason &&
    last.line.detail === entry.line.detail;
  if (!isRepeated) change.ledger.addLine(streamKey, entry);
}

/** Footage that is or was there: what retention removed later was no gap. */
function coverageOf(change: IndexChange, streamId: string, window: Span): Span[] {
  const segments = change.queries.streams.intervals(streamId, window, limits.segmentDurationMsMax);
  const removed = change.queries.streams.removals(streamId, window, limits.indexRowsMax);
  return [...[...segments].map(([beginMs, endMs]) => ({ beginMs, endMs })), ...removed];
}

function settledWithin(state: LedgerState, span: Span, footage: readonly Span[]): number | undefined {
  if (span.endMs <= span.beginMs) return undefined;
  if (state.kind === 'missing') return span.endMs;
  if (state.kind === 'unwanted') return state.heardMs === 0 ? undefined : span.endMs;
  let latest: number | undefined;
  for (const { beginMs, endMs } of footage) {
    if (beginMs < span.endMs && endMs > span.beginMs) latest = Math.max(latest ?? 0, Math.min(endMs, span.endMs));
  }
  return latest;
}
