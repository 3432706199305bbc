/**
 * Imports as `serve` runs them, one after the other:
 *
 *   upload -> spool -> ffprobe -> place on the timeline -> ffmpeg =pipe=> put =lane socket=> owner of the stream
 *
 * What is stored already is found by asking for the footage itself, so nothing here is needed to go on after whatever died. Imports
 * that ended are remembered for people, not for us.
 */

import type { Clock } from '../../storage/base/clock.ts';
import { type AppError, appError, isAppError, toAppError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import type { LaneClient } from '../../storage/lane/index.ts';
import { type Fragment, fragmentEndMs } from '../../storage/model/fragment.ts';
import { limits } from '../../storage/model/limits.ts';
import type { Span } from './existing-spans.ts';
import { existingSpans } from './existing-spans.ts';
import { footageBytesMax, tooMuchFootage } from './footage-bound.ts';
import {
  type ImportProgress,
  type ImportResult,
  importIdOf,
  parseImportProgress,
  parseImportResult,
} from './import-head.ts';
import { type MediaFile, probeFile } from './media-file.ts';
import { remux } from './remux.ts';
import { Spool, type SpooledFile } from './spool.ts';

/** Footage as it is asked for: `StreamReader` is one. */
export type ImportFootage = {
  fragmentsBetween(
    streamId: string,
    range: Span & { readonly limit?: number },
  ): Promise<readonly { readonly fragment: Fragment; readonly segment: { readonly runId: string } }[]>;
  latest(streamId: string): Promise<{ readonly fragment: Fragment } | undefined>;
};

export type ImportsDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly footage: ImportFootage;
  /** The recording process that owns a stream. */
  readonly ownerOf: (streamId: string) => Pick<LaneClient, 'put'>;
};

export type ImportRequest = {
  readonly streamId: string;
  /** For people: the file's name. */
  readonly name: string;
  /** Server time of the first picture; `file`: when the file says that it was made. */
  readonly at: number | 'file';
  readonly onTaken: 'refuse' | 'skip';
  readonly body: AsyncIterable<Uint8Array>;
  readonly byteLength: number | undefined;
  /** Called when place and length are known, before anything is stored: refuses, or protects the footage. */
  readonly admit: (span: Span) => Promise<void>;
};

export type ImportState = 'waiting' | 'running' | 'done' | 'partial' | 'failed' | 'cancelled';

export type ImportStatus = ImportProgress & {
  readonly importId: string;
  readonly streamId: string;
  readonly name: string;
  readonly state: ImportState;
  readonly fileBytes: number;
  readonly atMs: number;
  /** By the file's own account. */
  readonly durationMs: number | undefined;
  readonly beginMs: number | undefined;
  /** Where its footage ends, and the next file may go on. */
  readonly endMs: number | undefined;
  /** What was converted and what was left out. */
  readonly notes: readonly string[];
  /** Units that are in no fragment, by why. */
  readonly dropped: Readonly<Record<string, number>>;
  readonly fault: { readonly code: AppError['code']; readonly message: string; readonly hint?: string } | undefined;
  readonly startedMs: number;
  readonly endedMs: number | undefined;
  /** Until it is done, by its pace so far. */
  readonly remainingMs: number | undefined;
};

type Job = {
  status: ImportStatus;
  readonly request: Omit<ImportRequest, 'body'>;
  readonly spooled: SpooledFile;
  readonly file: MediaFile;
  readonly controller: AbortController;
  runningSinceMs: number | undefined;
};

/** Imports that are remembered, newest last. */
const rememberedMax = 100;
/** Uploads that wait for their turn: each fills a part of the disk. */
const waitingMax = 16;
/** Where the camera records now, nothing is imported: its newest fragment is not whole yet. */
const liveMs = 60_000;
/** An ffmpeg that reads and sends nothing for so long hangs: the slowest conversion gives a picture a second. */
const silenceMsMax = 120_000;
const silenceLookMs = 5_000;
/** A file that does not tell its length has a day at most. */
const unknownDurationMs = 12 * 3_600_000;
/** A file whose footage ends so much before its own account of its length broke off. */
const shortByMs = 1_500;
const shortByShare = 0.01;

export class Imports {
  readonly #deps: ImportsDeps;
  readonly #options: { readonly ffmpegPath: string; readonly ffprobePath: string };
  readonly #spool: Spool;
  readonly #lifetime = new Lifetime();
  readonly #jobs = new Map<string, Job>();
  #turn: Promise<void> = Promise.resolve();
  #uploads = 0;

  constructor(
    deps: ImportsDeps,
    options: { readonly directory: string; readonly ffmpegPath: string; readonly ffprobePath: string },
  ) {
    this.#deps = deps;
    this.#options = options;
    this.#spool = new Spool({ directory: options.directory });
  }

  async start(): Promise<void> {
    await this.#spool.start();
    this.#lifetime.defer(() => this.#turn);
    this.#lifetime.defer(() => {
      for (const job of this.#jobs.values()) job.controller.abort();
    });
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /** Those of a stream, newest first. */
  list(streamId: string): ImportStatus[] {
    const all = [...this.#jobs.values()].map((job) => this.#statusOf(job));
    return all.filter((status) => status.streamId === streamId).reverse();
  }

  find(importId: string): ImportStatus | undefined {
    const job = this.#jobs.get(importId);
    return job === undefined ? undefined : this.#statusOf(job);
  }

  /** Ends an import; what it stored stays. */
  cancel(importId: string): void {
    this.#jobs.get(importId)?.controller.abort();
  }

  /**
   * Takes an upload and begins its import when it is whole, or joins the same one that runs already.
   *
   * @throws AppError failed_precondition  footage lies there already, or it would reach into what is recorded now
   * @throws AppError                      as `Spool.keep`, `probeFile` and `admit`
   */
  async create({ body, ...request }: ImportRequest): Promise<ImportStatus> {
    const waiting = [...this.#jobs.values()].filter((job) => job.status.endedMs === undefined);
    if (waiting.length + this.#uploads >= waitingMax) {
      throw appError('resource_exhausted', 'too many imports are waiting', { hint: 'try again when one is done' });
    }
    this.#uploads++;
    try {
      const spooled = await this.#spool.keep(body, request);
      try {
        return await this.#begin(request, spooled);
      } catch (error) {
        await this.#spool.remove(spooled);
        throw error;
      }
    } finally {
      this.#uploads--;
    }
  }

  async #begin(request: Omit<ImportRequest, 'body'>, spooled: SpooledFile): Promise<ImportStatus> {
    const { clock, log } = this.#deps;
    const { ffprobePath } = this.#options;
    const { signal } = this.#lifetime;
    const { streamId, name } = request;
    const file = await probeFile({ clock }, { path: spooled.path, ffprobePath, signal });
    const atMs = request.at === 'file' ? file.creationMs : request.at;
    if (atMs === undefined) {
      throw appError('invalid_argument', 'the file does not say when it was made', { hint: 'give its time by --at' });
    }
    const importId = importIdOf({ streamId, sha256: spooled.sha256, atMs });
    const same = this.#jobs.get(importId);
    if (same !== undefined && same.status.endedMs === undefined) {
      await this.#spool.remove(spooled);
      return this.#statusOf(same);
    }
    const span = { beginMs: atMs, endMs: atMs + (file.durationMs ?? 1) };
    await this.#requirePlace(request, { span, importId });
    await request.admit(span);
    const job: Job = {
      ...{ request, spooled, file, controller: new AbortController(), runningSinceMs: undefined },
      status: {
        ...{ importId, streamId, name, state: 'waiting', fileBytes: spooled.byteLength, atMs, notes: file.notes },
        ...{ fragments: 0, bytes: 0, alreadyThere: 0, skipped: 0, mediaMs: 0, dropped: {} },
        ...{ beginMs: undefined, endMs: undefined, fault: undefined, endedMs: undefined, remainingMs: undefined },
        durationMs: file.durationMs,
        startedMs: clock.wallMs(),
      },
    };
    this.#jobs.delete(importId);
    this.#jobs.set(importId, job);
    this.#forgetOld();
    log.info('import waits for its turn', { importId, streamId, name, atMs, fileBytes: spooled.byteLength });
    this.#turn = this.#turn.then(() => this.#run(job));
    return this.#statusOf(job);
  }

  /** What can be said before a byte is stored; the owner decides again, fragment by fragment. */
  async #requirePlace(
    { streamId, onTaken }: Pick<ImportRequest, 'streamId' | 'onTaken'>,
    { span, importId }: { readonly span: Span; readonly importId: string },
  ): Promise<void> {
    if (span.endMs > this.#deps.clock.wallMs()) {
      throw appError('failed_precondition', 'the footage would end in the future', {
        hint: 'is the time of --at right, and its zone?',
      });
    }
    if (onTaken === 'skip') return;
    const { taken } = await existingSpans(this.#deps.footage, { streamId, span, importId });
    const inside = taken.filter(
      ([beginMs, endMs]) =>
        endMs > span.beginMs + limits.gapToleranceMs && beginMs < span.endMs - limits.gapToleranceMs,
    );
    if (inside.length === 0) return;
    const text = (ms: number) => new Date(ms).toISOString();
    const shown = inside.slice(0, 5).map(([beginMs, endMs]) => `${text(beginMs)} to ${text(endMs)}`);
    const more = inside.length > shown.length ? ` and ${inside.length - shown.length} more` : '';
    throw appError('failed_precondition', `footage lies there already: ${shown.join(', ')}${more}`, {
      hint: 'give another time by --at, or import only what is missing by --skip-existing',
    });
  }

  /** Never fails: what goes wrong is the import's status. */
  async #run(job: Job): Promise<void> {
    const { clock, log } = this.#deps;
    const { importId } = job.status;
    try {
      job.controller.signal.throwIfAborted();
      job.runningSinceMs = clock.monotonicMs();
      job.status = { ...job.status, state: 'running' };
      const { result, complaint } = await this.#transfer(job);
      job.status = { ...job.status, ...outcomeOf(result, job.file, complaint) };
    } catch (error) {
      const isCancelled = job.controller.signal.aborted;
      const failure = isCancelled ? appError('cancelled', 'import was cancelled') : toAppError(error);
      if (!isCancelled && !isAppError(error)) log.error('import failed', { importId, error });
      job.status = { ...job.status, state: isCancelled ? 'cancelled' : 'failed', fault: faultOf(failure) };
    }
    job.status = { ...job.status, endedMs: clock.wallMs() };
    const { state, fragments, alreadyThere, skipped, fault } = job.status;
    log.info('import ended', { importId, state, fragments, alreadyThere, skipped, fault: fault?.message });
    await this.#spool.remove(job.spooled).catch((error: unknown) => log.warn('upload is not removed', { error }));
  }

  async #transfer(job: Job): Promise<{ result: ImportResult; complaint: string | undefined }> {
    const { clock, footage, ownerOf } = this.#deps;
    const { ffmpegPath } = this.#options;
    const { importId, streamId, atMs } = job.status;
    const { onTaken } = job.request;
    const { signal } = job.controller;
    const nowMs = clock.wallMs();
    const { durationMs = unknownDurationMs } = job.file;
    // A file may be longer than it says, within reason.
    const horizonMs = Math.min(nowMs, atMs + 2 * durationMs + liveMs);
    const span = { beginMs: atMs, endMs: horizonMs };
    const { done, taken } = await existingSpans(footage, { streamId, importId, span });
    const latest = await footage.latest(streamId);
    const newestMs = latest === undefined ? undefined : fragmentEndMs(latest.fragment);
    const isLive = newestMs !== undefined && newestMs > nowMs - liveMs;
    const put = await ownerOf(streamId).put({
      head: {
        ...{ kind: 'import', streamId, importId, atMs, done, taken, onTaken },
        endMsMax: Math.floor(isLive ? Math.min(newestMs, horizonMs) : horizonMs),
      },
      onEvent: (event) => {
        job.status = { ...job.status, ...parseImportProgress(event) };
      },
      signal,
    });
    const child = remux(job.file, { path: job.spooled.path, ffmpegPath });
    signal.addEventListener('abort', child.kill, { once: true });
    // Undefined while it waits for us.
    let silentSinceMs: number | undefined = clock.monotonicMs();
    let isHanging = false;
    const { fileBytes } = job.status;
    const bytesMax = footageBytesMax(job.file, fileBytes);
    let bytes = 0;
    const stopLooking = clock.every(silenceLookMs, () => {
      isHanging ||= silentSinceMs !== undefined && clock.monotonicMs() - silentSinceMs > silenceMsMax;
      if (isHanging) child.kill();
    });
    try {
      for await (const chunk of child.output) {
        silentSinceMs = undefined;
        bytes += chunk.length;
        if (bytes > bytesMax) throw tooMuchFootage({ fileBytes, bytesMax });
        await put.write(chunk as Uint8Array);
        silentSinceMs = clock.monotonicMs();
      }
      const { isWhole, isKilled, complaint } = await child.ended;
      signal.throwIfAborted();
      // The last fragment is half by chance, not by the file: it must not count as stored.
      if (isHanging) throw appError('deadline_exceeded', 'ffmpeg hung over the file and was ended');
      if (isKilled) throw appError('unavailable', 'ffmpeg was killed', { hint: 'run it again: it goes on' });
      return { result: parseImportResult(await put.end({ isCut: !isWhole })), complaint };
    } finally {
      stopLooking();
      signal.removeEventListener('abort', child.kill);
      child.kill();
      put.close();
    }
  }

  #statusOf({ status, runningSinceMs }: Job): ImportStatus {
    const { durationMs, mediaMs } = status;
    if (status.state !== 'running' || durationMs === undefined || mediaMs <= 0 || runningSinceMs === undefined) {
      return status;
    }
    const elapsedMs = this.#deps.clock.monotonicMs() - runningSinceMs;
    return { ...status, remainingMs: Math.max(0, Math.round((elapsedMs * (durationMs - mediaMs)) / mediaMs)) };
  }

  #forgetOld(): void {
    for (const [importId, { status }] of this.#jobs) {
      if (this.#jobs.size <= rememberedMax) return;
      if (status.endedMs !== undefined) this.#jobs.delete(importId);
    }
  }
}

/** Whole, or how far it could be read. */
function outcomeOf(
  result: ImportResult,
  file: MediaFile,
  complaint: string | undefined,
): Omit<ImportProgress, never> & Pick<ImportStatus, 'state' | 'beginMs' | 'endMs' | 'dropped' | 'fault'> {
  const { fault: broken, beginMs, endMs, ...rest } = result;
  const whole = { ...rest, beginMs: beginMs ?? undefined, endMs: endMs ?? undefined };
  const why = complaint ?? broken ?? 'its media ends early';
  if (endMs === null) {
    const fault = faultOf(appError('data_loss', `nothing of the file can be read: ${why}`));
    return { ...whole, state: 'failed', fault };
  }
  const { durationMs = 0 } = file;
  const isShort = rest.mediaMs < durationMs - Math.max(shortByMs, durationMs * shortByShare);
  if (broken === null && !isShort) return { ...whole, state: 'done', fault: undefined };
  const seconds = (rest.mediaMs / 1_000).toFixed(1);
  const message = `the file can be read up to ${seconds} s of ${(durationMs / 1_000).toFixed(1)} s: ${why}`;
  const hint =
    'what is before that is imported; a better copy of the file goes on after it with the same --at and --skip-existing';
  return { ...whole, state: 'partial', fault: faultOf(appError('data_loss', message, { hint })) };
}

function faultOf({ code, message, hint }: AppError): NonNullable<ImportStatus['fault']> {
  return { code, message, ...(hint === undefined ? {} : { hint }) };
}
