/** What events marked, as far as the timeline shows it. */

import { type Accessor, createEffect, createResource, onCleanup } from 'solid-js';
import { call, type Span } from '../api.ts';
import type { Mark } from './footage.ts';

type Range = { readonly kind: string; readonly beginMs: number; readonly endMs: number | null } & {
  readonly detail: Readonly<Record<string, string>>;
};

const periodMs = 10_000;
/** The server answers for a year at most; a view of years shows no marks. */
const spanMsMax = 366 * 86_400_000;

/** @param view  what is looked at; undefined before the timeline told */
export function createMarks(cameraId: Accessor<string>, view: Accessor<Span | undefined>): Accessor<readonly Mark[]> {
  const asked = () => {
    const span = view();
    if (span === undefined || span.endMs - span.beginMs > spanMsMax) return undefined;
    // A part more on both sides: moving the timeline a little shows what is there already.
    const aroundMs = Math.min((span.endMs - span.beginMs) / 2, (spanMsMax - (span.endMs - span.beginMs)) / 2);
    return {
      path: `/api/cameras/${cameraId()}/event-ranges`,
      begin: Math.max(0, Math.floor(span.beginMs - aroundMs)),
      end: Math.ceil(span.endMs + aroundMs),
    };
  };
  const [marks, { refetch }] = createResource(asked, async ({ path, begin, end }) => {
    const { ranges } = await call<{ ranges: readonly Range[] }>('GET', `${path}?begin=${begin}&end=${end}`);
    return ranges.map(toMark);
  });
  createEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) void refetch();
    }, periodMs);
    onCleanup(() => clearInterval(timer));
  });
  return () => (marks.error === undefined ? (marks.latest ?? []) : []);
}

function toMark({ kind, beginMs, endMs, detail }: Range): Mark {
  const words = Object.values(detail);
  return {
    ...{ kind, beginMs, endMs: endMs ?? Date.now() },
    detail: words.length === 0 ? null : `${kind}: ${words.join(', ')}`,
  };
}
