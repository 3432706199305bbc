/** Of each camera: how far back it reaches, what it takes, and how long that goes on. Ages and bounds are changed in place. */

import { createSignal, For, Show } from 'solid-js';
import { type ApiFault, type Camera, call, faultOf } from '../api.ts';
import { Fault } from '../fault.tsx';
import { bytesText, dayText, longText, shortText } from '../format.ts';
import { createMay } from '../frame/session.ts';
import { cameraAddress } from '../route.ts';
import { bytesPerDayOf, cameraForecast, type Flow, storedBytesOf } from './forecast.ts';
import { KeptDays } from './kept-days.tsx';
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
  const change = async (camera: Camera, to: object) => {
    setFault(undefined);
    try {
      await call('PATCH', `/api/cameras/${camera.id}`, { revision: camera.revision, ...to });
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
              <th class="number" title="What it adds to what is kept, over the last seven days">
                Each day
              </th>
              <th title="As it records: what always is, what events mark">Keep for (days)</th>
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
  /** A change of the camera, as PATCH takes it. */
  readonly onChange: (camera: Camera, change: object) => void;
}) {
  const may = createMay();
  const beginMs = () => {
    const begins = props.stored.streams.flatMap(({ totals }) => totals?.beginMs ?? []);
    return begins.length === 0 ? undefined : Math.min(...begins);
  };
  const forecast = () => cameraForecast(props.stored.flow);
  const bytesPerDay = () => bytesPerDayOf(props.stored.flow);
  const text = () => {
    const { endBytes, daysUntilQuota, daysByQuota } = forecast();
    if (bytesPerDay() === undefined) return 'not known yet';
    if (endBytes === Infinity) return 'nothing, a hold has no end';
    if (daysUntilQuota === null || daysByQuota === null) return bytesPerDay() === 0 ? '' : 'days';
    const kept = `keeps ${longText(daysByQuota * dayMs)}`;
    return daysUntilQuota < 1 / 24
      ? `gigabytes, reached: ${kept}`
      : `gigabytes, in ${longText(daysUntilQuota * dayMs)}: ${kept}`;
  };
  const endText = () => {
    if (props.stored.camera === undefined || bytesPerDay() === undefined) return '';
    return forecast().endBytes === Infinity ? 'no end' : bytesText(forecast().endBytes);
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
      <td class="number">{bytesText(storedBytesOf(props.stored.flow))}</td>
      <td class="number">{bytesPerDay() ? bytesText(bytesPerDay() ?? 0) : ''}</td>
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
            <td>
              <KeptDays
                camera={camera()}
                canChange={may('cameras:update')}
                onChange={(change) => props.onChange(camera(), change)}
              />
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
                    const bytesMax = Number.isNaN(value) ? null : Math.round(value * gigabyte);
                    props.onChange(camera(), { recording: { bytesMax } });
                  }}
                />
              </Show>
            </td>
          </>
        )}
      </Show>
      <td class="number">{endText()}</td>
      <td
        classList={{ warning: forecast().daysUntilQuota !== null, quiet: bytesPerDay() === undefined }}
        title={bytesPerDay() === undefined ? 'Too little came of it in the last seven days to say' : undefined}
      >
        {text()}
      </td>
    </tr>
  );
}

function bytesMaxGigabytes({ recording }: Camera): number | string {
  return recording.bytesMax === null ? '' : recording.bytesMax / gigabyte;
}
