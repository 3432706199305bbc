/** Adding a camera: address, test with picture and tracks, then save. Saving without a good test is allowed and said. */

import { createSignal, For, Show } from 'solid-js';
import {
  type ApiFault,
  type CameraInput,
  type CameraSource,
  type ChangedCamera,
  call,
  faultOf,
  type TestResult,
} from '../api.ts';
import { Fault } from '../fault.tsx';
import { cameraAddress } from '../route.ts';
import { ProducerWords } from './kvs-producer.tsx';
import { LoginFields, noLogin } from './login-fields.tsx';
import { StreamKeyOnce } from './stream-key.tsx';

const kinds = [
  { kind: 'rtsp', text: 'RTSP', words: 'Weir connects to the camera.' },
  { kind: 'rtmp', text: 'RTMP', words: 'An encoder, drone, phone or OBS publishes to Weir.' },
  { kind: 'whip', text: 'WHIP', words: 'A browser, OBS or GStreamer publishes to Weir by WebRTC.' },
  { kind: 'kvs', text: 'KVS', words: 'A KVS producer sends to Weir as it would to Amazon Kinesis Video Streams.' },
] as const satisfies readonly { readonly kind: CameraSource['kind']; readonly text: string; readonly words: string }[];

export function AddCamera(props: { readonly onAdded: () => void }) {
  const [kind, setKind] = createSignal<CameraSource['kind']>('rtsp');
  const [added, setAdded] = createSignal<ChangedCamera>();
  const [name, setName] = createSignal('');
  const [url, setUrl] = createSignal('');
  const [subUrl, setSubUrl] = createSignal('');
  const [login, setLogin] = createSignal(noLogin);
  const [transport, setTransport] = createSignal<'tcp' | 'udp'>('tcp');
  const [trustsAnyCertificate, setTrustsAny] = createSignal(false);
  const [retentionDays, setRetentionDays] = createSignal(7);
  const [result, setResult] = createSignal<TestResult>();
  const [fault, setFault] = createSignal<ApiFault>();
  const [busy, setBusy] = createSignal<'test' | 'save'>();

  const source = (address = url()) => ({
    kind: 'rtsp' as const,
    url: address.trim(),
    transport: transport(),
    tls: trustsAnyCertificate() ? ('any' as const) : ('verify' as const),
  });
  const credentials = () => (login().username === '' && login().password === '' ? {} : { credentials: login() });

  const attempt = async (what: 'test' | 'save', work: () => Promise<void>) => {
    setBusy(what);
    setFault(undefined);
    try {
      await work();
    } catch (error) {
      setFault(faultOf(error));
    } finally {
      setBusy(undefined);
    }
  };

  const test = () =>
    attempt('test', async () => {
      setResult(undefined);
      setResult(await call<TestResult>('POST', '/api/cameras/test', { source: source(), ...credentials() }));
    });

  const save = (event: Event) => {
    event.preventDefault();
    return attempt('save', async () => {
      const input: CameraInput = {
        name: name().trim(),
        ...(pushed(kind()) ?? {
          source: source(),
          ...credentials(),
          ...(subUrl().trim() === '' ? {} : { sub: { source: source(subUrl()) } }),
        }),
        recording: { retentionHours: retentionDays() * 24 },
      };
      const camera = await call<ChangedCamera>('POST', '/api/cameras', input);
      props.onAdded();
      if (camera.streamKeys === undefined) location.hash = cameraAddress(camera.id);
      else setAdded(camera);
    });
  };

  return (
    <div class="columns">
      <form class="card" onSubmit={(event) => void save(event)}>
        <div class="field">
          <div class="choice kinds">
            <For each={kinds}>
              {(one) => (
                <button type="button" aria-pressed={kind() === one.kind} onClick={() => setKind(one.kind)}>
                  {one.text}
                </button>
              )}
            </For>
          </div>
          <p class="quiet" role="status">
            {kinds.find((one) => one.kind === kind())?.words}
          </p>
        </div>
        <label>
          Name
          <input
            name="name"
            value={name()}
            onInput={(event) => setName(event.currentTarget.value)}
            required
            maxlength="64"
            placeholder="Gate north"
          />
        </label>
        <Show when={kind() === 'rtsp'}>
          <label>
            RTSP address
            <input
              name="url"
              value={url()}
              onInput={(event) => setUrl(event.currentTarget.value)}
              required
              placeholder="rtsp://10.0.0.21/stream1"
              spellcheck={false}
            />
          </label>
          <label>
            Address of its smaller picture, if it has one
            <input
              name="sub-url"
              value={subUrl()}
              onInput={(event) => setSubUrl(event.currentTarget.value)}
              placeholder="rtsp://10.0.0.21/stream2"
              spellcheck={false}
            />
          </label>
          <div class="row">
            <LoginFields name="camera" login={login()} onChange={setLogin} />
          </div>
          <label>
            Transport
            <select value={transport()} onChange={(event) => setTransport(event.currentTarget.value as 'tcp' | 'udp')}>
              <option value="tcp">TCP (recommended)</option>
              <option value="udp">UDP</option>
            </select>
          </label>
          <Show when={url().startsWith('rtsps:')}>
            <label class="check">
              <input
                type="checkbox"
                checked={trustsAnyCertificate()}
                onChange={(event) => setTrustsAny(event.currentTarget.checked)}
              />
              Accept the camera's self-signed certificate
            </label>
          </Show>
        </Show>
        <label>
          Keep for (days)
          <input
            type="number"
            min="0"
            max="3650"
            value={retentionDays()}
            onInput={(event) => setRetentionDays(event.currentTarget.valueAsNumber || 0)}
          />
        </label>
        <Fault fault={fault()} />
        <div class="row">
          <Show when={kind() === 'rtsp'}>
            <button
              type="button"
              class="second"
              disabled={busy() !== undefined || url() === ''}
              onClick={() => void test()}
            >
              {busy() === 'test' ? 'Testing …' : 'Test'}
            </button>
          </Show>
          <button type="submit" disabled={busy() !== undefined}>
            {busy() === 'save' ? 'Saving …' : 'Save and record'}
          </button>
        </div>
      </form>
      <Show
        when={kind() === 'rtsp'}
        fallback={kind() === 'kvs' ? <Produced /> : <Published kind={kind()} camera={added()} />}
      >
        <section class="card">
          <h2>Test</h2>
          <Show
            when={result()}
            fallback={<p class="quiet">Connects to the camera and shows what it sends. Nothing is saved.</p>}
          >
            {(found) => <Found result={found()} />}
          </Show>
        </section>
      </Show>
    </div>
  );
}

/** What comes to us needs no address. */
function pushed(kind: CameraSource['kind']): Pick<CameraInput, 'source'> | undefined {
  return kind === 'rtsp' ? undefined : { source: { kind } };
}

function Produced() {
  return (
    <section class="card">
      <h2>KVS producer</h2>
      <p class="quiet">
        Its stream is made when the camera is saved; the camera's settings then tell endpoint and name.
      </p>
      <ProducerWords />
    </section>
  );
}

function Published(props: { readonly kind: CameraSource['kind']; readonly camera: ChangedCamera | undefined }) {
  return (
    <section class="card">
      <h2>Stream key</h2>
      <Show
        when={props.camera}
        fallback={
          <p class="quiet">
            {props.kind === 'whip'
              ? 'Browsers, OBS 30 and later, and GStreamer send by WebRTC to an address of this server, with a key that is made when the camera is saved.'
              : 'Encoders, drones, phones and OBS connect by themselves, with a key that is made when the camera is saved.'}
          </p>
        }
      >
        {(camera) => (
          <>
            <StreamKeyOnce
              camera={camera()}
              of="main"
              title={camera().name}
              streamKey={camera().streamKeys?.main ?? ''}
            />
            <a class="link" href={cameraAddress(camera().id)}>
              To the camera
            </a>
          </>
        )}
      </Show>
    </section>
  );
}

function Found(props: { readonly result: TestResult }) {
  return (
    <>
      <Show when={props.result.fault}>{(fault) => <Fault fault={{ code: fault().reason, ...fault() }} />}</Show>
      <Show when={props.result.picture}>
        {(picture) => <img class="found" alt="What the camera sees" src={`data:image/jpeg;base64,${picture()}`} />}
      </Show>
      <ul class="plainlist">
        <For each={props.result.tracks}>{(track) => <li>{track.text ?? track.codec}</li>}</For>
        <For each={props.result.warnings}>{(warning) => <li class="warning">{warning}</li>}</For>
      </ul>
    </>
  );
}
