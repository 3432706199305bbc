/** What the timeline draws, asked for as the view needs it: spans, gaps and what is not there on purpose, or days when it is long. */

import { createEffect, createResource, createSignal, on, onCleanup } from 'solid-js';
import { type Absence, call, type Day, type Gap, type Span, type Timeline } from '../api.ts';
import { dayName, zone } from '../format.ts';
import { lengthOf, minuteMs, spansMsMax, windowOf } from './scale.ts';

/** A zoom with the wheel is many small ones: it is asked for what was wanted in the end. */
const restMs = 120;
const livePeriodMs = 5_000;
const calmPeriodMs = 30_000;

export type DayBar = Span &
  Day & {
    readonly gapMsByReason: Readonly<Record<string, number>>;
    readonly removedMsByText: Readonly<Record<string, number>>;
    readonly pausedMsByText: Readonly<Record<string, number>>;
  };
export type Mark = Span & { readonly kind: string; readonly detail: string | null };

export type Footage = {
  readonly spans: readonly Span[];
  readonly gaps: readonly Gap[];
  readonly removals: readonly Absence[];
  readonly pauses: readonly Absence[];
  /** Instead of all that, in long views. */
  readonly days: readonly DayBar[] | undefined;
};

const nothing: Footage = { spans: [], gaps: [], removals: [], pauses: [], days: undefined };

export function createFootage(streamId: () => string, view: () => Span) {
  const asked = () => ({ streamId: streamId(), isDays: lengthOf(view()) > spansMsMax, ...windowOf(view()) });
  const [wanted, setWanted] = createSignal(asked(), { equals: (a, b) => JSON.stringify(a) === JSON.stringify(b) });
  createEffect(
    on(
      view,
      () => {
        const timer = setTimeout(() => setWanted(asked()), restMs);
        onCleanup(() => clearTimeout(timer));
      },
      { defer: true },
    ),
  );
  createEffect(on(streamId, () => setWanted(asked()), { defer: true }));
  const [footage, { refetch }] = createResource(wanted, read);
  createEffect(() => {
    const isShort = lengthOf(view()) <= 90 * minuteMs;
    const timer = setInterval(
      () => {
        if (!document.hidden && wanted().endMs > Date.now()) void refetch();
      },
      isShort ? livePeriodMs : calmPeriodMs,
    );
    onCleanup(() => clearInterval(timer));
  });
  return footage;
}

async function read({
  streamId,
  isDays,
  beginMs,
  endMs,
  resolutionMs,
}: Span & { readonly streamId: string; readonly isDays: boolean; readonly resolutionMs: number }): Promise<Footage> {
  if (streamId === '') return nothing;
  const lastMs = Math.min(endMs, Date.now() + livePeriodMs);
  if (lastMs <= beginMs) return nothing;
  const base = `/api/streams/${streamId}`;
  if (isDays) {
    const query = new URLSearchParams({ from: dayName(beginMs), to: dayName(lastMs), zone });
    const { days } = await call<{ days: DayBar[] }>('GET', `${base}/days?${query}`);
    return { ...nothing, days };
  }
  const query = `begin=${beginMs}&end=${lastMs}&resolutionMs=${resolutionMs}`;
  const { spans, gaps, removals, pauses } = await call<Timeline>('GET', `${base}/timeline?${query}`);
  return { spans, gaps, removals, pauses, days: undefined };
}
