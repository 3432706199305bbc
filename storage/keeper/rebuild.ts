/**
 * Fills an empty index from what is left: rows of people and gaps out of the damaged file as far as it can be read, segments
 * out of every object's own table. May be interrupted and begun again; recording and taking in go on meanwhile, and nothing
 * is removed before it is done.
 */

import type { Clock } from '../base/clock.ts';
import { type AppError, appError, isAppError, toAppError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { IndexChange, IndexWriter, Span } from '../index/index.ts';
import { readSegment } from '../journal/index.ts';
import { limits } from '../model/limits.ts';
import { type GapReason, gapReasons, isImported, isProduced } from '../model/run.ts';
import type { Segment } from '../model/segment.ts';
import { isYoungProbe, type ObjectInfo, type ObjectStore } from '../objects/index.ts';
import { withObjectEdges } from './object-file.ts';

export type RebuildProgress = { readonly objects: number; readonly segments: number; readonly unreadable: number };

/** Objects of one transaction. */
const batchObjects = 100;
/** Read at the same time: hides the latency of a store that is elsewhere. */
const readsAtOnce = 8;
/** An error that may pass is asked about again, after all others and with growing delays, before it is believed. */
const retryDelaysMs = [1_000, 3_000, 9_000];
/** Objects that are asked about again: with more of them it is the store that fails. */
const doubtfulMax = 1_000;

/**
 * Takes every object of the store into the index.
 *
 * @throws AppError  the store's or the index's failure; begin again later
 */
export async function rebuildSegments(
  dependencies: { readonly clock: Clock; readonly log: Log; readonly index: IndexWriter; readonly store: ObjectStore },
  options: {
    readonly signal: AbortSignal;
    readonly onProgress: (progress: RebuildProgress) => Promise<void>;
  },
): Promise<RebuildProgress> {
  const { clock, log, index, store } = dependencies;
  const nowMs = clock.wallMs();
  const counts = { objects: 0, segments: 0, unreadable: 0 };
  let batch: { readonly key: string; readonly segment: Segment }[] = [];
  const insert = async () => {
    index.transaction((change) => {
      for (const { key, segment } of batch) {
        if (change.segments.isGarbage(key)) continue;
        if (!change.segments.insert(segment, { location: 'stored', takenInMs: nowMs }).isNew) continue;
        counts.segments++;
        noteNewest(change, segment.fragments[0]?.serverTimestampMs);
      }
    });
    batch = [];
    await options.onProgress({ ...counts });
  };
  const unreadable = (object: ObjectInfo, failure: AppError) => {
    counts.unreadable++;
    log.error('object is not a segment that can be read', { objectKey: object.key, reason: failure.message });
  };
  let doubtful: Doubtful[] = [];
  const readAll = async (objects: readonly ObjectInfo[]) => {
    options.signal.throwIfAborted();
    const found = await Promise.all(objects.map(async (object) => ({ object, read: await readObject(store, object) })));
    for (const { object, read } of found) {
      if (!isAppError(read)) batch.push({ key: object.key, segment: read });
      else if (isFinal(read)) unreadable(object, read);
      else doubtful.push({ object, failure: read });
    }
    if (doubtful.length > doubtfulMax) throw doubtful[0]?.failure ?? appError('internal', 'there is a first');
    if (batch.length >= batchObjects) await insert();
  };
  let group: ObjectInfo[] = [];
  for await (const object of store.list('')) {
    if (isYoungProbe(object.key, clock.wallMs())) continue;
    counts.objects++;
    group.push(object);
    if (group.length < readsAtOnce) continue;
    await readAll(group);
    group = [];
  }
  await readAll(group);
  for (const delayMs of retryDelaysMs) {
    if (doubtful.length === 0) break;
    await insert();
    await clock.sleep(delayMs, options.signal);
    const again = doubtful;
    doubtful = [];
    for (const { object } of again) await readAll([object]);
  }
  for (const { object, failure } of doubtful) unreadable(object, failure);
  await insert();
  return counts;
}

/**
 * Seconds between what was found that no gap row speaks of: the reason of a run's beginning says why there was nothing
 * before it, and a hole inside a run means that an object is gone.
 */
export function rebuildGaps(change: IndexChange, streamId: string): number {
  let added = 0;
  let coveredMs: number | undefined;
  let runId: string | undefined;
  // Footage that was brought in fills a part of a hole; what the hole is, the next recorded run says.
  let holes: Span[] = [];
  for (let fromMs = Number.MIN_SAFE_INTEGER; ; ) {
    const page = change.queries.segments.oldestFrom(streamId, fromMs, limits.indexRowsMax);
    for (const segment of page) {
      const isRecorded = !isImported(segment);
      if (coveredMs === undefined && !isRecorded) continue;
      if (coveredMs !== undefined && segment.beginServerMs - coveredMs > limits.gapToleranceMs) {
        holes.push({ beginMs: coveredMs, endMs: segment.beginServerMs });
      }
      coveredMs = Math.max(coveredMs ?? 0, segment.endServerMs);
      if (!isRecorded) continue;
      for (const hole of isProduced(segment) ? [] : holes) {
        if (isExplained(change, streamId, hole)) continue;
        const isInRun = segment.runId === runId;
        change.gaps.add(change.segments.streamKey(streamId), {
          ...hole,
          reason: isInRun ? 'data-lost' : reasonOf(segment.runReason),
          detail: 'found while the index was rebuilt',
          runId: segment.runId,
          origin: 'rebuild',
        });
        added++;
      }
      holes = [];
      runId = segment.runId;
    }
    if (page.length < limits.indexRowsMax) return added;
    fromMs = (page.at(-1)?.beginServerMs ?? 0) + 1;
  }
}

/** Survives an interruption: after it these rows are known. */
function noteNewest(change: IndexChange, beginMs: number | undefined): void {
  const rebuild = change.state.get('rebuild') ?? undefined;
  if (rebuild === undefined || beginMs === undefined || beginMs <= (rebuild.newestMs ?? 0)) return;
  change.state.set('rebuild', { ...rebuild, newestMs: beginMs });
}

function isExplained(change: IndexChange, streamId: string, hole: { beginMs: number; endMs: number }): boolean {
  const { gaps, streams } = change.queries;
  return (
    gaps.between(streamId, hole, 1).length > 0 ||
    gaps.pausesBetween(streamId, hole, 1).length > 0 ||
    streams.removals(streamId, hole, 1).length > 0
  );
}

function reasonOf(runReason: string): GapReason {
  return runReason in gapReasons ? (runReason as GapReason) : 'data-lost';
}

type Doubtful = { readonly object: ObjectInfo; readonly failure: AppError };

/** What asking again will not change. */
function isFinal({ code }: AppError): boolean {
  return code === 'data_loss' || code === 'failed_precondition' || code === 'not_found' || code === 'invalid_argument';
}

async function readObject(store: ObjectStore, object: ObjectInfo): Promise<Segment | AppError> {
  try {
    return await withObjectEdges(store, object, readSegment);
  } catch (error) {
    const failure = toAppError(error);
    // One that cannot be read keeps nobody from the others, as long as the store is there.
    if (!isFinal(failure)) await store.identity();
    return failure;
  }
}
