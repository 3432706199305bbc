/** The weekly table: a mode is chosen and painted over half hours, with the mouse, a finger or the keyboard. */

import { createSignal, For, Show } from 'solid-js';
import type { RecordingMode, WeeklySchedule } from '../api.ts';
import { zone } from '../format.ts';
import {
  cellsToSpans,
  cellTime,
  dayCells,
  isInHalfHours,
  minuteTime,
  paint,
  spansToCells,
  type WeekCells,
} from './schedule-cells.ts';

const days = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const;
const hours = Array.from({ length: 8 }, (_, i) => i * 3);

/** Edges of half hours, from midnight to midnight. */
const edges = Array.from({ length: dayCells + 1 }, (_, i) => i);

type Cell = { readonly day: number; readonly cell: number };

const modeWords: Readonly<Record<RecordingMode, string>> = {
  continuous: 'Always',
  events: 'Around events',
  live: 'Live only',
};

export function ScheduleTable(props: {
  readonly title: string;
  /** It stands above already: it is only read out. */
  readonly isTitleHidden?: boolean;
  readonly schedule: WeeklySchedule | null;
  /** What holds where nothing is painted. */
  readonly mode: RecordingMode;
  readonly onChange: (schedule: WeeklySchedule | null) => void;
}) {
  const [brush, setBrush] = createSignal<RecordingMode | null>('continuous');
  const [from, setFrom] = createSignal<Cell>();
  const [to, setTo] = createSignal<Cell>();
  /** What the buttons of the days paint: the keyboard's way to any hour. */
  const [firstEdge, setFirstEdge] = createSignal(0);
  const [lastEdge, setLastEdge] = createSignal(dayCells);
  const spans = () => props.schedule?.spans ?? [];
  const painted = (): WeekCells => {
    const [first, last] = [from(), to()];
    const cells = spansToCells(spans());
    return first === undefined || last === undefined ? cells : paint(cells, [first, last], brush());
  };
  const tell = (cells: WeekCells) => {
    const timeZone = props.schedule?.timeZone ?? zone;
    const next = cellsToSpans(cells);
    props.onChange(next.length === 0 ? null : { timeZone, spans: next });
  };
  const end = () => {
    if (from() !== undefined) tell(painted());
    setFrom(undefined);
    setTo(undefined);
  };
  const cellAt = (event: PointerEvent): Cell | undefined => {
    const found = document.elementFromPoint(event.clientX, event.clientY);
    if (!(found instanceof HTMLElement) || found.dataset.cell === undefined) return undefined;
    return { day: Number(found.dataset.day), cell: Number(found.dataset.cell) };
  };
  const isFine = () => isInHalfHours(spans());

  return (
    <fieldset class="schedule">
      <legend classList={{ hidden: props.isTitleHidden === true }}>{props.title}</legend>
      <div class="choice">
        <For each={['continuous', 'events', 'live', null] as const}>
          {(one) => (
            <button type="button" aria-pressed={brush() === one} onClick={() => setBrush(one)}>
              <i class={`swatch ${one ?? 'own'}`} />
              {one === null ? 'As above' : modeWords[one]}
            </button>
          )}
        </For>
      </div>
      <div class="edges">
        <Edge
          text="Paint days from"
          name="Painted from"
          edges={edges.slice(0, -1)}
          value={firstEdge()}
          onChange={(edge) => {
            setFirstEdge(edge);
            setLastEdge(Math.max(lastEdge(), edge + 1));
          }}
        />
        <Edge
          text="to"
          name="Painted to"
          edges={edges.slice(firstEdge() + 1)}
          value={lastEdge()}
          onChange={setLastEdge}
        />
      </div>
      <div
        class="week"
        onPointerDown={(event) => {
          const cell = cellAt(event);
          if (cell === undefined) return;
          event.preventDefault();
          event.currentTarget.setPointerCapture(event.pointerId);
          setFrom(cell);
          setTo(cell);
        }}
        onPointerMove={(event) => {
          if (from() !== undefined) setTo(cellAt(event) ?? to());
        }}
        onPointerUp={end}
        onPointerCancel={() => {
          setFrom(undefined);
          setTo(undefined);
        }}
      >
        <div class="hours">
          <For each={hours}>{(hour) => <span>{hour}</span>}</For>
        </div>
        <For each={painted()}>
          {(row, day) => (
            <div class="day">
              <button
                type="button"
                class="name"
                title={`Paint ${days[day()]} from ${cellTime(firstEdge())} to ${cellTime(lastEdge())}`}
                onClick={() =>
                  tell(
                    paint(
                      spansToCells(spans()),
                      [
                        { day: day(), cell: firstEdge() },
                        { day: day(), cell: lastEdge() - 1 },
                      ],
                      brush(),
                    ),
                  )
                }
              >
                {days[day()]}
              </button>
              <For each={row}>
                {(mode, cell) => (
                  <span
                    class={`cell ${mode ?? 'own'}`}
                    data-day={day()}
                    data-cell={cell()}
                    title={`${days[day()]} ${cellTime(cell())}: ${modeWords[mode ?? props.mode]}`}
                  />
                )}
              </For>
            </div>
          )}
        </For>
      </div>
      <ul class="hidden">
        <For each={spans()}>
          {(span) => (
            <li>
              {days[span.weekday - 1]} {minuteTime(span.beginMinute)} to {minuteTime(span.endMinute)}:{' '}
              {modeWords[span.mode]}
            </li>
          )}
        </For>
      </ul>
      <p class="quiet">
        <Show
          when={props.schedule}
          fallback="Nothing is painted: the mode above holds all week. Choose a mode, then draw over the hours it is for."
        >
          {(schedule) => <>Hours of {schedule().timeZone}; where nothing is painted the mode above holds.</>}
        </Show>
        <Show when={!isFine()}> Some edges lie between half hours: painting moves all of them to half hours.</Show>
      </p>
    </fieldset>
  );
}

function Edge(props: {
  readonly text: string;
  /** For whoever hears it alone. */
  readonly name: string;
  readonly edges: readonly number[];
  readonly value: number;
  readonly onChange: (edge: number) => void;
}) {
  return (
    <label class="check">
      {props.text}
      <select
        class="small"
        aria-label={props.name}
        onChange={(event) => props.onChange(Number(event.currentTarget.value))}
      >
        <For each={props.edges}>
          {(edge) => (
            <option value={edge} selected={edge === props.value}>
              {cellTime(edge)}
            </option>
          )}
        </For>
      </select>
    </label>
  );
}
