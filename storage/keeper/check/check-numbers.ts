/** Fragment numbers of a stream increase for ever (4): within a segment, along a run, between runs, and in what is reserved. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, isAppError } from '../../base/errors.ts';
import type { StoredSegment } from '../../index/index.ts';
import type { Fragment } from '../../model/fragment.ts';
import type { CheckContext } from './context.ts';

const pageRows = 500;
const hint = 'Players and mirrors skip or repeat fragments. Was an old copy of state/ or of the index put back?';

export async function checkNumbers(context: CheckContext): Promise<void> {
  for (const { streamId } of context.index.totalsOfAll()) {
    const newest = checkStream(context, streamId);
    if (newest !== undefined) await checkReservation(context, streamId, newest);
  }
}

/** Walks a stream by counter. Returns the highest one. */
function checkStream(context: CheckContext, streamId: string): number | undefined {
  const { index } = context;
  let before: StoredSegment | undefined;
  for (;;) {
    context.signal.throwIfAborted();
    const page = index.segmentsAfter(streamId, before?.lastNumber, pageRows);
    for (const segment of page) {
      checkWithin(context, segment);
      checkRun(context, segment);
      if (before !== undefined && segment.firstCounter <= before.lastCounter) checkOverlap(context, before, segment);
      before = segment;
    }
    if (page.length < pageRows) return before?.lastCounter;
  }
}

/** Reads every fragment table: not for the quick look. */
function checkWithin(context: CheckContext, segment: StoredSegment): void {
  if (context.level === 'presence') return;
  const numbers = numbersOf(context, segment);
  if (numbers === undefined) return;
  const isRising = numbers.every((number, i) => i === 0 || number > (numbers[i - 1] ?? ''));
  const isSame = numbers[0] === segment.firstNumber && numbers.at(-1) === segment.lastNumber;
  if (isRising && isSame) return;
  const what = isRising
    ? 'numbers of a row are not those of its fragments'
    : 'fragment numbers do not increase within a segment';
  context.find({ invariant: 4, severity: 'alarm', what, where: segment.objectKey, hint });
}

function checkRun(context: CheckContext, segment: StoredSegment): void {
  if (segment.sequence === 0) return;
  const before = context.index.snapshot((queries) => queries.segments.inRun(segment.runId, segment.sequence - 1));
  if (before === undefined || before.lastCounter < segment.firstCounter) return;
  const what = `a segment begins with number ${segment.firstCounter}, the one before it in its run ended with ${before.lastCounter}`;
  context.find({ invariant: 4, severity: 'alarm', what, where: segment.objectKey, hint });
}

/** Connections that overlap may interleave their numbers; none may be given twice. */
function checkOverlap(context: CheckContext, before: StoredSegment, segment: StoredSegment): void {
  if (before.runId === segment.runId) return;
  const known = new Set(numbersOf(context, before)?.map(counterText));
  const twice = numbersOf(context, segment)?.find((number) => known.has(counterText(number)));
  if (twice === undefined) return;
  const what = `fragment number ${twice} was given twice, also in ${before.objectKey}`;
  context.find({ invariant: 4, severity: 'alarm', what, where: segment.objectKey, hint });
}

/** The next numbers come from the reservation: it must lie behind everything that was given. */
async function checkReservation(context: CheckContext, streamId: string, newest: number): Promise<void> {
  let highest: { readonly end: number; readonly path: string } | undefined;
  for (const ingest of await namesIn(context.paths.state)) {
    const path = join(context.paths.state, ingest, 'numbers', `${streamId}.json`);
    const end = await reservedEnd(path);
    if (end !== undefined && end > (highest?.end ?? 0)) highest = { end, path };
  }
  if (highest === undefined || highest.end > newest) return;
  const what = `numbers up to ${highest.end} are reserved, but ${newest} was given already`;
  context.find({ invariant: 4, severity: 'alarm', what, where: highest.path, hint });
}

function numbersOf(context: CheckContext, segment: StoredSegment): Fragment['number'][] | undefined {
  try {
    return context.index.fragmentsOf(segment.segmentId)?.map((fragment) => fragment.number);
  } catch (error) {
    // A damaged table is told where rows are checked.
    if (isAppError(error, 'data_loss')) return undefined;
    throw error;
  }
}

/** The digits that order a number, without its time and its random ones: equal for equal counters. */
function counterText(number: string): bigint {
  return BigInt(number) >> 92n;
}

async function reservedEnd(path: string): Promise<number | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return typeof value === 'object' && value !== null && 'end' in value && typeof value.end === 'number'
      ? value.end
      : undefined;
  } catch (error) {
    // No reservation here, or one that its own reader refuses and replaces.
    if (errnoOf(error) !== undefined || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
