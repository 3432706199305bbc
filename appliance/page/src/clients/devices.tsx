/** Devices: things with a certificate, which they change for keys of an hour. */

import { createSignal, For, Show } from 'solid-js';
import { call } from '../api.ts';
import { dayText, dayTimeText } from '../format.ts';
import { AskedTwice } from '../frame/asked-twice.tsx';
import { createMay, createNow } from '../frame/session.ts';
import { LinesToCopy } from './copy-lines.tsx';
import { DeviceOnce, type NewDevice } from './device-once.tsx';
import { FaultInView } from './in-view.tsx';
import type { KvsSite } from './kvs-site.ts';
import { deviceLines } from './lines.ts';
import { createList } from './list.ts';
import { NewDeviceForm } from './new-device.tsx';
import type { PolicyChoices } from './policies.ts';

type Device = {
  readonly id: string;
  readonly name: string;
  readonly policies: readonly string[];
  readonly fingerprint: string;
  readonly createdBy: string;
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly revokedMs: number | null;
  readonly lastUsedMs: number | null;
};

export function Devices(props: { readonly changed: number; readonly policies: PolicyChoices; readonly site: KvsSite }) {
  const may = createMay();
  const devices = createList(
    async () => (await call<{ devices: Device[] }>('GET', '/api/devices')).devices,
    () => props.changed,
  );
  const [told, setTold] = createSignal<readonly NewDevice[]>([]);
  const [revoking, setRevoking] = createSignal<string>();
  return (
    <section class="stack" aria-label="Devices">
      <FaultInView fault={devices.fault()} />
      <For each={told()}>
        {(made) => <DeviceOnce made={made} onDone={() => setTold((known) => known.filter((one) => one !== made))} />}
      </For>
      <Show when={devices.isEmpty()}>
        <p class="quiet">
          None yet. A device needs no lasting key: it shows its certificate and gets keys of an hour for it, until it is
          revoked.
        </p>
      </Show>
      <Show when={devices.rows().length > 0}>
        <div class="frame scroll">
          <table class="labelled">
            <thead>
              <tr>
                <th>Thing name</th>
                <th>Policy</th>
                <th>Made</th>
                <th>Last used</th>
                <th>Good until</th>
                <th>State</th>
                <th />
              </tr>
            </thead>
            <tbody>
              <For each={devices.rows()}>
                {(device) => (
                  <DeviceRow
                    device={device}
                    mayRevoke={may('devices:revoke')}
                    isAsked={revoking() === device.id}
                    onAsk={() => setRevoking(device.id)}
                    onSure={() =>
                      void devices.attempt(async () => {
                        await call('DELETE', `/api/devices/${device.id}`);
                        setTold((known) => known.filter((made) => made.device.id !== device.id));
                      })
                    }
                  />
                )}
              </For>
            </tbody>
          </table>
        </div>
      </Show>
      <Show when={may('devices:create')}>
        <NewDeviceForm
          policies={props.policies}
          isBusy={devices.isBusy()}
          onMake={({ name, policy, days, csr }) =>
            devices.attempt(async () => {
              await props.policies.ensure(policy);
              const made = await call<NewDevice>('POST', '/api/devices', { name, policies: [policy], days, csr });
              setTold((known) => [made, ...known]);
            })
          }
        />
      </Show>
      <PointDevice site={props.site} name={told()[0]?.device.name ?? 'gate'} />
    </section>
  );
}

function DeviceRow(props: {
  readonly device: Device;
  readonly mayRevoke: boolean;
  readonly isAsked: boolean;
  readonly onAsk: () => void;
  readonly onSure: () => void;
}) {
  const now = createNow(30_000);
  const state = () =>
    props.device.revokedMs !== null ? 'revoked' : props.device.expiresMs <= now() ? 'ended' : 'good';
  return (
    <tr>
      <td class="name">
        {props.device.name}
        <div class="quiet" title={`SHA-256 of its certificate: ${props.device.fingerprint}`}>
          <code>{props.device.fingerprint.slice(0, 16)} …</code>
        </div>
      </td>
      <td data-label="Policy">{props.device.policies.join(', ')}</td>
      <td data-label="Made">
        {dayTimeText(props.device.createdMs)} by {props.device.createdBy}
      </td>
      <td data-label="Last used">
        {props.device.lastUsedMs === null ? 'never' : dayTimeText(props.device.lastUsedMs)}
      </td>
      <td data-label="Good until">{dayText(props.device.expiresMs)}</td>
      <td data-label="State">
        <span class={`badge ${state() === 'good' ? 'recording' : 'stopped'}`}>{state()}</span>
      </td>
      <td class="number">
        <Show when={props.mayRevoke && props.device.revokedMs === null}>
          <AskedTwice
            word="Revoke"
            of={props.device.name}
            isAsked={props.isAsked}
            onAsk={props.onAsk}
            onSure={props.onSure}
          />
        </Show>
      </td>
    </tr>
  );
}

function PointDevice(props: { readonly site: KvsSite; readonly name: string }) {
  return (
    <section class="card">
      <h2>Point a device here</h2>
      <Show
        when={props.site.credentials}
        fallback={<p class="quiet">There is no endpoint for devices here: it needs TLS and kvs.credentials.enabled.</p>}
      >
        {(endpoint) => (
          <p class="quiet">
            Producer SDKs take the three files, the endpoint <code>{endpoint()}</code>, the thing name and the role
            alias <code>weir</code>. It listens only while there are devices.
          </p>
        )}
      </Show>
      <For each={deviceLines(props.name, props.site)}>
        {({ where, text }) => <LinesToCopy where={where} text={text} />}
      </For>
    </section>
  );
}
