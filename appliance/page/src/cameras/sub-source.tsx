/** A camera's smaller picture: where it comes from, how it is recorded and for how long it is kept. Part of the settings form. */

import { type JSX, Show } from 'solid-js';
import type { Camera } from '../api.ts';
import { LoginFields } from './login-fields.tsx';
import { RecordingFields } from './recording.tsx';
import { isKept, type SubForm } from './sub-form.ts';

const ownLogin = { username: 'as it is', password: 'as it is' };

export function SubSource(props: {
  readonly camera: Camera;
  readonly form: SubForm;
  readonly onChange: (change: Partial<SubForm>) => void;
  /** What stands in place of an address where it comes to us by itself. */
  readonly publisher: JSX.Element;
}) {
  const isRtsp = () => props.camera.sub === null || props.camera.sub.source.kind === 'rtsp';
  const hasAddress = () => props.form.url.trim() !== '';
  return (
    <fieldset class="group">
      <legend>Smaller picture</legend>
      <Show when={isRtsp()} fallback={props.publisher}>
        <label>
          Its RTSP address, if there is one
          <input
            name="camera-sub-url"
            spellcheck={false}
            value={props.form.url}
            onInput={(event) => props.onChange({ url: event.currentTarget.value })}
          />
        </label>
        <Show when={hasAddress()}>
          <Access camera={props.camera} form={props.form} onChange={props.onChange} />
        </Show>
        <Show when={!hasAddress() && props.camera.sub !== null}>
          <p class="quiet">Without an address it is removed; what was recorded of it stays until its age.</p>
        </Show>
      </Show>
      <Show when={!isRtsp() || hasAddress()}>
        <RecordingFields
          of="sub"
          recording={props.form.recording}
          onChange={(change) => props.onChange({ recording: { ...props.form.recording, ...change } })}
        />
        <p class="quiet">
          {isKept(props.form.recording)
            ? 'Events of the camera mark both pictures.'
            : 'It is there for live view, walls and slow lines.'}
        </p>
      </Show>
    </fieldset>
  );
}

/** How a source that is pulled is reached. */
function Access(props: {
  readonly camera: Camera;
  readonly form: SubForm;
  readonly onChange: (change: Partial<SubForm>) => void;
}) {
  return (
    <>
      <div class="row">
        <label class="check">
          <input
            name="camera-sub-shared"
            type="checkbox"
            checked={props.form.isLoginShared}
            onChange={(event) => props.onChange({ isLoginShared: event.currentTarget.checked })}
          />
          {props.camera.source.kind === 'rtsp' ? 'Logs in as the main picture does' : 'Needs no login'}
        </label>
        <label>
          Transport
          <select
            name="camera-sub-transport"
            value={props.form.transport}
            onChange={(event) => props.onChange({ transport: event.currentTarget.value as 'tcp' | 'udp' })}
          >
            <option value="tcp">TCP</option>
            <option value="udp">UDP</option>
          </select>
        </label>
      </div>
      <Show when={!props.form.isLoginShared}>
        <div class="row">
          <LoginFields
            name="camera-sub"
            login={props.form.login}
            onChange={(login) => props.onChange({ login })}
            {...(props.camera.sub?.hasOwnCredentials === true ? { placeholders: ownLogin } : {})}
          />
        </div>
      </Show>
      <Show when={props.form.url.trim().startsWith('rtsps:')}>
        <label class="check">
          <input
            type="checkbox"
            checked={props.form.tls === 'any'}
            onChange={(event) => props.onChange({ tls: event.currentTarget.checked ? 'any' : 'verify' })}
          />
          Accept its self-signed certificate
        </label>
      </Show>
    </>
  );
}
