/** All cameras: as pictures or as a dense table, found by name and by how they are doing. */

import { createMemo, createSignal, For, Show } from 'solid-js';
import type { Camera } from '../api.ts';
import type { Events } from '../events.ts';
import { createMay, createNow } from '../frame/session.ts';
import { cameraAddress } from '../route.ts';
import { LivePicture } from './live-picture.tsx';
import { isInTrouble, StateBadge, StateReason, spokenState, stateOf, subStateOf } from './state.tsx';
import { CameraTable } from './table.tsx';

const views = ['pictures', 'table'] as const;
type View = (typeof views)[number];
const viewSetting = 'weir.cameras.view';
const tileSizes = { small: '11rem', medium: '19rem', large: '28rem' } as const;
const tileWords = { small: 'Small pictures', medium: 'Medium pictures', large: 'Large pictures' } as const;
type TileSize = keyof typeof tileSizes;
const sizeSetting = 'weir.cameras.size';

export function CameraList(props: { readonly cameras: readonly Camera[]; readonly events: Events }) {
  const may = createMay();
  const [view, setView] = createSignal<View>(localStorage.getItem(viewSetting) === 'table' ? 'table' : 'pictures');
  const [size, setSize] = createSignal<TileSize>(storedSize());
  const [words, setWords] = createSignal('');
  const [isTroubleOnly, setTroubleOnly] = createSignal(false);
  const nowMs = createNow(10_000);
  const hasTrouble = (camera: Camera) => isInTrouble(camera, spokenState(camera, props.events.states));
  const troubled = createMemo(() => props.cameras.filter(hasTrouble));
  const shown = createMemo(() => {
    const wanted = words().trim().toLocaleLowerCase();
    return (isTroubleOnly() ? troubled() : props.cameras).filter((camera) => textOf(camera).includes(wanted));
  });
  return (
    <Show
      when={props.cameras.length > 0}
      fallback={
        <div class="card narrow">
          <h1>No cameras yet</h1>
          <p class="quiet">Look for cameras on the network, type in an address, or paste a list.</p>
          <Show when={may('cameras:create')}>
            <a class="button" href="#/add">
              Add camera
            </a>
          </Show>
        </div>
      }
    >
      <div class="title">
        <h1>Cameras</h1>
        <div class="choice">
          <button type="button" aria-pressed={!isTroubleOnly()} onClick={() => setTroubleOnly(false)}>
            All <span class="numbers">{props.cameras.length}</span>
          </button>
          <button type="button" aria-pressed={isTroubleOnly()} onClick={() => setTroubleOnly(true)}>
            In trouble{' '}
            <span class="numbers" classList={{ warning: troubled().length > 0 }}>
              {troubled().length}
            </span>
          </button>
        </div>
        <input
          type="search"
          class="small search"
          aria-label="Search cameras"
          placeholder="Search name or address"
          value={words()}
          onInput={(event) => setWords(event.currentTarget.value)}
        />
        <span class="grow" />
        <Show when={view() === 'pictures'}>
          <select
            class="small"
            aria-label="Size of the pictures"
            value={size()}
            onChange={(event) => {
              setSize(event.currentTarget.value as TileSize);
              localStorage.setItem(sizeSetting, size());
            }}
          >
            <For each={Object.entries(tileWords)}>{([name, words]) => <option value={name}>{words}</option>}</For>
          </select>
        </Show>
        <div class="choice">
          <For each={views}>
            {(one) => (
              <button
                type="button"
                aria-pressed={view() === one}
                onClick={() => {
                  setView(one);
                  localStorage.setItem(viewSetting, one);
                }}
              >
                {one === 'pictures' ? 'Pictures' : 'Table'}
              </button>
            )}
          </For>
        </div>
      </div>
      <Show when={shown().length === 0}>
        <p class="quiet middle">
          {isTroubleOnly() && troubled().length === 0
            ? 'All cameras are well.'
            : 'No camera has that in its name or address.'}
        </p>
      </Show>
      <Show
        when={view() === 'pictures'}
        fallback={<CameraTable cameras={shown()} events={props.events} nowMs={nowMs()} />}
      >
        <div class="tiles" style={{ '--tile': tileSizes[size()] }}>
          <For each={shown()}>{(camera) => <Tile camera={camera} events={props.events} nowMs={nowMs()} />}</For>
        </div>
      </Show>
    </Show>
  );
}

function Tile(props: { readonly camera: Camera; readonly events: Events; readonly nowMs: number }) {
  const state = () => stateOf(props.camera, props.events.states);
  /** The smaller picture where it is live: many of them stay light. */
  const pictured = () => {
    const sub = props.camera.streams.find((stream) => stream.role === 'sub');
    return (subStateOf(props.camera, props.events.states)?.state === 'live' ? sub : props.camera.streams[0])?.id;
  };
  return (
    <a class="tile" href={cameraAddress(props.camera.id)}>
      <LivePicture streamId={pictured()} isLive={state()?.state === 'live'} />
      <div class="caption">
        <strong title={props.camera.name}>{props.camera.name}</strong>
        <StateBadge camera={props.camera} state={state()} />
      </div>
      <StateReason state={spokenState(props.camera, props.events.states)} nowMs={props.nowMs} />
    </a>
  );
}

function storedSize(): TileSize {
  const stored = localStorage.getItem(sizeSetting);
  return stored !== null && stored in tileSizes ? (stored as TileSize) : 'medium';
}

/** What a search looks at. */
function textOf({ name, source, sub }: Camera): string {
  const addresses = [source, sub?.source].map((one) => (one?.kind === 'rtsp' ? one.url : (one?.kind ?? '')));
  return [name, ...addresses].join(' ').toLocaleLowerCase();
}
