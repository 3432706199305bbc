/** The fragments of a stream from a moment on, one after another, as far as there are any; at the newest it waits for the next. */

import { must } from '../../../storage/base/assert.ts';
import type { Clock } from '../../../storage/base/clock.ts';
import { absenceText, type FragmentSource, keyAlignedFragments, type PlayableFragment } from '../../playback/index.ts';
import { rtspServerLimits } from '../limits.ts';

/** How far is looked ahead, step by step: nearly always the first finds something, and none reads a year of tables at once. */
const stepsMs = [2 * 60_000, 3_600_000, 86_400_000, 31 * 86_400_000, 366 * 86_400_000] as const;

export type RecordedSpan = { readonly beginMs: number; readonly endMs: number | undefined };

/** The fragment that playing begins with: of a key frame at or before the moment, else the first after it. */
export async function firstRecorded(
  source: FragmentSource,
  streamId: string,
  span: RecordedSpan,
): Promise<PlayableFragment | undefined> {
  const { beginMs, endMs = Number.POSITIVE_INFINITY } = span;
  const leads = await keyAlignedFragments(source, streamId, { beginMs, endMs: beginMs + 1 });
  // Several where a run came back from behind a backlog: server time is slewed, and one reaches into the next.
  const lead = leads.findLast(({ fragment }) => fragment.isKey && fragment.serverTimestampMs <= beginMs) ?? leads[0];
  if (lead !== undefined) return lead;
  for (const stepMs of stepsMs) {
    const stepEndMs = Math.min(endMs, beginMs + stepMs);
    const limit = rtspServerLimits.recordedPageFragments;
    const found = await source.fragmentsBetween(streamId, { beginMs, endMs: stepEndMs, limit });
    const first = found.find(({ fragment }) => fragment.isKey);
    if (first !== undefined) return first;
    if (stepEndMs === endMs) return undefined;
  }
  return undefined;
}

/** What to say when there is none: where footage was removed or not to be recorded, that. */
export function whyNothing(
  source: FragmentSource,
  streamId: string,
  { beginMs, endMs = beginMs + 1 }: RecordedSpan,
): string {
  const absence = source.absence?.(streamId, { beginMs, endMs });
  return absence === undefined ? 'nothing was recorded at that time' : absenceText(absence);
}

/**
 * @param first  from `firstRecorded`; it comes first
 * @param span   `endMs` undefined goes on for as long as something is recorded
 */
export async function* recordedFragments(
  deps: { readonly clock: Clock; readonly source: FragmentSource },
  options: {
    readonly streamId: string;
    readonly first: PlayableFragment;
    readonly endMs: number | undefined;
    readonly signal: AbortSignal;
  },
): AsyncGenerator<PlayableFragment> {
  const { streamId, first, endMs, signal } = options;
  let last = first;
  yield first;
  while (!signal.aborted) {
    const page = await nextPage(deps.source, streamId, { last, endMs });
    for (const next of page) {
      yield next;
      if (signal.aborted) return;
    }
    if (page.length > 0) {
      last = must(page.at(-1), 'a page that is not empty has a last fragment');
      continue;
    }
    if (endMs !== undefined && endMs <= deps.clock.wallMs() - rtspServerLimits.edgeWaitMs) return;
    if (!(await isMoreComing(deps, { streamId, last, endMs, signal }))) return;
  }
}

async function nextPage(
  source: FragmentSource,
  streamId: string,
  { last, endMs }: { readonly last: PlayableFragment; readonly endMs: number | undefined },
): Promise<readonly PlayableFragment[]> {
  const beginMs = last.fragment.serverTimestampMs;
  const boundMs = endMs ?? Number.POSITIVE_INFINITY;
  for (const stepMs of stepsMs) {
    const stepEndMs = Math.min(boundMs, beginMs + stepMs);
    if (stepEndMs <= beginMs) return [];
    const limit = rtspServerLimits.recordedPageFragments;
    const found = await source.fragmentsBetween(streamId, { beginMs, endMs: stepEndMs, limit });
    const later = found.filter(({ fragment }) => fragment.number > last.fragment.number);
    if (later.length > 0 || stepEndMs === boundMs) return later;
  }
  return [];
}

/** Resolves with true when a new fragment came, false when none did for a while: the stream is not live, or over. */
function isMoreComing(
  deps: { readonly clock: Clock; readonly source: FragmentSource },
  options: {
    readonly streamId: string;
    readonly last: PlayableFragment;
    readonly endMs: number | undefined;
    readonly signal: AbortSignal;
  },
): Promise<boolean> {
  const { streamId, signal } = options;
  return new Promise((resolve) => {
    const settle = (isMore: boolean) => {
      stop();
      cancel();
      signal.removeEventListener('abort', onAbort);
      resolve(isMore);
    };
    const onAbort = () => settle(false);
    const look = async () => {
      const page = await nextPage(deps.source, streamId, options).catch(() => []);
      if (page.length > 0) settle(true);
    };
    const stop = deps.source.onNew(streamId, () => void look());
    const cancel = deps.clock.after(rtspServerLimits.edgeWaitMs, () => settle(false));
    signal.addEventListener('abort', onAbort, { once: true });
    // One that came between the last question and now.
    void look();
  });
}
