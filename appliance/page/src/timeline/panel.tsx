/** The timeline with what belongs to it: zoom and move buttons, a day to jump to, and a chosen range to play, keep or export. */

import { createEffect, createSignal, For, on, Show } from 'solid-js';
import { ApiError, type Span } from '../api.ts';
import { Fault } from '../fault.tsx';
import { clockText, dayName, dayText, zone, zoneText } from '../format.ts';
import { ChosenRange } from './chosen-range.tsx';
import { createFootage, type Mark } from './footage.ts';
import { around, dayMs, hourMs, lengthOf, minuteMs, moved, zoomed } from './scale.ts';
import { TimelineView } from './timeline.tsx';

const lengths = [
  { text: '10 min', lengthMs: 10 * minuteMs },
  { text: '1 h', lengthMs: hourMs },
  { text: '6 h', lengthMs: 6 * hourMs },
  { text: 'Day', lengthMs: dayMs },
  { text: 'Week', lengthMs: 7 * dayMs },
  { text: 'Month', lengthMs: 31 * dayMs },
] as const;
const zoomStep = 1.8;
/** Where the present lies in a view of the present. */
const liveShare = 0.85;

export function TimelinePanel(props: {
  readonly streamId: string;
  readonly cameraName: string;
  readonly nowMs: number;
  readonly playingMs: number | undefined;
  readonly isLive: boolean;
  readonly marks: readonly Mark[];
  readonly isConversionOffered: boolean;
  readonly onSeek: (atMs: number) => void;
  readonly onLive: () => void;
  readonly onView: (view: Span) => void;
}) {
  const liveView = (lengthMs: number) => around(props.nowMs, { lengthMs, share: liveShare, lastMs: props.nowMs });
  const [view, setView] = createSignal<Span>(liveView(hourMs));
  const [range, setRange] = createSignal<Span>();
  const footage = createFootage(() => props.streamId, view);
  /** A view in which the playing position is seen goes along with it. */
  const [isFollowing, setFollowing] = createSignal(true);

  const show = (next: Span) => {
    setView(next);
    setFollowing(next.endMs >= props.nowMs && next.beginMs < props.nowMs);
  };
  createEffect(on(view, props.onView));
  createEffect(
    on(
      () => props.nowMs,
      () => {
        if (!isFollowing() || !props.isLive) return;
        const lengthMs = lengthOf(view());
        // The present moves on by itself only when it would leave the place it has.
        if (props.nowMs > view().beginMs + lengthMs * 0.95) setView(liveView(lengthMs));
      },
      { defer: true },
    ),
  );
  createEffect(
    on(
      () => props.playingMs,
      (atMs, before) => {
        if (atMs === undefined || before === undefined || props.isLive) return;
        const { beginMs, endMs } = view();
        // Played over the edge: the view goes on by most of itself.
        if (before <= endMs && atMs > endMs)
          show(moved(view(), { byMs: (endMs - beginMs) * 0.8, lastMs: props.nowMs }));
      },
      { defer: true },
    ),
  );
  createEffect(
    on(
      () => props.streamId,
      () => setRange(undefined),
      { defer: true },
    ),
  );

  const centreMs = () => {
    const at = props.playingMs ?? props.nowMs;
    return at >= view().beginMs && at <= view().endMs ? at : view().beginMs + lengthOf(view()) / 2;
  };
  const showLength = (lengthMs: number) => {
    const isAtPresent = props.nowMs >= view().beginMs && props.nowMs <= view().endMs && props.isLive;
    if (isAtPresent) show(liveView(lengthMs));
    else show(around(centreMs(), { lengthMs, share: 0.5, lastMs: props.nowMs }));
  };
  const mark = (end: 'begin' | 'end') => {
    const at = props.playingMs ?? props.nowMs;
    const known = range() ?? { beginMs: at - minuteMs, endMs: at };
    const next = end === 'begin' ? { ...known, beginMs: at } : { ...known, endMs: at };
    if (next.endMs > next.beginMs) setRange(next);
    else
      setRange(
        end === 'begin'
          ? { beginMs: at, endMs: Math.min(props.nowMs, at + minuteMs) }
          : { beginMs: at - minuteMs, endMs: at },
      );
  };
  const onKey = (key: string) => {
    if (key === 'i') mark('begin');
    else if (key === 'o') mark('end');
    else props.onLive();
  };
  const isAbout = (lengthMs: number) => Math.abs(lengthOf(view()) / lengthMs - 1) < 0.05;

  return (
    <section class="timelinepanel" aria-label="Recordings">
      <div class="title controls">
        <button
          type="button"
          class="second small"
          aria-label="Earlier"
          title="Earlier"
          onClick={() => show(moved(view(), { byMs: -lengthOf(view()) / 2, lastMs: props.nowMs }))}
        >
          ◀
        </button>
        <button
          type="button"
          class="second small"
          aria-label="Later"
          title="Later"
          onClick={() => show(moved(view(), { byMs: lengthOf(view()) / 2, lastMs: props.nowMs }))}
        >
          ▶
        </button>
        <input
          type="date"
          class="small"
          aria-label="Show a day"
          value={dayName(centreMs())}
          max={dayName(props.nowMs)}
          onChange={(event) => {
            const date = new Date(`${event.currentTarget.value}T00:00`);
            if (!Number.isNaN(date.getTime())) show({ beginMs: date.getTime(), endMs: date.getTime() + dayMs });
          }}
        />
        <div class="choice">
          <For each={lengths}>
            {({ text, lengthMs }) => (
              <button type="button" aria-pressed={isAbout(lengthMs)} onClick={() => showLength(lengthMs)}>
                {text}
              </button>
            )}
          </For>
        </div>
        <button
          type="button"
          class="second small"
          aria-label="Zoom out"
          title="Zoom out"
          onClick={() => show(zoomed(view(), { atMs: centreMs(), factor: zoomStep, lastMs: props.nowMs }))}
        >
          −
        </button>
        <button
          type="button"
          class="second small"
          aria-label="Zoom in"
          title="Zoom in"
          onClick={() => show(zoomed(view(), { atMs: centreMs(), factor: 1 / zoomStep, lastMs: props.nowMs }))}
        >
          +
        </button>
        <span class="grow" />
        <span class="clock" title={zone}>
          <Show when={props.playingMs} fallback={<span class="quiet">{zone}</span>}>
            {(at) => (
              <>
                {dayText(at())} <strong>{clockText(at())}</strong> <span class="quiet">{zoneText(at())}</span>
              </>
            )}
          </Show>
        </span>
      </div>
      <Fault fault={footage.error instanceof ApiError ? footage.error.fault : undefined} />
      <TimelineView
        streamId={props.streamId}
        view={view()}
        nowMs={props.nowMs}
        footage={footage.state === 'errored' ? undefined : footage.latest}
        marks={props.marks}
        playingMs={props.playingMs}
        range={range()}
        onView={show}
        onSeek={props.onSeek}
        onRange={setRange}
        onKey={onKey}
      />
      <div class="title rangebar">
        <Show
          when={range()}
          keyed
          fallback={
            <>
              <button type="button" class="second small" onClick={() => mark('end')}>
                Choose a range
              </button>
              <span class="quiet mouse">
                Click to play from there, drag to choose a range, scroll to zoom. Keys: arrows move, + and − zoom, I and
                O mark a range, L goes live.
              </span>
              <span class="quiet touch">Tap to play from there, drag to move, pinch to zoom.</span>
            </>
          }
        >
          {(chosen) => (
            <ChosenRange
              streamId={props.streamId}
              cameraName={props.cameraName}
              range={chosen}
              isConversionOffered={props.isConversionOffered}
              onPlay={() => props.onSeek(chosen.beginMs)}
              onMark={mark}
              onClear={() => setRange(undefined)}
            />
          )}
        </Show>
      </div>
    </section>
  );
}
