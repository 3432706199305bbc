/** Of each camera: how far back it reaches, what it takes, and how long that goes on. Ages and bounds are changed in place. */

import { createSignal, For, Show } from 'solid-js';
import { type ApiFault, type Camera, call, faultOf } from '../api.ts';
import { Fault } from '../fault.tsx';
import { bytesText, dayText, longText, shortText } from '../format.ts';
import { createMay } from '../frame/session.ts';
import { cameraAddress } from '../route.ts';
import { cameraForecast, type Flow } from './forecast.ts';
import type { StoredStream } from './system.ts';

const dayMs = 86_400_000;
const gigabyte = 1e9;

export type StoredCamera = {
  readonly id: string;
  readonly name: string;
  /** Undefined: it was removed, its footage is left. */
  readonly camera: Camera | undefined;
  readonly streams: readonly StoredStream[];
  readonly flow: Flow;
};

export function CameraStorage(props: {
  readonly cameras: readonly StoredCamera[];
  readonly nowMs: number;
  readonly onChanged: () => void;
}) {
  const [fault, setFault] = createSignal<ApiFault>();
  const change = async (camera: Camera, recording: object) => {
    setFault(undefined);
    try {
      await call('PATCH', `/api/cameras/${camera.id}`, { revision: camera.revision, recording });
    } catch (error) {
      setFault(faultOf(error));
    }
    props.onChanged();
  };
  return (
    <section class="stack">
      <h2>Cameras</h2>
      <Fault fault={fault()} />
      <div class="frame scroll">
        <table class="storage">
          <thead>
            <tr>
              <th>Camera</th>
              <th class="number" title="How far back its footage reaches">
                Reaches back
              </th>
              <th class="number">Stored</th>
              <th class="number" title="What it adds each day, as it records now">
                Each day
              </th>
              <th class="number">Keep for (days)</th>
              <th class="number">At most (GB)</th>
              <th class="number" title="Once its days or its gigabytes are full">
                Will need
              </th>
              <th title="What makes its oldest footage go">Goes by</th>
            </tr>
          </thead>
          <tbody>
            <For each={props.cameras.map(({ id }) => id)}>
              {(id) => {
                const stored = () => props.cameras.find((one) => one.id === id);
                return (
                  <Show when={stored()}>
                    {(one) => (
                      <Line stored={one()} nowMs={props.nowMs} onChange={(camera, to) => void change(camera, to)} />
                    )}
                  </Show>
                );
              }}
            </For>
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Line(props: {
  readonly stored: StoredCamera;
  readonly nowMs: number;
  readonly onChange: (camera: Camera, recording: object) => void;
}) {
  const may = createMay();
  const beginMs = () => {
    const begins = props.stored.streams.flatMap(({ totals }) => totals?.beginMs ?? []);
    return begins.length === 0 ? undefined : Math.min(...begins);
  };
  const forecast = () => cameraForecast(props.stored.flow);
  const text = () => {
    const { daysUntilQuota, daysByQuota } = forecast();
    if (daysUntilQuota === null || daysByQuota === null) return props.stored.flow.bytesPerDay === 0 ? '' : 'days';
    const kept = `keeps ${longText(daysByQuota * dayMs)}`;
    return daysUntilQuota === 0
      ? `gigabytes, reached: ${kept}`
      : `gigabytes, in ${longText(daysUntilQuota * dayMs)}: ${kept}`;
  };
  return (
    <tr>
      <td class="name">
        <Show when={props.stored.camera} fallback={<span class="quiet">{props.stored.name}</span>}>
          {(camera) => (
            <a class="link" href={cameraAddress(camera().id)}>
              {camera().name}
            </a>
          )}
        </Show>
      </td>
      <td class="number">
        <Show when={beginMs()} fallback={<span class="quiet">nothing</span>}>
          {(atMs) => <span title={`since ${dayText(atMs())}`}>{shortText(Math.max(0, props.nowMs - atMs()))}</span>}
        </Show>
      </td>
      <td class="number">{bytesText(props.stored.flow.storedBytes)}</td>
      <td class="number">{props.stored.flow.bytesPerDay === 0 ? '' : bytesText(props.stored.flow.bytesPerDay)}</td>
      <Show
        when={props.stored.camera}
        fallback={
          <>
            <td />
            <td />
          </>
        }
      >
        {(camera) => (
          <>
            <td class="number">
              <Show
                when={camera().recording.mode !== 'live' && may('cameras:update')}
                fallback={camera().recording.mode === 'live' ? 'live only' : keptDays(camera())}
              >
                <input
                  class="small amount"
                  type="number"
                  min="0.05"
                  max="3650"
                  step="any"
                  aria-label={`Days that ${camera().name} is kept`}
                  value={keptDays(camera())}
                  onChange={(event) => {
                    const hours = Math.max(1, Math.round((event.currentTarget.valueAsNumber || 0) * 24));
                    props.onChange(camera(), { retentionHours: hours });
                  }}
                />
              </Show>
            </td>
            <td class="number">
              <Show when={may('cameras:update')} fallback={bytesMaxGigabytes(camera()) || '–'}>
                <input
                  class="small amount"
                  type="number"
                  min="0"
                  step="any"
                  placeholder="–"
                  aria-label={`Gigabytes that ${camera().name} may take`}
                  value={bytesMaxGigabytes(camera())}
                  onChange={(event) => {
                    const value = event.currentTarget.valueAsNumber;
                    props.onChange(camera(), { bytesMax: Number.isNaN(value) ? null : Math.round(value * gigabyte) });
                  }}
                />
              </Show>
            </td>
          </>
        )}
      </Show>
      <td class="number">{props.stored.camera === undefined ? '' : bytesText(forecast().endBytes)}</td>
      <td classList={{ warning: forecast().daysUntilQuota !== null }}>{text()}</td>
    </tr>
  );
}

function keptDays({ recording }: Camera): number {
  return Math.round((recording.retentionHours / 24) * 100) / 100;
}

function bytesMaxGigabytes({ recording }: Camera): number | string {
  return recording.bytesMax === null ? '' : recording.bytesMax / gigabyte;
}
