/** What a camera tells by ONVIF: its clock, which can be set, and whether its events are heard. */

import { createSignal, Show } from 'solid-js';
import { type ApiFault, type Camera, call, faultOf } from '../api.ts';
import { Fault, sentence } from '../fault.tsx';
import { durationText } from '../format.ts';
import { createMay } from '../frame/session.ts';
import type { DeviceClock, OnvifFacts } from './onvif.ts';

export function DeviceClockCard(props: { readonly camera: Camera; readonly onvif: OnvifFacts | undefined }) {
  const may = createMay();
  const [set, setSet] = createSignal<DeviceClock | null>();
  const [isBusy, setBusy] = createSignal(false);
  const [fault, setFault] = createSignal<ApiFault>();
  const clock = () => set() ?? props.onvif?.clock ?? null;
  const setClock = async (source: 'ours' | 'ntp') => {
    setBusy(true);
    setFault(undefined);
    try {
      const path = `/api/cameras/${props.camera.id}/clock`;
      setSet((await call<{ clock: DeviceClock | null }>('POST', path, { source })).clock);
    } catch (error) {
      setFault(faultOf(error));
    } finally {
      setBusy(false);
    }
  };
  const text = () => {
    const known = clock();
    if (known === null) return 'The camera has not told its time.';
    const { offsetMs, source } = known;
    const place =
      Math.abs(offsetMs) < 1_500
        ? 'Right to the second'
        : `${durationText(Math.abs(offsetMs))} ${offsetMs < 0 ? 'behind' : 'ahead'}`;
    return `${place}, set by ${source === 'NTP' ? 'its time server' : 'hand'}.`;
  };
  return (
    <section class="card">
      <h2>ONVIF</h2>
      <Show when={props.onvif?.fault}>
        {(told) => (
          <p class="reason">
            {sentence(told().message)} <Show when={told().hint}>{(hint) => <>{sentence(hint())}</>}</Show>
          </p>
        )}
      </Show>
      <p>
        <span class="quiet">Clock: </span>
        {text()}
      </p>
      <Show when={props.onvif?.events}>
        {(events) => (
          <p>
            <span class="quiet">Events: </span>
            {events().state} <Show when={events().message}>{(message) => <>{sentence(message())}</>}</Show>
          </p>
        )}
      </Show>
      <Show when={may('cameras:update')}>
        <div class="title">
          <button type="button" class="second small" disabled={isBusy()} onClick={() => void setClock('ours')}>
            Set by our clock
          </button>
          <button type="button" class="second small" disabled={isBusy()} onClick={() => void setClock('ntp')}>
            Let it follow its time server
          </button>
        </div>
      </Show>
      <Fault fault={fault()} />
    </section>
  );
}
