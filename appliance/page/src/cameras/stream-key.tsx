/** A stream key, the only time that it can be seen, with the address that encoders take. */

import { createSignal, Show } from 'solid-js';
import type { Camera } from '../api.ts';
import { createPorts } from '../frame/ports.ts';

export function StreamKeyOnce(props: {
  readonly camera: Pick<Camera, 'source' | 'sub' | 'streams'>;
  readonly of: 'main' | 'sub';
  readonly streamKey: string;
  readonly title: string;
}) {
  const isWhip = () => (props.of === 'main' ? props.camera.source : props.camera.sub?.source)?.kind === 'whip';
  return (
    <div class="once" role="status">
      <strong>{props.title}: shown this once</strong>
      <Show when={isWhip()} fallback={<RtmpWay streamKey={props.streamKey} />}>
        <Copied label="URL" text={whipAddress(props.camera, props.of)} />
        <Copied label="Bearer token" text={props.streamKey} />
        <WhipWords />
      </Show>
    </div>
  );
}

function RtmpWay(props: { readonly streamKey: string }) {
  const ports = createPorts();
  return (
    <>
      <Copied label="Server" text={`rtmp://${location.hostname}:${ports().rtmp ?? 1935}/live`} />
      <Copied label="Stream key" text={props.streamKey} />
      <span class="quiet">Programs that want one address take both, with a slash between them.</span>
    </>
  );
}

/** Where a publisher sends by WHIP: by the stream's name, which stays when the camera is renamed. */
export function whipAddress({ streams }: Pick<Camera, 'streams'>, of: 'main' | 'sub'): string {
  const name = streams.find(({ role }) => role === of)?.name ?? '';
  return `${location.origin}/whip/${encodeURIComponent(name)}`;
}

/** What encoders are set to. */
export function WhipWords() {
  return (
    <span class="quiet">
      OBS: Settings, Stream, service WHIP, with this URL as the server; Output: H.264 without B-frames (bf=0), a key
      frame every 2 s, Opus. GStreamer: <code>whipsink whip-endpoint=… auth-token=…</code>. Each of them has to trust
      this server's certificate: <code>weir ca export</code>.
    </span>
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
