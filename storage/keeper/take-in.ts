/**
 * Takes finished files into the index: finished file -> table read -> row. Bytes first, row second: the row says that the file
 * is the only copy until the store has it. Each step may be interrupted and done again.
 */

import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { type AppError, isAppError, toAppError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { IndexChange, IndexWriter, KeptMode, Span } from '../index/index.ts';
import { type RecoveredFile, readSegment, recoverOpenDirectory } from '../journal/index.ts';
import { fragmentEndMs } from '../model/fragment.ts';
import { limits } from '../model/limits.ts';
import { isImported } from '../model/run.ts';
import { objectKey, type Segment } from '../model/segment.ts';
import { type FinishedFile, moveFile, removeFile, statFile } from './finished-files.ts';
import type { GapLedger } from './gap-ledger.ts';
import type { LocalFiles } from './local-files.ts';
import { Refusals } from './refusals.ts';

export type TakeInResult = {
  readonly taken: number;
  /** Files that are still to be taken in: the batch was full, or the index refused. */
  readonly left: number;
  /** Files of times in which nobody wanted a recording, kept for live players; and their bytes. */
  readonly ringFiles: number;
  readonly ringBytes: number;
  /** What went wrong beside the rest: directories that cannot be listed, gaps that cannot be told. */
  readonly failures: readonly unknown[];
};

/** A span of a run. */
export type RunPart = Span & { readonly runId: string };

type ReadFile = { readonly file: FinishedFile; readonly segment: Segment };

type Inserted = {
  readonly taken: number;
  /** Files that the index cannot hold. */
  readonly refused: readonly { readonly file: FinishedFile; readonly failure: AppError }[];
  /** Files whose rows say that they are gone. */
  readonly leftovers: readonly FinishedFile[];
};

/** Files of one transaction: a minute of 60 cameras. Small enough that a request does not wait for it. */
const batchFiles = 64;

export class TakeIn {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #index: IndexWriter;
  readonly #ledger: GapLedger;
  readonly #isRing: (streamId: string, part: RunPart) => boolean;
  readonly #modeOf: (segment: Segment, span: Span) => KeptMode;
  readonly #files: LocalFiles;
  /** Files that cannot be read or moved, by path. */
  readonly refused: Refusals<string>;
  /** Files that are in a ring, as far as they are still there, by name. */
  #inRing = new Map<string, RunPart>();

  constructor(dependencies: {
    readonly clock: Clock;
    readonly log: Log;
    readonly index: IndexWriter;
    readonly ledger: GapLedger;
    readonly files: LocalFiles;
    /** True when nobody wanted any moment of that part to be recorded. */
    readonly isRing: (streamId: string, part: RunPart) => boolean;
    /** By which mode's age it goes. */
    readonly modeOf: (segment: Segment, span: Span) => KeptMode;
  }) {
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#index = dependencies.index;
    this.#ledger = dependencies.ledger;
    this.#isRing = dependencies.isRing;
    this.#modeOf = dependencies.modeOf;
    this.#files = dependencies.files;
    this.refused = new Refusals<string>(dependencies, {
      code: 'files-unreadable',
      what: 'finished files cannot be taken in',
      hint: 'Look at the disk and at the rights of the file. It stays where it is and is tried again.',
    });
  }

  /** The index was replaced. */
  forgetAll(): void {
    this.#inRing.clear();
  }

  /** Takes in what is new, at most one batch, and trims the rings. */
  async tick(): Promise<TakeInResult> {
    const { files: all, failures } = await this.#files.list();
    const files = all.filter((file) => !this.#files.isTaken(file.name));
    const fresh = files.filter((file) => !this.#inRing.has(file.name));
    const paths = new Set(files.map((file) => file.path));
    this.refused.keepOnly((path) => paths.has(path));
    const due = fresh.filter((file) => this.refused.isDue(file.path));
    const batch = due.slice(0, batchFiles);
    const segments: ReadFile[] = [];
    for (const file of batch) {
      const segment = await this.#read(file);
      if (segment === undefined) continue;
      const part = partOf(segment);
      // Whoever brings footage in wants it kept, whatever the camera's own is worth.
      if (!isImported(segment) && this.#isRing(file.streamId, part)) this.#inRing.set(file.name, part);
      else segments.push({ file, segment });
    }
    const ring = files.filter((file) => this.#inRing.has(file.name));
    const names = new Set(ring.map((file) => file.name));
    for (const name of this.#inRing.keys()) if (!names.has(name)) this.#inRing.delete(name);
    const left = due.length - batch.length;
    const { taken, failure } = await this.#insert(segments, { isLast: left === 0 });
    const trimmed = await this.#trimRings(ring);
    const others = failures.map((each) => toAppError(each));
    return { taken, left, ...trimmed, failures: failure === undefined ? others : [...others, failure] };
  }

  async #read(file: FinishedFile): Promise<Segment | undefined> {
    try {
      const segment = await readSegment(file.path);
      this.refused.delete(file.path);
      return segment;
    } catch (error) {
      const failure = toAppError(error);
      if (failure.code === 'not_found') return undefined;
      if (failure.code !== 'data_loss' && failure.code !== 'failed_precondition')
        this.refused.add(file.path, file.path, error);
      else await this.#salvage(file, failure);
      return undefined;
    }
  }

  /** A damaged file is walked for what is left of it; what comes out is a finished file again and is taken in next. */
  async #salvage(file: FinishedFile, failure: AppError): Promise<void> {
    this.#log.error('finished segment file is damaged', {
      path: file.path,
      reason: failure.message,
      hint: 'Every fragment that is still whole is kept. Look at the disk.',
    });
    const salvageDirectory = join(file.directory, '..', 'salvage');
    let recovered: readonly RecoveredFile[];
    try {
      await moveFile(file.path, join(salvageDirectory, file.streamId, file.name));
      recovered = await recoverOpenDirectory(
        { log: this.#log },
        {
          directory: salvageDirectory,
          finishedDirectory: file.directory,
          files: 'all',
          verifyLast: limits.segmentFragmentsMax,
        },
      );
    } catch (error) {
      // Once it was moved, recovery goes on with it.
      this.refused.add(file.path, file.path, error);
      return;
    }
    this.#index.transaction((change) => {
      for (const { streamId, runId, torn } of recovered) {
        if (torn !== undefined) this.#ledger.onTorn(change, { streamId, runId, ...torn });
      }
    });
  }

  /** Gaps follow with the last batch: before it they would speak of files, or lines, that are only not read yet. */
  async #insert(
    read: readonly ReadFile[],
    { isLast }: { readonly isLast: boolean },
  ): Promise<{ readonly taken: number; readonly failure: unknown }> {
    const insert = (change: IndexChange) => this.#insertAll(change, read);
    const { result, failure } =
      isLast && this.#ledger.isRead
        ? this.#ledger.apply(insert)
        : { result: this.#index.transaction(insert), failure: undefined };
    const { taken, refused, leftovers } = result;
    for (const { file } of read) this.#files.setTaken(file.name);
    for (const file of leftovers) {
      await removeFile(file.path).then(
        () => this.#files.forget(file.name),
        (error: unknown) => this.refused.add(file.path, file.path, error),
      );
    }
    for (const { file, failure } of refused) {
      await this.#putAside(file, failure).catch((error: unknown) => this.refused.add(file.path, file.path, error));
    }
    return { taken, failure };
  }

  #insertAll(change: IndexChange, read: readonly ReadFile[]): Inserted {
    const refused: { readonly file: FinishedFile; readonly failure: AppError }[] = [];
    const leftovers: FinishedFile[] = [];
    let taken = 0;
    for (const { file, segment } of read) {
      if (change.segments.isGarbage(objectKey({ ...segment, beginServerMs: beginOf(segment) }))) continue;
      try {
        const { segmentId, isNew } = change.segments.insert(segment, {
          location: 'local',
          takenInMs: this.#clock.wallMs(),
          recordingMode: this.#modeOf(segment, partOf(segment)),
        });
        const row = change.queries.segments.byId(segmentId);
        if (row === undefined) continue;
        // Its removal was interrupted, or was not durable before a power loss: the object is, so the file may go again.
        if (!isNew && row.location === 'stored' && !row.isLocal) leftovers.push(file);
        if (!isNew) continue;
        this.#ledger.onTakenIn(change, row);
        taken++;
      } catch (error) {
        if (!isAppError(error, 'failed_precondition')) throw error;
        refused.push({ file, failure: error });
      }
    }
    return { taken, refused, leftovers };
  }

  async #putAside(file: FinishedFile, failure: AppError): Promise<void> {
    const target = join(file.directory, '..', 'damaged', file.streamId, file.name);
    await moveFile(file.path, target);
    this.#files.forget(file.name);
    this.#log.error('segment file cannot be taken into the index', {
      path: target,
      reason: failure.message,
      ...failure.context,
    });
  }

  /** What live players need and no more. Never in the index, never in the store. */
  async #trimRings(files: readonly FinishedFile[]): Promise<{ ringFiles: number; ringBytes: number }> {
    let ringFiles = 0;
    let ringBytes = 0;
    const keptBytes = new Map<string, number>();
    for (const file of files.toReversed()) {
      const found = await statFile(file.path).catch((error: unknown) => this.refused.add(file.path, file.path, error));
      if (!found) continue;
      const bytes = (keptBytes.get(file.streamId) ?? 0) + found.byteLength;
      const ageMs = this.#clock.wallMs() - found.changedMs;
      if (bytes > limits.ringBytes || ageMs > limits.ringDurationMs) {
        await this.#removeFromRing(file).catch((error: unknown) => this.refused.add(file.path, file.path, error));
        continue;
      }
      keptBytes.set(file.streamId, bytes);
      ringFiles++;
      ringBytes += found.byteLength;
    }
    return { ringFiles, ringBytes };
  }

  /** A line that says the contrary may have come since the first look: then the file is taken in next. */
  async #removeFromRing({ streamId, name, path }: FinishedFile): Promise<void> {
    const part = this.#inRing.get(name);
    this.#inRing.delete(name);
    if (part !== undefined && this.#isRing(streamId, part)) await removeFile(path);
  }
}

function partOf({ runId, fragments, runStartServerMs }: Segment): RunPart {
  const [first, last] = [fragments[0], fragments.at(-1)];
  const beginMs = first?.serverTimestampMs ?? runStartServerMs;
  return { runId, beginMs, endMs: last === undefined ? beginMs + 1 : fragmentEndMs(last) };
}

function beginOf(segment: Segment): number {
  return Math.floor(segment.fragments[0]?.serverTimestampMs ?? segment.runStartServerMs);
}
