/** A stream key, the only time that it can be seen, with the address that encoders take. */

import { createSignal, Show } from 'solid-js';
import { createPorts } from '../frame/ports.ts';

export function StreamKeyOnce(props: { readonly streamKey: string; readonly title: string }) {
  const ports = createPorts();
  const server = () => `rtmp://${location.hostname}:${ports().rtmp ?? 1935}/live`;
  return (
    <div class="once" role="status">
      <strong>{props.title}: shown this once</strong>
      <Copied label="Server" text={server()} />
      <Copied label="Stream key" text={props.streamKey} />
      <span class="quiet">Programs that want one address take both, with a slash between them.</span>
    </div>
  );
}

/** A line to be copied. */
export function Copied(props: { readonly label: string; readonly text: string }) {
  const [isCopied, setCopied] = createSignal(false);
  return (
    <div class="title">
      <span class="quiet">{props.label}</span> <code>{props.text}</code>
      <Show when={navigator.clipboard}>
        <button
          type="button"
          class="second small"
          onClick={() => void navigator.clipboard.writeText(props.text).then(() => setCopied(true))}
        >
          {isCopied() ? 'Copied' : 'Copy'}
        </button>
      </Show>
    </div>
  );
}
