/** The end of a camera, asked twice. */

import { createSignal, Show } from 'solid-js';
import { type ApiFault, type Camera, call, faultOf } from '../api.ts';
import { Fault } from '../fault.tsx';

export function Removal(props: { readonly camera: Camera; readonly onChanged: () => void }) {
  const [isAsking, setAsking] = createSignal(false);
  const [fault, setFault] = createSignal<ApiFault>();
  const remove = async () => {
    try {
      await call('DELETE', `/api/cameras/${props.camera.id}`);
      location.hash = '#/';
      props.onChanged();
    } catch (error) {
      setFault(faultOf(error));
    }
  };
  return (
    <section class="card">
      <h2>Remove</h2>
      <p class="quiet">Recordings stay until their retention ends.</p>
      <Fault fault={fault()} />
      <div class="title">
        <Show
          when={isAsking()}
          fallback={
            <button type="button" class="danger small" onClick={() => setAsking(true)}>
              Remove camera
            </button>
          }
        >
          <button type="button" class="danger small" onClick={() => void remove()}>
            Yes, remove {props.camera.name}
          </button>
          <button type="button" class="plain small" onClick={() => setAsking(false)}>
            No
          </button>
        </Show>
      </div>
    </section>
  );
}
