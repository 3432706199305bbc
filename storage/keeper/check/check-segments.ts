/** Every row has its bytes (2), they are what was committed (1), and the hash chain of each run holds (1). */

import { isAppError, toAppError } from '../../base/errors.ts';
import type { StoredSegment } from '../../index/index.ts';
import { readSegment, verifySegment } from '../../journal/index.ts';
import { journalRoots } from '../../model/paths.ts';
import { segmentFileName } from '../../model/segment.ts';
import { findFinished, statFile } from '../finished-files.ts';
import { withObjectFile } from '../object-file.ts';
import { type CheckContext, unlessAway } from './context.ts';
import type { Finding } from './finding.ts';

const pageRows = 500;

/** Returns how many rows were looked at. */
export async function checkSegments(context: CheckContext, skipped: string[]): Promise<number> {
  let seen = 0;
  for (let last = 0; ; ) {
    const page = context.index.snapshot((queries) => queries.segments.pageOfAll(last, pageRows));
    for (const segment of page) {
      context.signal.throwIfAborted();
      checkChain(context, segment);
      const isDone = await unlessAway(skipped, 'objects of rows', () => checkBytes(context, segment));
      // Without the store there is no use in asking it a million times.
      if (isDone === undefined && skipped.length > 0) return seen;
      context.step();
      seen++;
    }
    last = page.at(-1)?.segmentId ?? last;
    if (page.length < pageRows) break;
  }
  for (const streamId of context.index.snapshot((queries) => queries.streams.wrongTotals())) {
    context.find({
      invariant: 2,
      severity: 'warning',
      what: 'totals of a stream are not the sums of its rows',
      where: `streams ${streamId}`,
      hint: 'Quotas may be off. Stop Weir and move db/index.sqlite away: it is rebuilt.',
    });
  }
  return seen;
}

function checkChain(context: CheckContext, segment: StoredSegment): void {
  const where = segment.objectKey;
  if (segment.sequence === 0) {
    if (segment.previousDigest.every((byte) => byte === 0)) return;
    context.find({ ...broken, what: 'first segment of a run names a segment before it', where });
    return;
  }
  const before = context.index.snapshot((queries) => queries.segments.inRun(segment.runId, segment.sequence - 1));
  // Retention takes the oldest first: a chain may begin anywhere.
  if (before === undefined || Buffer.compare(before.digest, segment.previousDigest) === 0) return;
  context.find({
    ...broken,
    what: 'hash chain is broken: the segment before is not the one that this segment names',
    where,
  });
}

const broken = {
  invariant: 1,
  severity: 'alarm',
  hint: 'Footage was changed or replaced after it was recorded. Look at who had access to the disk.',
} satisfies Partial<Finding>;

async function checkBytes(context: CheckContext, segment: StoredSegment): Promise<true> {
  const place = await placeOf(context, segment);
  if (place === 'gone') return true;
  if (place === undefined) {
    context.find({
      invariant: 2,
      severity: 'alarm',
      what: `a row has no bytes: its ${segment.location === 'stored' ? 'object' : 'journal file'} is not there`,
      where: segment.location === 'stored' ? segment.objectKey : await localPathOf(context, segment),
      hint: 'Restore the file from a backup, or delete the range to accept the loss.',
    });
    return true;
  }
  if (context.level === 'presence') return true;
  if (place.byteLength !== segment.byteLength) {
    context.find({
      invariant: 1,
      severity: 'alarm',
      what: `${segment.byteLength} bytes were stored, ${place.byteLength} are there`,
      where: place.where,
      hint: 'The file was cut or replaced. Restore it from a backup; whole fragments of it can still be read.',
    });
    return true;
  }
  checkTable(context, segment);
  if (context.level === 'hash') await place.use((path) => checkHashes(context, { segment, path, where: place.where }));
  return true;
}

/** The packed table of the row: what playback computes from. */
function checkTable(context: CheckContext, segment: StoredSegment): void {
  try {
    const fragments = context.index.fragmentsOf(segment.segmentId);
    if (fragments === undefined || fragments.length === segment.fragmentCount) return;
  } catch (error) {
    if (!isAppError(error, 'data_loss')) throw error;
  }
  context.find({
    invariant: 3,
    severity: 'alarm',
    what: 'fragment table of a row is damaged',
    where: `fragment_tables ${segment.segmentId}`,
    hint: 'Stop Weir and move db/index.sqlite away: it is rebuilt from the files.',
  });
}

async function checkHashes(
  context: CheckContext,
  { segment, path, where }: { readonly segment: StoredSegment; readonly path: string; readonly where: string },
): Promise<void> {
  try {
    const { damaged, isDigestWrong } = await verifySegment(path);
    for (const fragment of damaged) {
      context.find({
        invariant: 1,
        severity: 'alarm',
        what: `fragment ${fragment.number} at byte ${fragment.offset} is not what was recorded`,
        where,
        hint: 'The disk gave other bytes than were written. Restore the file from a backup, and look at the disk.',
      });
    }
    const { digest } = isDigestWrong ? { digest: undefined } : await readSegment(path);
    if (digest === undefined || Buffer.compare(digest, segment.digest) !== 0) {
      context.find({ ...broken, what: 'head and commit records are not those that the row was made of', where });
    }
  } catch (error) {
    const failure = toAppError(error);
    if (failure.code === 'not_found') return;
    if (failure.code !== 'data_loss' && failure.code !== 'failed_precondition') throw failure;
    context.find({
      invariant: 3,
      severity: 'alarm',
      what: `segment file is not readable: ${failure.message}`,
      where,
      hint: 'Restore the file from a backup, and look at the disk.',
    });
  }
}

type Place = {
  readonly where: string;
  readonly byteLength: number;
  readonly use: (use: (path: string) => Promise<void>) => Promise<void>;
};

/** Where the bytes are. `gone`: the row went while we looked. Undefined: the row is there and its bytes are not. */
async function placeOf(context: CheckContext, first: StoredSegment): Promise<Place | 'gone' | undefined> {
  let segment: StoredSegment | undefined = first;
  for (let looks = 0; looks < 3; looks++) {
    const found =
      segment.location === 'stored' ? await objectPlace(context, segment) : await localPlace(context, segment);
    if (found !== undefined) return found;
    // It may have been stored and let go, or removed, since the row was read.
    segment = context.index.segment(first.segmentId);
    if (segment === undefined) return 'gone';
  }
  return undefined;
}

async function objectPlace({ store }: CheckContext, segment: StoredSegment): Promise<Place | undefined> {
  const object = await store.stat(segment.objectKey);
  if (object === undefined) return undefined;
  return {
    where: segment.objectKey,
    byteLength: object.byteLength,
    use: (use) => withObjectFile(store, object, use),
  };
}

async function localPlace(context: CheckContext, segment: StoredSegment): Promise<Place | undefined> {
  const path = await localPathOf(context, segment);
  const file = await statFile(path);
  return file === undefined ? undefined : { where: path, byteLength: file.byteLength, use: (use) => use(path) };
}

function localPathOf({ paths }: CheckContext, segment: StoredSegment): Promise<string> {
  const directories = journalRoots(paths).map((root) => root.finished);
  return findFinished(directories, { streamId: segment.streamId, name: segmentFileName(segment) });
}
