/** What a stream has already in a span: spans of this import's own earlier attempts, and of everything else. */

import { appError } from '../../storage/base/errors.ts';
import { type Fragment, fragmentEndMs } from '../../storage/model/fragment.ts';
import { limits } from '../../storage/model/limits.ts';
import { importSpansMax, isRunOfImport } from './import-head.ts';

/** Server time, milliseconds: begin inside, end outside. */
export type Span = { readonly beginMs: number; readonly endMs: number };

type Footage = {
  fragmentsBetween(
    streamId: string,
    range: Span & { readonly limit?: number },
  ): Promise<readonly { readonly fragment: Fragment; readonly segment: { readonly runId: string } }[]>;
};

/**
 * @returns spans as an import's head carries them, in order and apart
 * @throws AppError resource_exhausted  there are more than a head may name
 */
export async function existingSpans(
  footage: Footage,
  options: { readonly streamId: string; readonly span: Span; readonly importId: string },
): Promise<{ readonly done: [number, number][]; readonly taken: [number, number][] }> {
  const { streamId, span, importId } = options;
  const own: Span[] = [];
  const other: Span[] = [];
  for (let { beginMs } = span; beginMs < span.endMs; ) {
    const limit = limits.readerFragmentsMax;
    const page = await footage.fragmentsBetween(streamId, { beginMs, endMs: span.endMs, limit });
    for (const { fragment, segment } of page) {
      const of = isRunOfImport(segment.runId, importId) ? own : other;
      of.push({ beginMs: fragment.serverTimestampMs, endMs: fragmentEndMs(fragment) });
    }
    const last = page.at(-1);
    if (last === undefined || page.length < limit) break;
    beginMs = Math.max(beginMs + 1, last.fragment.serverTimestampMs);
  }
  return { done: joined(own), taken: joined(other) };
}

/** Spans that touch, within what ends are estimated by, are one. */
function joined(spans: readonly Span[]): [number, number][] {
  const result: [number, number][] = [];
  for (const { beginMs, endMs } of spans.toSorted((a, b) => a.beginMs - b.beginMs)) {
    const last = result.at(-1);
    if (last !== undefined && beginMs <= last[1] + limits.gapToleranceMs) last[1] = Math.max(last[1], Math.ceil(endMs));
    else result.push([Math.floor(beginMs), Math.ceil(endMs)]);
  }
  if (result.length <= importSpansMax) return result;
  throw appError('resource_exhausted', 'the footage there has too many gaps', {
    spans: result.length,
    hint: 'import a shorter file',
  });
}
