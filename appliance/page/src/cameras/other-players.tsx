/** Where other players and recorders get a camera by RTSP. */

import { Show } from 'solid-js';
import type { Camera } from '../api.ts';
import { createPorts } from '../frame/ports.ts';
import { Copied } from './stream-key.tsx';

export function OtherPlayers(props: { readonly camera: Camera }) {
  const ports = createPorts();
  const address = () => `rtsp://${location.hostname}:${ports().rtsp}/${encodeURIComponent(props.camera.name)}`;
  return (
    <section class="card">
      <h2>For other players</h2>
      <Show when={ports().rtsp !== null} fallback={<p class="quiet">RTSP is switched off here.</p>}>
        <Copied label="Main" text={address()} />
        <Show when={props.camera.sub}>
          <Copied label="Sub" text={`${address()}/sub`} />
        </Show>
        <p class="quiet">
          They log in with an API token as the password (see Settings). With <code>?start=2026-01-31T18:00:00Z</code>{' '}
          they get what was recorded.
        </p>
      </Show>
    </section>
  );
}
