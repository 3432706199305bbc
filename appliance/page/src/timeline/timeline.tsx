/**
 * The timeline of a stream, from a minute to a year: recorded spans, gaps with their reason, what was removed or
 * not to be recorded, what events marked, the playing
 * position and a chosen range. In long views each day is a bar as high as what there is of it.
 */

import { createMemo, createSignal, For, onCleanup, Show } from 'solid-js';
import type { Gap, Span } from '../api.ts';
import { durationText } from '../format.ts';
import type { DayBar, Footage, Mark } from './footage.ts';
import { pointerHandlers } from './pointers.ts';
import { dayMs, hourMs, lengthOf, minuteMs, moved, secondMs, ticksOf, zoomed } from './scale.ts';
import { Tip, type Under } from './tip.tsx';

const pixelsPerTick = 84;
/** Previews this many to a view: what is nearer shares one, and the server makes it once. */
const previewsPerView = 160;
const zoomStep = 1.6;

export function TimelineView(props: {
  readonly streamId: string;
  readonly view: Span;
  readonly nowMs: number;
  readonly footage: Footage | undefined;
  readonly marks: readonly Mark[];
  readonly playingMs: number | undefined;
  readonly range: Span | undefined;
  readonly onView: (view: Span) => void;
  readonly onSeek: (atMs: number) => void;
  readonly onRange: (range: Span) => void;
  readonly onKey: (key: string) => void;
}) {
  const [width, setWidth] = createSignal(1_000);
  const [hover, setHover] = createSignal<{ readonly x: number }>();
  const [drag, setDrag] = createSignal<{ readonly fromX: number; readonly toX: number }>();
  let line: HTMLDivElement | undefined;

  const lengthMs = () => lengthOf(props.view);
  const timeOf = (x: number) => props.view.beginMs + (x / width()) * lengthMs();
  const percent = (atMs: number) => ((atMs - props.view.beginMs) / lengthMs()) * 100;
  const box = (span: Span) => {
    const left = Math.max(0, percent(span.beginMs));
    return { left: `${left}%`, width: `${Math.max(0.08, Math.min(100, percent(span.endMs)) - left)}%` };
  };
  const isSeen = (span: Span) => span.endMs > props.view.beginMs && span.beginMs < props.view.endMs;
  const seen = <T extends Span>(spans: readonly T[] | undefined) => spans?.filter(isSeen) ?? [];
  const ticks = createMemo(() => ticksOf(props.view, Math.max(2, width() / pixelsPerTick)));

  const under = (atMs: number): Under => {
    const holds = (span: Span) => span.beginMs <= atMs && atMs < span.endMs;
    if (atMs > props.nowMs) return { is: 'future' };
    const day = props.footage?.days?.find(holds);
    if (day !== undefined) return { is: 'day', day };
    const gap: Gap | undefined = props.footage?.gaps.find(holds);
    if (gap !== undefined) return { is: 'gap', gap };
    const marks = props.marks.filter(holds);
    if (props.footage?.spans.some(holds)) return { is: 'recorded', marks };
    const absence = props.footage?.removals.find(holds) ?? props.footage?.pauses.find(holds);
    return absence === undefined ? { is: 'nothing' } : { is: 'absent', absence };
  };
  const seekAt = (x: number) => {
    const atMs = timeOf(x);
    const found = under(atMs);
    if (found.is === 'day') props.onView({ beginMs: found.day.beginMs, endMs: found.day.endMs });
    else if (found.is !== 'future') props.onSeek(atMs);
  };
  const zoomBy = (factor: number, atMs: number) =>
    props.onView(zoomed(props.view, { atMs, factor, lastMs: props.nowMs }));
  const moveBy = (byMs: number) => props.onView(moved(props.view, { byMs, lastMs: props.nowMs }));
  const handlers = pointerHandlers(() => line, {
    onSeek: seekAt,
    onRange: (fromX, toX) => {
      const [a, b] = [timeOf(fromX), timeOf(toX)];
      props.onRange({ beginMs: Math.min(a, b), endMs: Math.min(props.nowMs, Math.max(a, b)) });
    },
    onDragging: setDrag,
    onMove: (pixels) => moveBy((pixels / width()) * lengthMs()),
    onZoom: (x, factor) => zoomBy(factor, timeOf(x)),
    onHover: (x) => setHover(x === undefined ? undefined : { x }),
  });
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const here = props.playingMs ?? props.nowMs;
    const centre = here >= props.view.beginMs && here <= props.view.endMs ? here : props.view.beginMs + lengthMs() / 2;
    const stepMs = event.shiftKey ? minuteMs : 10 * secondMs;
    const actions: Readonly<Record<string, () => void>> = {
      ArrowLeft: () => props.onSeek(here - stepMs),
      ArrowRight: () => props.onSeek(Math.min(props.nowMs, here + stepMs)),
      PageUp: () => moveBy(-lengthMs() / 2),
      PageDown: () => moveBy(lengthMs() / 2),
      '+': () => zoomBy(1 / zoomStep, centre),
      '=': () => zoomBy(1 / zoomStep, centre),
      '-': () => zoomBy(zoomStep, centre),
      i: () => props.onKey('i'),
      o: () => props.onKey('o'),
      l: () => props.onKey('l'),
    };
    const action = actions[event.key];
    if (action === undefined) return;
    event.preventDefault();
    action();
  };
  const dragged = () => {
    const now = drag();
    return now === undefined
      ? undefined
      : { left: `${Math.min(now.fromX, now.toX)}px`, width: `${Math.abs(now.toX - now.fromX)}px` };
  };
  const draggedText = () => {
    const now = drag();
    return now === undefined ? '' : durationText(Math.abs(timeOf(now.toX) - timeOf(now.fromX)));
  };

  return (
    <div
      class="timeline"
      role="slider"
      aria-label="Timeline: arrows seek, plus and minus zoom, page keys move, I and O mark a range, L is live"
      aria-valuenow={Math.round(props.playingMs ?? props.nowMs)}
      aria-valuemin={Math.round(props.view.beginMs)}
      aria-valuemax={Math.round(props.view.endMs)}
      aria-valuetext={new Date(props.playingMs ?? props.nowMs).toLocaleString()}
      tabIndex={0}
      ref={(element) => {
        line = element;
        const watcher = new ResizeObserver(() => setWidth(Math.max(1, element.clientWidth)));
        watcher.observe(element);
        onCleanup(() => watcher.disconnect());
      }}
      onPointerDown={handlers.onPointerDown}
      onPointerMove={handlers.onPointerMove}
      onPointerUp={handlers.onPointerUp}
      onPointerCancel={handlers.onPointerCancel}
      onPointerLeave={handlers.onPointerLeave}
      onKeyDown={onKeyDown}
      on:wheel={{ handleEvent: handlers.onWheel, passive: false }}
    >
      <div class="track">
        <For each={ticks()}>
          {(tick) => (
            <div class="tick" classList={{ major: tick.isMajor }} style={{ left: `${percent(tick.atMs)}%` }} />
          )}
        </For>
        <Show
          when={props.footage?.days}
          fallback={
            <>
              <For each={seen(props.footage?.pauses)}>{(pause) => <div class="paused" style={box(pause)} />}</For>
              <For each={seen(props.footage?.removals)}>{(gone) => <div class="removed" style={box(gone)} />}</For>
              <For each={seen(props.footage?.spans)}>{(span) => <div class="span" style={box(span)} />}</For>
              <For each={seen(props.footage?.gaps)}>{(gap) => <div class="gap" style={box(gap)} />}</For>
            </>
          }
        >
          {(days) => (
            <For each={seen(days())}>{(day) => <DayColumn day={day} box={box(day)} nowMs={props.nowMs} />}</For>
          )}
        </Show>
        <For each={seen(props.marks)}>{(mark) => <div class="mark" style={box(mark)} />}</For>
        <Show when={props.nowMs < props.view.endMs}>
          <div class="future" style={{ left: `${Math.max(0, percent(props.nowMs))}%` }} />
        </Show>
        <Show when={props.range}>{(range) => <div class="range" style={box(range())} />}</Show>
        <Show when={dragged()}>
          {(style) => (
            <div class="range" style={style()}>
              {draggedText()}
            </div>
          )}
        </Show>
        <Show when={props.playingMs !== undefined && isSeen({ beginMs: props.playingMs, endMs: props.playingMs + 1 })}>
          <div class="playing" style={{ left: `${percent(props.playingMs ?? 0)}%` }} />
        </Show>
      </div>
      <div class="labels">
        <For each={ticks()}>
          {(tick) => (
            <span classList={{ major: tick.isMajor }} style={{ left: `${percent(tick.atMs)}%` }}>
              {tick.text}
            </span>
          )}
        </For>
      </div>
      <Show when={drag() === undefined ? hover() : undefined}>
        {(at) => (
          <Tip
            x={at().x}
            width={width()}
            atMs={timeOf(at().x)}
            under={under(timeOf(at().x))}
            streamId={props.streamId}
            stepMs={Math.min(hourMs, Math.max(secondMs, lengthMs() / previewsPerView))}
          />
        )}
      </Show>
    </div>
  );
}

function sumOf(byText: Readonly<Record<string, number>>): number {
  return Object.values(byText).reduce((sum, partMs) => sum + partMs, 0);
}

/** As high as what there is of the day; what is missing stands above it, then what was removed and what was not to be recorded. */
function DayColumn(props: {
  readonly day: DayBar;
  readonly box: { readonly left: string; readonly width: string };
  readonly nowMs: number;
}) {
  const wholeMs = () => Math.max(1, Math.min(props.nowMs, props.day.endMs) - props.day.beginMs);
  const share = (partMs: number) => Math.min(100, (partMs / Math.max(wholeMs(), Math.min(dayMs, partMs))) * 100);
  /** A lost second is seen too: two pixels at least. */
  const height = (partMs: number) => (partMs <= 0 ? '0' : `max(2px, ${share(partMs)}%)`);
  return (
    <div class="day" style={props.box}>
      <div class="paused" style={{ height: height(sumOf(props.day.pausedMsByText)) }} />
      <div class="removed" style={{ height: height(sumOf(props.day.removedMsByText)) }} />
      <div class="gap" style={{ height: height(props.day.gapMs) }} />
      <div class="span" style={{ height: height(props.day.recordedMs) }} />
    </div>
  );
}
