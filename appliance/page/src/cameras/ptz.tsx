/** Moving a camera: pressed is moving, let go is still. Presets are where it looked once. */

import { createResource, createSignal, For, onCleanup, Show } from 'solid-js';
import { type ApiFault, call, faultOf } from '../api.ts';
import { Fault } from '../fault.tsx';
import type { PtzFeatures } from './onvif.ts';

type Vector = { readonly pan?: number; readonly tilt?: number; readonly zoom?: number };
type Preset = { readonly token: string; readonly name: string };

/** Of the full speed, -1 to 1. */
const speed = 0.6;
/** A move is repeated well before the camera would end it by itself. */
const repeatShare = 0.5;
const repeatMsMin = 200;

const pad: readonly { readonly text: string; readonly name: string; readonly vector: Vector }[] = [
  { text: '↖', name: 'Up left', vector: { pan: -speed, tilt: speed } },
  { text: '↑', name: 'Up', vector: { tilt: speed } },
  { text: '↗', name: 'Up right', vector: { pan: speed, tilt: speed } },
  { text: '←', name: 'Left', vector: { pan: -speed } },
  { text: '', name: '', vector: {} },
  { text: '→', name: 'Right', vector: { pan: speed } },
  { text: '↙', name: 'Down left', vector: { pan: -speed, tilt: -speed } },
  { text: '↓', name: 'Down', vector: { tilt: -speed } },
  { text: '↘', name: 'Down right', vector: { pan: speed, tilt: -speed } },
];

export function MoveCamera(props: { readonly cameraId: string; readonly ptz: PtzFeatures }) {
  const [fault, setFault] = createSignal<ApiFault>();
  const [name, setName] = createSignal('');
  const base = () => `/api/cameras/${props.cameraId}/ptz`;
  const [presets, { refetch }] = createResource(
    () => (props.ptz.presetsMax > 0 ? base() : undefined),
    async (path) => (await call<{ presets: Preset[] }>('GET', `${path}/presets`)).presets,
  );
  let timer: ReturnType<typeof setTimeout> | undefined;
  let turn = 0;

  const attempt = async (work: () => Promise<unknown>) => {
    setFault(undefined);
    try {
      await work();
    } catch (error) {
      setFault(faultOf(error));
    }
  };
  const move = async (vector: Vector, mine: number): Promise<void> => {
    const { holdMs } = await call<{ holdMs: number }>('POST', `${base()}/move`, vector);
    // Let go while it was asked: the stop may have arrived first.
    if (mine !== turn) return call('POST', `${base()}/stop`);
    timer = setTimeout(() => void attempt(() => move(vector, mine)), Math.max(repeatMsMin, holdMs * repeatShare));
  };
  let isMoving = false;
  const begin = (vector: Vector) => {
    if (isMoving) return;
    isMoving = true;
    const mine = ++turn;
    void attempt(() => move(vector, mine));
  };
  const end = () => {
    clearTimeout(timer);
    if (!isMoving) return;
    isMoving = false;
    turn++;
    void attempt(() => call('POST', `${base()}/stop`));
  };
  onCleanup(end);

  return (
    <aside class="card ptz" aria-label="Move the camera">
      <div class="pad">
        <For each={pad}>
          {(one) => (
            <Show when={one.name !== ''} fallback={<span />}>
              <PadButton text={one.text} name={one.name} onBegin={() => begin(one.vector)} onEnd={end} />
            </Show>
          )}
        </For>
      </div>
      <div class="pad zoom">
        <PadButton text="Zoom −" name="Zoom out" onBegin={() => begin({ zoom: -speed })} onEnd={end} />
        <PadButton text="Zoom +" name="Zoom in" onBegin={() => begin({ zoom: speed })} onEnd={end} />
      </div>
      <Fault fault={fault() ?? (presets.error === undefined ? undefined : faultOf(presets.error))} />
      <Show when={props.ptz.presetsMax > 0}>
        <h3>Presets</h3>
        <ul class="plainlist presets">
          <For each={presets.state === 'errored' ? [] : presets.latest} fallback={<li class="quiet">none yet</li>}>
            {(preset) => (
              <li>
                <button
                  type="button"
                  class="second small"
                  onClick={() =>
                    void attempt(() => call('POST', `${base()}/presets/${encodeURIComponent(preset.token)}/goto`))
                  }
                >
                  {preset.name === '' ? preset.token : preset.name}
                </button>
                <button
                  type="button"
                  class="plain small"
                  aria-label={`Forget ${preset.name}`}
                  onClick={() =>
                    void attempt(async () => {
                      await call('DELETE', `${base()}/presets/${encodeURIComponent(preset.token)}`);
                      void refetch();
                    })
                  }
                >
                  ×
                </button>
              </li>
            )}
          </For>
        </ul>
        <form
          class="row"
          onSubmit={(event) => {
            event.preventDefault();
            void attempt(async () => {
              await call('POST', `${base()}/presets`, { name: name() });
              setName('');
              void refetch();
            });
          }}
        >
          <input
            class="small grow"
            aria-label="Name of a new preset"
            placeholder="Remember this view as"
            required
            maxlength="64"
            value={name()}
            onInput={(event) => setName(event.currentTarget.value)}
          />
          <button type="submit" class="second small">
            Save
          </button>
        </form>
      </Show>
    </aside>
  );
}

/** Pressed by pointer or by Space and Enter for as long as the camera is to move. */
function PadButton(props: {
  readonly text: string;
  readonly name: string;
  readonly onBegin: () => void;
  readonly onEnd: () => void;
}) {
  const isPress = (event: KeyboardEvent) => event.key === ' ' || event.key === 'Enter';
  return (
    <button
      type="button"
      class="second"
      aria-label={props.name}
      title={props.name}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        props.onBegin();
      }}
      onPointerUp={() => props.onEnd()}
      onPointerCancel={() => props.onEnd()}
      onBlur={() => props.onEnd()}
      onKeyDown={(event) => {
        if (!isPress(event)) return;
        event.preventDefault();
        if (!event.repeat) props.onBegin();
      }}
      onKeyUp={(event) => {
        if (isPress(event)) props.onEnd();
      }}
    >
      {props.text}
    </button>
  );
}
