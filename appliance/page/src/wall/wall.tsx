/**
 * A wall of live pictures: up to sixteen at a time, in pages. What it shows stands in its address, and is remembered for the next
 * time. Tiles out of sight and walls in hidden tabs play nothing.
 */

import { createEffect, createMemo, createSignal, For, on, onCleanup, Show } from 'solid-js';
import type { Alarms } from '../alarms/alarms.ts';
import type { Camera } from '../api.ts';
import type { Events } from '../events.ts';
import { createMay } from '../frame/session.ts';
import { WallChoice } from './choice.tsx';
import {
  camerasOn,
  columnsFor,
  layoutQuery,
  pageCount,
  pageShown,
  readLayout,
  type WallLayout,
  wallSizes,
} from './layout.ts';
import { WallTile } from './tile.tsx';
import './wall.css';

const setting = 'weir.wall';

export function Wall(props: {
  readonly cameras: readonly Camera[];
  readonly events: Events;
  readonly alarms: Alarms;
  /** Of the address. */
  readonly query: string;
}) {
  const may = createMay();
  const layout = createMemo(() => readLayout(props.query || (localStorage.getItem(setting) ?? '')));
  const [isTabSeen, setTabSeen] = createSignal(!document.hidden);
  const [isFull, setFull] = createSignal(false);
  let wall: HTMLElement | undefined;

  const show = (change: Partial<WallLayout>) => {
    const query = layoutQuery({ ...layout(), ...change });
    // Going back leads to where somebody came from, not through every page of the wall.
    history.replaceState(null, '', `#/wall?${query}`);
    dispatchEvent(new HashChangeEvent('hashchange'));
  };
  createEffect(on(layout, (known) => localStorage.setItem(setting, layoutQuery({ ...known, page: 0 }))));

  const all = createMemo(() => camerasOn(props.cameras, layout()));
  const page = () => pageShown(all().length, layout());
  const pages = () => pageCount(all().length, layout());
  const shown = createMemo(() => all().slice(page() * layout().size, (page() + 1) * layout().size));
  const columns = () => columnsFor(shown().length, layout().size);
  const leaf = (by: number) => {
    const next = page() + by;
    if (next >= 0 && next < pages()) show({ page: next });
  };
  const alarmsOf = ({ id, streams }: Camera) => {
    const ids = new Set([id, ...streams.map((stream) => stream.id)]);
    const standing = props.alarms.standing.state === 'errored' ? undefined : props.alarms.standing.latest;
    return (standing ?? []).filter((alarm) =>
      alarm.subjects.some((subject) => ids.has(subject.id) && subject.clearedMs === null),
    );
  };
  const toggleFull = () => {
    if (document.fullscreenElement === null) void wall?.requestFullscreen().catch(() => {});
    else void document.exitFullscreen();
  };

  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof HTMLElement && event.target.closest('input, select, textarea, [popover]')) return;
    const steps: Readonly<Record<string, number>> = {
      ...{ ArrowLeft: -1, ArrowRight: 1 },
      ...{ ArrowUp: -columns(), ArrowDown: columns() },
    };
    const step = steps[event.key];
    if (step !== undefined) moveFocus(step);
    else if (event.key === 'PageDown') leaf(1);
    else if (event.key === 'PageUp') leaf(-1);
    else if (event.key === 'f') toggleFull();
    else return;
    event.preventDefault();
  };
  const moveFocus = (step: number) => {
    const tiles = [...(wall?.querySelectorAll<HTMLElement>('.walltile') ?? [])];
    const at = tiles.findIndex((tile) => tile.matches(':focus'));
    (at < 0 ? tiles[0] : tiles[at + step])?.focus();
  };
  const onVisibility = () => setTabSeen(!document.hidden);
  const onFullscreen = () => setFull(document.fullscreenElement !== null);
  document.addEventListener('visibilitychange', onVisibility);
  document.addEventListener('fullscreenchange', onFullscreen);
  addEventListener('keydown', onKey);
  onCleanup(() => {
    document.removeEventListener('visibilitychange', onVisibility);
    document.removeEventListener('fullscreenchange', onFullscreen);
    removeEventListener('keydown', onKey);
  });

  return (
    <section
      class="wall"
      classList={{ full: isFull() }}
      aria-label="Wall"
      ref={(element) => {
        wall = element;
      }}
    >
      <div class="title wallbar">
        <h1>Wall</h1>
        <fieldset class="choice">
          <legend class="hidden">Tiles</legend>
          <For each={wallSizes}>
            {(size) => (
              <button
                type="button"
                aria-pressed={layout().size === size}
                aria-label={size === 1 ? 'One tile' : `${size} tiles`}
                // What was first on the wall stays on it.
                onClick={() => show({ size, page: Math.floor((page() * layout().size) / size) })}
              >
                {size}
              </button>
            )}
          </For>
        </fieldset>
        <WallChoice cameras={props.cameras} chosen={layout().chosen} onChoose={(chosen) => show({ chosen, page: 0 })} />
        <span class="grow" />
        <Show when={pages() > 1}>
          <span class="leaf">
            <button
              type="button"
              class="second small"
              aria-label="Page before"
              disabled={page() === 0}
              onClick={() => leaf(-1)}
            >
              ◀
            </button>
            <span class="numbers">
              {page() * layout().size + 1}–{page() * layout().size + shown().length} of {all().length}
            </span>
            <button
              type="button"
              class="second small"
              aria-label="Next page"
              disabled={page() >= pages() - 1}
              onClick={() => leaf(1)}
            >
              ▶
            </button>
          </span>
        </Show>
        <button type="button" class="second small" onClick={toggleFull} title="F">
          {isFull() ? 'Leave full screen' : 'Full screen'}
        </button>
      </div>
      <Show
        when={shown().length > 0}
        fallback={
          <p class="quiet middle">
            There is no camera to show.{' '}
            <Show when={may('cameras:create')}>
              <a href="#/add">Add camera</a>
            </Show>
          </p>
        }
      >
        <div class="walltiles" style={{ '--columns': columns(), '--rows': Math.ceil(shown().length / columns()) }}>
          <For each={shown()}>
            {(camera) => (
              <WallTile camera={camera} events={props.events} alarms={alarmsOf(camera)} isTabSeen={isTabSeen()} />
            )}
          </For>
        </div>
      </Show>
    </section>
  );
}
