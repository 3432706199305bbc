/** All cameras at a glance: a picture that renews itself, the state, and the reason when something is wrong. */

import { createSignal, For, onCleanup, Show } from 'solid-js';
import type { Camera } from '../api.ts';
import type { Events } from '../events.ts';
import { StateBadge, StateReason, stateOf } from './state.tsx';

const picturePeriodMs = 5_000;

export function CameraList(props: { readonly cameras: readonly Camera[]; readonly events: Events }) {
  return (
    <Show
      when={props.cameras.length > 0}
      fallback={
        <div class="card narrow">
          <h1>No cameras yet</h1>
          <p class="quiet">Add the first one: all that is needed is its RTSP address.</p>
          <a class="button" href="#/add">
            Add camera
          </a>
        </div>
      }
    >
      <div class="tiles">
        <For each={props.cameras}>{(camera) => <Tile camera={camera} events={props.events} />}</For>
      </div>
    </Show>
  );
}

function Tile(props: { readonly camera: Camera; readonly events: Events }) {
  const state = () => stateOf(props.camera, props.events.states);
  return (
    <a class="tile" href={`#/camera/${encodeURIComponent(props.camera.id)}`}>
      <LivePicture streamId={props.camera.streams[0]?.id} isLive={state()?.state === 'live'} />
      <div class="caption">
        <strong>{props.camera.name}</strong>
        <StateBadge camera={props.camera} state={state()} />
      </div>
      <StateReason state={state()} />
    </a>
  );
}

/** The newest key frame as JPEG, read again every few seconds while it can be seen and the camera is live. */
function LivePicture(props: { readonly streamId: string | undefined; readonly isLive: boolean }) {
  const [turn, setTurn] = createSignal(Date.now());
  const [hasPicture, setHasPicture] = createSignal(false);
  let frame: HTMLDivElement | undefined;
  let isVisible = true;
  const watcher = new IntersectionObserver((entries) => {
    isVisible = entries.some((entry) => entry.isIntersecting);
  });
  const timer = setInterval(() => {
    if (props.isLive && isVisible && !document.hidden) setTurn(Date.now());
  }, picturePeriodMs);
  onCleanup(() => {
    clearInterval(timer);
    watcher.disconnect();
  });
  return (
    <div
      class="picture"
      ref={(element) => {
        frame = element;
        watcher.observe(frame);
      }}
    >
      <Show when={props.streamId}>
        {(streamId) => (
          <img
            src={`/api/streams/${streamId()}/image.jpg?width=480&turn=${turn()}`}
            alt=""
            classList={{ old: !props.isLive, absent: !hasPicture() }}
            onLoad={() => setHasPicture(true)}
            onError={() => setHasPicture(false)}
          />
        )}
      </Show>
      <Show when={!hasPicture()}>
        <span class="quiet">{props.isLive ? 'First picture is on its way …' : 'No picture'}</span>
      </Show>
    </div>
  );
}
