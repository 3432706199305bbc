/**
 * Fragments of a file on their way into the journal: each is gathered whole, then gets its number and is written in one go, so an
 * import never holds back what readers see of the camera, and nothing of a fragment is ever visible but all of it.
 *
 *   Fragmenter -> whole fragment -> there already? on other footage? -> number -> SegmentWriter
 */

import { must } from '../../storage/base/assert.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { type AppError, appError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import { type ByteBudget, type NumberAllocator, SegmentWriter } from '../../storage/journal/index.ts';
import type { FragmentNumber } from '../../storage/model/fragment-number.ts';
import type { Hint, OpenSegment } from '../../storage/model/hint.ts';
import { limits } from '../../storage/model/limits.ts';
import type { RunReason } from '../../storage/model/run.ts';
import type { Track } from '../../storage/model/track.ts';
import type { FragmentEnd, FragmentSink, FragmentStart, JournalPlaces, RunBegin } from '../record/index.ts';
import type { ImportHead } from './import-head.ts';

export type ImportWriterDeps = {
  readonly clock: Clock;
  readonly log: Log;
  /** Of this import alone: nothing that cameras need is taken from. */
  readonly budget: ByteBudget;
  readonly numbers: Pick<NumberAllocator, 'next' | 'hasAhead'>;
  readonly places: Pick<JournalPlaces, 'pick'>;
  readonly onHint: (hint: Hint) => void;
  /** 12 hexadecimal digits, never the same twice: the end of a run's id. */
  readonly createRunSuffix: () => string;
  readonly onFailed: (error: AppError) => void;
};

/** What was written so far. */
export type ImportTotals = {
  readonly fragments: number;
  readonly bytes: number;
  readonly alreadyThere: number;
  readonly skipped: number;
  readonly mediaMs: number;
  readonly beginMs: number | null;
  readonly endMs: number | null;
  readonly dropped: Readonly<Record<string, number>>;
};

type Block = {
  readonly trackNumber: number;
  readonly relativeMs: number;
  readonly isKey: boolean;
  readonly bytes: Uint8Array;
};

type Written = { readonly number: FragmentNumber; readonly bytes: number };

type Run = {
  readonly writer: SegmentWriter;
  readonly directory: string;
  /** Media time of the file's run at which this one begins. */
  readonly baseMediaMs: number;
  /** Not durable yet, in order. */
  readonly waiting: Written[];
};

const timecodeScaleNs = 1_000_000;

export class ImportWriter implements FragmentSink {
  readonly #deps: ImportWriterDeps;
  readonly #head: ImportHead;
  readonly #runs = new Map<string, Run>();
  readonly #ending = new Set<Promise<void>>();
  readonly #dropped: Record<string, number> = {};
  /** Session time of what `atMs` is the server time of. */
  #firstUs: number | undefined;
  #tracks: readonly Track[] = [];
  /** Server time of media time 0. */
  #runBeginMs = 0;
  #run: Run | undefined;
  #mediaTimeMs = 0;
  #blocks: Block[] = [];
  #blockBytes = 0;
  /** Of fragments on their way to the file, and of those that a power loss would take. */
  #flightBytes = 0;
  #undurableBytes = 0;
  #fragments = 0;
  #bytes = 0;
  #alreadyThere = 0;
  #skipped = 0;
  #mediaMs = 0;
  #beginMs: number | null = null;
  #endMs: number | null = null;

  constructor(deps: ImportWriterDeps, head: ImportHead) {
    this.#deps = deps;
    this.#head = head;
  }

  get totals(): ImportTotals {
    return {
      fragments: this.#fragments,
      bytes: this.#bytes,
      alreadyThere: this.#alreadyThere,
      skipped: this.#skipped,
      mediaMs: this.#mediaMs,
      beginMs: this.#beginMs,
      endMs: this.#endMs,
      dropped: { ...this.#dropped },
    };
  }

  /** Files that are being written, for watchers. */
  get openSegments(): readonly OpenSegment[] {
    return [...this.#runs.values()].flatMap(({ writer }) => writer.snapshot());
  }

  /** Where it writes, or would; undefined while nothing takes writes. */
  get directory(): string | undefined {
    return this.#run?.directory ?? this.#deps.places.pick()?.openDirectory;
  }

  /** False while the disk, or the reservation of numbers, is behind: whoever has more is to wait. */
  get hasRoom(): boolean {
    return (
      this.#flightBytes <= limits.importFlightBytes &&
      this.#undurableBytes <= limits.importUndurableBytes &&
      this.#deps.numbers.hasAhead()
    );
  }

  beginRun({ tracks, offsetUs }: RunBegin): void {
    this.#firstUs ??= offsetUs;
    this.#tracks = tracks;
    this.#runBeginMs = this.#head.atMs + Math.round((offsetUs - this.#firstUs) / 1_000);
  }

  beginFragment({ mediaTimeMs }: FragmentStart): void {
    this.#mediaTimeMs = mediaTimeMs;
  }

  block(trackNumber: number, relativeMs: number, isKey: boolean, bytes: Uint8Array): void {
    if (!this.#deps.budget.take(bytes.length)) {
      throw appError('resource_exhausted', 'import needs more memory than it may have', {
        bytesMax: limits.importBytesMax,
      });
    }
    this.#blockBytes += bytes.length;
    this.#blocks.push({ trackNumber, relativeMs, isKey, bytes: new Uint8Array(bytes) });
  }

  commitFragment(end: FragmentEnd): void {
    const beginMs = this.#runBeginMs + this.#mediaTimeMs;
    const endMs = beginMs + end.durationMs;
    const { done, taken, onTaken, endMsMax } = this.#head;
    if (overlaps(done, beginMs, endMs)) this.#alreadyThere++;
    else if (endMs > endMsMax) {
      throw appError('failed_precondition', `footage would reach beyond ${new Date(endMsMax).toISOString()}`, {
        hint: 'what the camera records now is its own, and a file may not be twice as long as it says: give another --at',
      });
    } else if (overlaps(taken, beginMs, endMs)) {
      if (onTaken === 'refuse') throw takenError(beginMs, endMs);
      this.#skipped++;
    } else this.#write(end, beginMs);
    // What is passed over ends the run, so that a run has no hole in which other footage lies.
    if (this.#blocks.length > 0) this.#closeRun();
    this.#dropBlocks();
    this.#beginMs ??= beginMs;
    this.#endMs = endMs;
    this.#mediaMs = endMs - this.#head.atMs;
  }

  endRun(): void {
    this.#closeRun();
  }

  dropped(_unit: unknown, reason: string): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1;
  }

  /** Ends what is open and resolves when everything that was whole is durable. */
  async close(): Promise<void> {
    this.#dropBlocks();
    this.#closeRun();
    while (this.#ending.size > 0) await Promise.all(this.#ending);
  }

  #write({ losses: _, tracks, ...facts }: FragmentEnd, serverTimestampMs: number): void {
    const mediaTimeMs = this.#mediaTimeMs;
    this.#run ??= this.#beginRun(mediaTimeMs, serverTimestampMs);
    const { writer, baseMediaMs, waiting } = this.#run;
    const { number, counter } = this.#deps.numbers.next(serverTimestampMs);
    const times = { serverTimestampMs, producerTimestampMs: serverTimestampMs };
    writer.begin({ number, counter, ...times, mediaTimeMs: mediaTimeMs - baseMediaMs });
    // The pieces' budget is given back as the writer takes its own: a fragment is never counted twice as a whole.
    for (const { trackNumber, relativeMs, isKey, bytes } of this.#blocks) {
      this.#give(bytes.length);
      writer.writeBlock(trackNumber, relativeMs, isKey, bytes);
    }
    writer.commit({
      ...facts,
      tracks: tracks.map((track) => ({
        ...track,
        beginMediaMs: track.beginMediaMs - baseMediaMs,
        endMediaMs: track.endMediaMs - baseMediaMs,
      })),
    });
    const bytes = this.#blocks.reduce((sum, block) => sum + block.bytes.length, 0);
    this.#blocks = [];
    this.#flightBytes += bytes;
    this.#undurableBytes += bytes;
    waiting.push({ number, bytes });
  }

  #beginRun(baseMediaMs: number, runStartServerMs: number): Run {
    const { clock, log, budget, places, createRunSuffix } = this.#deps;
    const { streamId, importId } = this.#head;
    const place = places.pick();
    if (place === undefined) throw appError('unavailable', 'no journal directory takes writes');
    const runId = `${importId}${createRunSuffix()}`;
    const runReason: RunReason = 'import';
    const writer = new SegmentWriter(
      {
        ...{ clock, log: log.child({ runId }), budget, durability: place.durability },
        onHint: (hint) => this.#onHint(hint),
        onFailed: (error) => this.#deps.onFailed(error),
      },
      {
        ...{ streamId, runId, runReason, runStartServerMs, tracks: this.#tracks, timecodeScaleNs },
        openDirectory: place.openDirectory,
        finishedDirectory: place.finishedDirectory,
        isPlaceExpected: place.isPlaceExpected,
        segmentOffsetMs: 0,
        durability: 'shared',
      },
    );
    // Not waited for: the writer's queue does, and tells a failure by `onFailed`.
    writer.start().catch(() => {});
    const run = { writer, directory: place.openDirectory, baseMediaMs, waiting: [] };
    this.#runs.set(runId, run);
    return run;
  }

  #closeRun(): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    const ending = run.writer.end('source-closed').finally(() => {
      this.#ending.delete(ending);
      for (const [runId, each] of this.#runs) if (each === run) this.#runs.delete(runId);
    });
    this.#ending.add(ending);
  }

  #onHint(hint: Hint): void {
    const run = this.#runs.get(hint.runId);
    if (hint.kind === 'committed') {
      const written = run?.waiting.find(({ number }) => number === hint.fragment.number);
      this.#flightBytes -= written?.bytes ?? 0;
    }
    if (hint.kind === 'durable') this.#onDurable(must(run, 'a run that writes is known').waiting, hint.number);
    this.#deps.onHint(hint);
  }

  #onDurable(waiting: Written[], number: FragmentNumber): void {
    for (let first = waiting[0]; first !== undefined && first.number <= number; first = waiting[0]) {
      waiting.shift();
      this.#fragments++;
      this.#bytes += first.bytes;
      this.#undurableBytes -= first.bytes;
    }
  }

  #dropBlocks(): void {
    this.#blocks = [];
    this.#give(this.#blockBytes);
  }

  #give(bytes: number): void {
    this.#blockBytes -= bytes;
    this.#deps.budget.give(bytes);
  }
}

/** Beginnings and ends are estimated by a picture or two; what touches does not overlap. */
function overlaps(spans: readonly (readonly [number, number])[], beginMs: number, endMs: number): boolean {
  const looseMs = Math.min(limits.gapToleranceMs, (endMs - beginMs) / 2);
  // Spans are in order and do not overlap: the first that ends late enough decides.
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((spans[middle]?.[1] ?? Number.POSITIVE_INFINITY) > beginMs + looseMs) high = middle;
    else low = middle + 1;
  }
  const span = spans[low];
  return span !== undefined && span[0] < endMs - looseMs;
}

function takenError(beginMs: number, endMs: number): AppError {
  const text = (ms: number) => new Date(ms).toISOString();
  return appError('failed_precondition', `footage lies there already: ${text(beginMs)} to ${text(endMs)}`, {
    hint: 'give another time by --at, or import only what is missing by --skip-existing',
  });
}
