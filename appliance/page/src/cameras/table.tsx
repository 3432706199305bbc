/** Cameras one a line: for whoever looks after a hundred of them. */

import { For, Show } from 'solid-js';
import type { Camera, CameraSource } from '../api.ts';
import type { Events } from '../events.ts';
import { sentence } from '../fault.tsx';
import { longText, shortText } from '../format.ts';
import { ManagedBadge } from '../frame/managed.tsx';
import { cameraAddress } from '../route.ts';
import { StateBadge, spokenState, stateOf } from './state.tsx';

export function CameraTable(props: {
  readonly cameras: readonly Camera[];
  readonly events: Events;
  readonly nowMs: number;
}) {
  return (
    <div class="frame scroll">
      <table>
        <thead>
          <tr>
            <th>Camera</th>
            <th>State</th>
            <th class="number">Since</th>
            <th>Source</th>
            <th>Sends</th>
            <th class="number">Kept</th>
          </tr>
        </thead>
        <tbody>
          <For each={props.cameras}>
            {(camera) => <Line camera={camera} events={props.events} nowMs={props.nowMs} />}
          </For>
        </tbody>
      </table>
    </div>
  );
}

function Line(props: { readonly camera: Camera; readonly events: Events; readonly nowMs: number }) {
  const state = () => stateOf(props.camera, props.events.states);
  const spoken = () => spokenState(props.camera, props.events.states);
  return (
    <tr>
      <td class="name">
        <a class="link" href={cameraAddress(props.camera.id)}>
          {props.camera.name}
        </a>{' '}
        <ManagedBadge site={props.camera.managedBy} />
      </td>
      <td>
        <StateBadge camera={props.camera} state={state()} />
        <Show when={spoken()?.message}>
          {(message) => (
            <div class="reason">
              {sentence(message())}{' '}
              <Show when={spoken()?.hint}>{(hint) => <span class="quiet">{sentence(hint())}</span>}</Show>
            </div>
          )}
        </Show>
      </td>
      <td class="number">
        <Show when={state()?.sinceMs}>{(sinceMs) => <>{shortText(Math.max(0, props.nowMs - sinceMs()))}</>}</Show>
      </td>
      <td class="source">
        <code>{addressOf(props.camera.source)}</code>
        <Show when={props.camera.sub}>
          {(sub) => (
            <div class="quiet">
              sub: <code>{addressOf(sub().source)}</code>
            </div>
          )}
        </Show>
      </td>
      <td class="sends">
        {state()
          ?.tracks.map((track) => track.text)
          .join('; ')}
      </td>
      <td class="number">{keptText(props.camera)}</td>
    </tr>
  );
}

function keptText({ recording }: Camera): string {
  if (recording.mode === 'live') return 'live only';
  if (recording.mode === 'events')
    return `events, ${longText((recording.eventRetentionHours ?? recording.retentionHours) * 3_600_000)}`;
  return longText(recording.retentionHours * 3_600_000);
}

function addressOf(source: CameraSource): string {
  if (source.kind === 'rtsp') return source.url;
  if (source.kind === 'kvs') return 'KVS producer';
  return source.kind === 'rtmp' ? 'publishes by RTMP' : 'publishes by WHIP';
}
