/**
 * A day as a line: recorded spans, gaps with their reason on hover, the playing position. A click seeks, a drag chooses a range,
 * the wheel and the buttons zoom.
 */

import { createEffect, createSignal, For, on, Show } from 'solid-js';
import type { Gap, Timeline } from '../api.ts';
import { sentence } from '../fault.tsx';
import { clockText, durationText } from '../format.ts';

type View = { readonly beginMs: number; readonly endMs: number };

const hourMs = 3_600_000;
const viewMsMin = 60_000;
const zooms = [
  { text: '10 min', lengthMs: 600_000 },
  { text: '1 h', lengthMs: hourMs },
  { text: '6 h', lengthMs: 6 * hourMs },
  { text: 'Day', lengthMs: Number.POSITIVE_INFINITY },
] as const;
const stepsMs = [10_000, 60_000, 5 * 60_000, 15 * 60_000, hourMs, 2 * hourMs, 4 * hourMs];
const labelsMax = 12;
/** A press that moves less than this is a click. */
const dragPixelsMin = 5;
const keyStepMs = 10_000;

export function DayTimeline(props: {
  readonly beginMs: number;
  readonly endMs: number;
  readonly nowMs: number;
  readonly timeline: Timeline | undefined;
  readonly playingMs: number | undefined;
  readonly range: View | undefined;
  readonly onSeek: (atMs: number) => void;
  readonly onRange: (range: View) => void;
}) {
  const [view, setView] = createSignal<View>(firstView(props));
  const [hover, setHover] = createSignal<{ readonly x: number; readonly atMs: number }>();
  const [pressedX, setPressedX] = createSignal<number>();
  let line: HTMLDivElement | undefined;

  createEffect(
    on(
      () => [props.beginMs, props.endMs],
      () => setView(firstView(props)),
      { defer: true },
    ),
  );

  const lengthMs = () => view().endMs - view().beginMs;
  const percent = (atMs: number) => ((atMs - view().beginMs) / lengthMs()) * 100;
  const box = (span: View) => {
    const left = Math.max(0, percent(span.beginMs));
    return { left: `${left}%`, width: `${Math.max(0.08, Math.min(100, percent(span.endMs)) - left)}%` };
  };
  const isInView = (span: View) => span.endMs > view().beginMs && span.beginMs < view().endMs;
  const labels = () => {
    const stepMs = stepsMs.find((step) => lengthMs() / step <= labelsMax) ?? 4 * hourMs;
    const first = props.beginMs + Math.ceil((view().beginMs - props.beginMs) / stepMs) * stepMs;
    return Array.from({ length: Math.floor((view().endMs - first) / stepMs) + 1 }, (_, i) => first + i * stepMs);
  };
  const timeAt = (event: MouseEvent) => {
    const bounds = line?.getBoundingClientRect();
    if (bounds === undefined) return { x: 0, atMs: view().beginMs };
    const x = Math.min(bounds.width, Math.max(0, event.clientX - bounds.left));
    return { x, atMs: view().beginMs + (x / bounds.width) * lengthMs() };
  };
  const gapAt = (atMs: number): Gap | undefined =>
    props.timeline?.gaps.find((gap) => gap.beginMs <= atMs && atMs < gap.endMs);
  const isRecordedAt = (atMs: number) =>
    props.timeline?.spans.some((span) => span.beginMs <= atMs && atMs < span.endMs) ?? false;

  const release = (event: MouseEvent) => {
    const from = pressedX();
    setPressedX(undefined);
    if (from === undefined) return;
    const { x, atMs } = timeAt(event);
    if (Math.abs(x - from) < dragPixelsMin) {
      if (atMs <= props.nowMs) props.onSeek(atMs);
      return;
    }
    const width = line?.getBoundingClientRect().width ?? 1;
    const other = view().beginMs + (from / width) * lengthMs();
    props.onRange({ beginMs: Math.min(atMs, other), endMs: Math.min(props.nowMs, Math.max(atMs, other)) });
  };
  /** Shows so much of the day, with an instant at a share of the width. */
  const showAround = (atMs: number, wantedMs: number, share: number) => {
    const length = Math.min(props.endMs - props.beginMs, Math.max(viewMsMin, wantedMs));
    const beginMs = Math.max(props.beginMs, Math.min(props.endMs - length, atMs - share * length));
    setView({ beginMs, endMs: beginMs + length });
  };
  const zoom = (event: WheelEvent) => {
    event.preventDefault();
    const { atMs } = timeAt(event);
    showAround(atMs, lengthMs() * (event.deltaY < 0 ? 0.7 : 1 / 0.7), (atMs - view().beginMs) / lengthMs());
  };
  const seekByKey = (event: KeyboardEvent) => {
    const direction = event.key === 'ArrowLeft' ? -1 : event.key === 'ArrowRight' ? 1 : 0;
    if (direction !== 0) props.onSeek((props.playingMs ?? props.nowMs) + direction * keyStepMs);
  };
  const dragged = () => {
    const from = pressedX();
    const to = hover()?.x;
    if (from === undefined || to === undefined || Math.abs(to - from) < dragPixelsMin) return undefined;
    return { left: `${Math.min(from, to)}px`, width: `${Math.abs(to - from)}px` };
  };

  return (
    <>
      <div
        class="timeline"
        role="slider"
        aria-label="Timeline"
        aria-valuenow={props.playingMs ?? props.nowMs}
        tabIndex={0}
        ref={(element) => {
          line = element;
        }}
        onMouseMove={(event) => setHover(timeAt(event))}
        onMouseLeave={() => {
          setHover(undefined);
          setPressedX(undefined);
        }}
        onMouseDown={(event) => {
          event.preventDefault();
          setPressedX(timeAt(event).x);
        }}
        onMouseUp={release}
        onKeyDown={seekByKey}
        on:wheel={{ handleEvent: zoom, passive: false }}
      >
        <div class="track">
          <Show when={props.nowMs < view().endMs}>
            <div class="future" style={{ left: `${Math.max(0, percent(props.nowMs))}%` }} />
          </Show>
          <For each={props.timeline?.spans.filter(isInView)}>{(span) => <div class="span" style={box(span)} />}</For>
          <For each={props.timeline?.gaps.filter(isInView)}>{(gap) => <div class="gap" style={box(gap)} />}</For>
          <Show when={props.range}>{(range) => <div class="range" style={box(range())} />}</Show>
          <Show when={dragged()}>{(style) => <div class="range" style={style()} />}</Show>
          <Show
            when={props.playingMs !== undefined && isInView({ beginMs: props.playingMs, endMs: props.playingMs + 1 })}
          >
            <div class="playing" style={{ left: `${percent(props.playingMs ?? 0)}%` }} />
          </Show>
        </div>
        <div class="labels">
          <For each={labels()}>
            {(atMs) => (
              <span style={{ left: `${percent(atMs)}%` }}>
                {clockText(atMs).slice(0, lengthMs() < 20 * 60_000 ? 8 : 5)}
              </span>
            )}
          </For>
        </div>
        <Show when={hover()}>
          {(at) => (
            <div class="tip" style={{ left: `${at().x}px` }}>
              <strong>{clockText(at().atMs)}</strong>
              <Show
                when={gapAt(at().atMs)}
                fallback={
                  <span>
                    {at().atMs > props.nowMs ? 'not yet' : isRecordedAt(at().atMs) ? 'recorded' : 'not recorded'}
                  </span>
                }
              >
                {(gap) => (
                  <span class="why">
                    Gap of {durationText(gap().endMs - gap().beginMs)}: {sentence(gap().text)}{' '}
                    <Show when={gap().detail}>{(detail) => sentence(detail())}</Show>
                  </span>
                )}
              </Show>
            </div>
          )}
        </Show>
      </div>
      <div class="zooms">
        <For each={zooms}>
          {(one) => (
            <button
              type="button"
              class="plain"
              onClick={() => showAround(Math.min(props.playingMs ?? props.nowMs, props.nowMs), one.lengthMs, 0.8)}
            >
              {one.text}
            </button>
          )}
        </For>
      </div>
    </>
  );
}

/** Of today the last hour, since that is what people came for; of other days all. */
function firstView(props: { readonly beginMs: number; readonly endMs: number; readonly nowMs: number }): View {
  const isToday = props.nowMs >= props.beginMs && props.nowMs < props.endMs;
  if (!isToday) return { beginMs: props.beginMs, endMs: props.endMs };
  const endMs = Math.min(props.endMs, Math.max(props.beginMs + hourMs, props.nowMs + 0.2 * hourMs));
  return { beginMs: Math.max(props.beginMs, endMs - hourMs), endMs };
}
