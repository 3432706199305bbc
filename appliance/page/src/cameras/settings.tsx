/** A camera's settings: where it comes from, how it is recorded, where others get it, its clock; and its removal. */

import { createEffect, createSignal, on, Show } from 'solid-js';
import { type ApiFault, type Camera, type ChangedCamera, call, faultOf, type Recording } from '../api.ts';
import { Fault } from '../fault.tsx';
import { createMay } from '../frame/session.ts';
import { DeviceClockCard } from './device-clock.tsx';
import { fedStreams, KvsProducer } from './kvs-producer.tsx';
import { LoginFields, noLogin } from './login-fields.tsx';
import type { OnvifFacts } from './onvif.ts';
import { OtherPlayers } from './other-players.tsx';
import { RecordingFields } from './recording.tsx';
import { Removal } from './removal.tsx';
import { Copied, StreamKeyOnce, whipAddress } from './stream-key.tsx';
import { recordingOf, subFormOf, subPatch } from './sub-form.ts';
import { SubSource } from './sub-source.tsx';

const gigabyte = 1e9;
const withoutLogin = { username: 'none', password: '' };

export function CameraSettings(props: {
  readonly camera: Camera;
  readonly onvif: OnvifFacts | undefined;
  readonly onChanged: () => void;
}) {
  const may = createMay();
  return (
    <div class="columns">
      <Show when={may('cameras:update')} fallback={<p class="card quiet">These settings are for operators.</p>}>
        <SettingsForm camera={props.camera} onChanged={props.onChanged} />
      </Show>
      <div class="stack">
        <Show when={fedStreams(props.camera).length > 0}>
          <KvsProducer camera={props.camera} />
        </Show>
        <OtherPlayers camera={props.camera} />
        <Show when={props.camera.onvif !== null}>
          <DeviceClockCard camera={props.camera} onvif={props.onvif} />
        </Show>
        <Show when={may('cameras:delete')}>
          <Removal camera={props.camera} onChanged={props.onChanged} />
        </Show>
      </div>
    </div>
  );
}

function SettingsForm(props: { readonly camera: Camera; readonly onChanged: () => void }) {
  const [name, setName] = createSignal('');
  const [isEnabled, setEnabled] = createSignal(true);
  const [url, setUrl] = createSignal('');
  const [transport, setTransport] = createSignal<'tcp' | 'udp'>('tcp');
  const [sub, setSub] = createSignal(subFormOf(props.camera.sub));
  const [onvifUrl, setOnvifUrl] = createSignal('');
  const [login, setLogin] = createSignal(noLogin);
  const [recording, setRecording] = createSignal<Recording>(props.camera.recording);
  const [quota, setQuota] = createSignal<number | null>(null);
  const [fault, setFault] = createSignal<ApiFault>();
  const [told, setTold] = createSignal('');
  const [keys, setKeys] = createSignal<NonNullable<ChangedCamera['streamKeys']>>({});

  const fill = () => {
    const { source, onvif } = props.camera;
    setName(props.camera.name);
    setEnabled(props.camera.isEnabled);
    setUrl(source.kind === 'rtsp' ? source.url : '');
    setTransport(source.kind === 'rtsp' ? source.transport : 'tcp');
    setSub(subFormOf(props.camera.sub));
    setOnvifUrl(onvif?.url ?? '');
    setRecording({ ...props.camera.recording });
    setQuota(props.camera.recording.bytesMax);
    setLogin(noLogin);
  };
  // Only when it is another one, or somebody changed it: what is half typed stays otherwise.
  createEffect(on(() => [props.camera.id, props.camera.revision], fill));

  const attempt = async (work: () => Promise<ChangedCamera>, words: string) => {
    setFault(undefined);
    setTold('');
    try {
      const changed = await work();
      setKeys(changed.streamKeys ?? {});
      setTold(words);
      props.onChanged();
    } catch (error) {
      setFault(faultOf(error));
    }
  };
  const rtsp = () => props.camera.source.kind === 'rtsp';
  const save = (event: Event) => {
    event.preventDefault();
    const { id, revision, onvif } = props.camera;
    const subChange = subPatch(props.camera.sub, sub());
    const device = onvifUrl().trim();
    return attempt(
      () =>
        call<ChangedCamera>('PATCH', `/api/cameras/${id}`, {
          ...{ revision, name: name().trim(), isEnabled: isEnabled() },
          ...(rtsp() ? { source: { kind: 'rtsp', url: url().trim(), transport: transport() } } : {}),
          ...(login().username === '' ? {} : { credentials: login() }),
          ...(subChange === undefined ? {} : { sub: subChange }),
          ...(device === (onvif?.url ?? '') ? {} : { onvif: device === '' ? null : { url: device } }),
          recording: { ...recordingOf(recording()), bytesMax: quota() },
        }),
      'Saved.',
    );
  };
  const newKey = (role: 'main' | 'sub') =>
    attempt(async () => {
      const path = `/api/cameras/${props.camera.id}/stream-key`;
      const { streamKey } = await call<{ streamKey: string }>('POST', path, { role });
      return { ...props.camera, streamKeys: { [role]: streamKey } };
    }, 'The key before it has ended.');

  return (
    <form class="card" onSubmit={(event) => void save(event)}>
      <h2>Source and recording</h2>
      <div class="row">
        <label>
          Name
          <input
            name="camera-name"
            required
            maxlength="64"
            value={name()}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        <label class="check">
          <input type="checkbox" checked={isEnabled()} onChange={(event) => setEnabled(event.currentTarget.checked)} />
          Switched on
        </label>
      </div>
      <Show when={rtsp()} fallback={<Publisher camera={props.camera} of="main" onNew={() => void newKey('main')} />}>
        <label>
          RTSP address
          <input
            name="camera-url"
            required
            spellcheck={false}
            value={url()}
            onInput={(event) => setUrl(event.currentTarget.value)}
          />
        </label>
      </Show>
      <Show when={rtsp()}>
        <div class="row">
          <LoginFields
            name="camera"
            login={login()}
            onChange={setLogin}
            placeholders={props.camera.hasCredentials ? { username: 'as it is', password: 'as it is' } : withoutLogin}
          />
          <label>
            Transport
            <select value={transport()} onChange={(event) => setTransport(event.currentTarget.value as 'tcp' | 'udp')}>
              <option value="tcp">TCP</option>
              <option value="udp">UDP</option>
            </select>
          </label>
        </div>
        <label>
          ONVIF address, for moving it, its clock and its events
          <input
            placeholder="http://10.0.0.21/onvif/device_service"
            spellcheck={false}
            value={onvifUrl()}
            onInput={(event) => setOnvifUrl(event.currentTarget.value)}
          />
        </label>
      </Show>
      <RecordingFields
        of="main"
        recording={recording()}
        onChange={(change) => setRecording((known) => ({ ...known, ...change }))}
      />
      <SubSource
        camera={props.camera}
        form={sub()}
        onChange={(change) => setSub((known) => ({ ...known, ...change }))}
        publisher={<Publisher camera={props.camera} of="sub" onNew={() => void newKey('sub')} />}
      />
      <label>
        {props.camera.sub === null ? 'At most (GB)' : 'At most, both pictures together (GB)'}
        <input
          name="quota"
          type="number"
          min="0"
          step="any"
          placeholder="no bound of its own"
          value={quota() === null ? '' : (quota() ?? 0) / gigabyte}
          onChange={(event) => {
            const value = event.currentTarget.valueAsNumber;
            setQuota(Number.isNaN(value) ? null : Math.round(value * gigabyte));
          }}
        />
      </label>
      <Show when={props.camera.managedBy}>
        {(site) => (
          <p class="quiet">
            The site file "{site()}" manages this camera: change it there, since the next <code>weir apply</code>{' '}
            overwrites what is changed here, and brings the camera back when it is removed.
          </p>
        )}
      </Show>
      <Fault fault={fault()} />
      <Show when={keys().main}>
        {(key) => <StreamKeyOnce camera={props.camera} of="main" title="Stream key" streamKey={key()} />}
      </Show>
      <Show when={keys().sub}>
        {(key) => (
          <StreamKeyOnce camera={props.camera} of="sub" title="Stream key of the smaller picture" streamKey={key()} />
        )}
      </Show>
      <div class="title">
        <button type="submit">Save</button>
        <span class="quiet" role="status">
          {told()}
        </span>
      </div>
    </form>
  );
}

/** What comes to us by itself. */
function Publisher(props: { readonly camera: Camera; readonly of: 'main' | 'sub'; readonly onNew: () => void }) {
  const kind = () => (props.of === 'main' ? props.camera.source : props.camera.sub?.source)?.kind;
  const way = () => (kind() === 'whip' ? 'WHIP' : 'RTMP');
  return (
    <Show
      when={kind() === 'kvs'}
      fallback={
        <>
          <div class="title">
            <span>
              {props.of === 'main' ? `Publishes to Weir by ${way()}.` : `The smaller picture is published by ${way()}.`}
            </span>
            <button type="button" class="second small" onClick={() => props.onNew()}>
              New stream key
            </button>
          </div>
          <Show when={kind() === 'whip'}>
            <Copied label="URL" text={whipAddress(props.camera, props.of)} />
          </Show>
        </>
      }
    >
      <span>
        {props.of === 'main' ? 'A KVS producer sends it by PutMedia.' : 'A KVS producer sends the smaller picture.'}
      </span>
    </Show>
  );
}
