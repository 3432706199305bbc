/**
 * Cameras found on the network by ONVIF: search, tick, give the user and password that they share, look at what each offers, try a
 * picture, add.
 */

import { createSignal, For, Show } from 'solid-js';
import { createStore } from 'solid-js/store';
import { type ApiFault, type CameraInput, call, faultOf, type RtspSource, type TestResult } from '../api.ts';
import { Fault, sentence } from '../fault.tsx';
import { forEachAtOnce } from '../frame/at-once.ts';
import { cameraAddress } from '../route.ts';
import { addEach, type Outcome } from './add-each.ts';
import { LoginFields, noLogin } from './login-fields.tsx';
import { type FoundDevice, type Inspection, profileText } from './onvif.ts';
import { OutcomeText } from './outcome.tsx';

/** The API asks eight devices at once; somebody else may be searching too. */
const atOnceMax = 4;

type Look = { readonly is: 'looking' } | { readonly is: 'refused'; readonly fault: ApiFault } | { readonly is: 'seen' };

/** One scene of a device: what becomes a camera. */
type Scene = {
  readonly key: string;
  readonly device: string;
  readonly name: string;
  readonly isTicked: boolean;
  readonly inspection: Inspection;
  readonly channel: Inspection['channels'][number];
  readonly test: TestResult | 'testing' | undefined;
  readonly outcome: Outcome | undefined;
};

export function Discover(props: { readonly onAdded: () => void }) {
  const [addresses, setAddresses] = createSignal('');
  const [ports, setPorts] = createSignal('');
  const [devices, setDevices] = createSignal<readonly FoundDevice[]>();
  const [ticked, setTicked] = createStore<Record<string, boolean>>({});
  const [looks, setLooks] = createStore<Record<string, Look | undefined>>({});
  const [scenes, setScenes] = createStore<Record<string, readonly Scene[]>>({});
  const [login, setLogin] = createSignal(noLogin);
  const [days, setDays] = createSignal(7);
  const [busy, setBusy] = createSignal<'searching' | 'looking' | 'adding'>();
  const [fault, setFault] = createSignal<ApiFault>();

  const credentials = () => (login().username === '' ? {} : { credentials: login() });
  const chosen = () => (devices() ?? []).filter(({ endpoint }) => ticked[endpoint]);
  const all = () => chosen().flatMap(({ endpoint }) => scenes[endpoint] ?? []);
  const toAdd = () =>
    all().filter((scene) => scene.isTicked && scene.name.trim() !== '' && scene.outcome?.is !== 'added');

  const during = async (what: 'searching' | 'looking' | 'adding', work: () => Promise<void>) => {
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
  const search = (event: Event) => {
    event.preventDefault();
    return during('searching', async () => {
      const list = words(addresses());
      const numbers = words(ports()).map(Number);
      const found = await call<{ devices: FoundDevice[] }>('POST', '/api/onvif/discover', {
        ...(list.length === 0 ? {} : { addresses: list }),
        ...(numbers.length === 0 ? {} : { ports: numbers }),
      });
      setDevices(found.devices.toSorted((a, b) => a.address.localeCompare(b.address, undefined, { numeric: true })));
      for (const device of found.devices) setTicked(device.endpoint, device.cameraId === null);
    });
  };
  const lookAt = async (device: FoundDevice) => {
    setLooks(device.endpoint, { is: 'looking' });
    try {
      const inspection = await call<Inspection>('POST', '/api/onvif/profiles', {
        url: device.urls[0],
        ...credentials(),
      });
      setScenes(device.endpoint, scenesOf(device, inspection));
      setLooks(device.endpoint, { is: 'seen' });
    } catch (error) {
      setLooks(device.endpoint, { is: 'refused', fault: faultOf(error) });
    }
  };
  const change = (scene: Scene, what: Partial<Scene>) => setScenes(scene.device, (one) => one.key === scene.key, what);
  const test = async (scene: Scene) => {
    change(scene, { test: 'testing' });
    try {
      const body = { source: sourceOf(scene.channel.camera.source.url), ...credentials() };
      change(scene, { test: await call<TestResult>('POST', '/api/cameras/test', body) });
    } catch (error) {
      const { code, ...told } = faultOf(error);
      change(scene, { test: { ok: false, tracks: [], warnings: [], fault: { reason: code, ...told } } });
    }
  };
  const add = () =>
    during('adding', async () => {
      const inputs = new Map<Scene, CameraInput>(
        toAdd().map((scene) => [scene, inputOf(scene, { ...credentials(), retentionHours: days() * 24 })]),
      );
      await addEach(inputs, (scene, outcome) => change(scene, { outcome }));
      props.onAdded();
    });

  return (
    <div class="stack">
      <form class="card" onSubmit={(event) => void search(event)}>
        <div class="row">
          <label>
            Addresses, where multicast does not reach
            <input
              name="addresses"
              placeholder="10.0.0.0/24, 10.0.1.20-40"
              value={addresses()}
              onInput={(event) => setAddresses(event.currentTarget.value)}
            />
          </label>
          <label>
            Ports
            <input
              name="ports"
              placeholder="80"
              inputmode="numeric"
              value={ports()}
              onInput={(event) => setPorts(event.currentTarget.value)}
            />
          </label>
          <button type="submit" disabled={busy() !== undefined}>
            {busy() === 'searching' ? 'Searching …' : 'Search'}
          </button>
        </div>
        <Fault fault={fault()} />
        <Show when={devices() === undefined}>
          <p class="quiet">Asks the network for cameras and recorders that speak ONVIF. Nothing is changed.</p>
        </Show>
      </form>
      <Show when={devices()?.length === 0}>
        <p class="quiet middle">
          Nothing answered. Is ONVIF switched on at the cameras? Where they are in another network, give their
          addresses.
        </p>
      </Show>
      <Show when={(devices()?.length ?? 0) > 0}>
        <section class="card">
          <div class="row">
            <LoginFields
              name="onvif"
              userLabel="User, the same for all that are ticked"
              login={login()}
              onChange={setLogin}
            />
            <label>
              Keep for (days)
              <input
                type="number"
                min="1"
                max="3650"
                value={days()}
                onInput={(event) => setDays(event.currentTarget.valueAsNumber || 1)}
              />
            </label>
            <button
              type="button"
              class="second"
              disabled={busy() !== undefined || chosen().length === 0}
              onClick={() => void during('looking', () => forEachAtOnce(chosen(), atOnceMax, lookAt))}
            >
              {busy() === 'looking' ? 'Asking …' : 'Ask for their streams'}
            </button>
            <button type="button" disabled={busy() !== undefined || toAdd().length === 0} onClick={() => void add()}>
              Add {toAdd().length === 1 ? 'one camera' : `${toAdd().length} cameras`}
            </button>
          </div>
        </section>
        <ul class="plainlist stack">
          <For each={devices()}>
            {(device) => (
              <li class="card device">
                <div class="title">
                  <label class="check">
                    <input
                      type="checkbox"
                      checked={ticked[device.endpoint] ?? false}
                      onChange={(event) => setTicked(device.endpoint, event.currentTarget.checked)}
                    />
                    <strong>{device.name ?? device.hardware ?? device.address}</strong>
                  </label>
                  <span class="quiet">
                    {[
                      device.name === null && device.hardware === null ? null : device.address,
                      device.hardware,
                      device.location,
                    ]
                      .filter((text) => text !== null)
                      .join(' · ')}
                  </span>
                  <Show when={device.cameraId}>
                    {(cameraId) => (
                      <a class="link" href={cameraAddress(cameraId())}>
                        there already
                      </a>
                    )}
                  </Show>
                  <Show when={looks[device.endpoint]?.is === 'looking'}>
                    <span class="quiet">asking …</span>
                  </Show>
                </div>
                <Show when={refusal(looks[device.endpoint])}>{(told) => <Fault fault={told()} />}</Show>
                <For each={scenes[device.endpoint]}>
                  {(scene) => <SceneLine scene={scene} onChange={change} onTest={(one) => void test(one)} />}
                </For>
              </li>
            )}
          </For>
        </ul>
      </Show>
    </div>
  );
}

function SceneLine(props: {
  readonly scene: Scene;
  readonly onChange: (scene: Scene, what: Partial<Scene>) => void;
  readonly onTest: (scene: Scene) => void;
}) {
  const profile = (token: string | null) => props.scene.inspection.profiles.find((one) => one.token === token);
  const tested = () => (typeof props.scene.test === 'object' ? props.scene.test : undefined);
  return (
    <div class="scene">
      <Show when={tested()?.picture} fallback={<div class="picture thumb" />}>
        {(picture) => <img class="thumb" alt="What the camera sees" src={`data:image/jpeg;base64,${picture()}`} />}
      </Show>
      <div class="stack">
        <div class="title">
          <input
            type="checkbox"
            aria-label="Add this one"
            checked={props.scene.isTicked}
            onChange={(event) => props.onChange(props.scene, { isTicked: event.currentTarget.checked })}
          />
          <input
            class="small"
            name="scene-name"
            aria-label="Name"
            maxlength="64"
            value={props.scene.name}
            onInput={(event) => props.onChange(props.scene, { name: event.currentTarget.value })}
          />
          <button
            type="button"
            class="second small"
            disabled={props.scene.test === 'testing'}
            onClick={() => props.onTest(props.scene)}
          >
            {props.scene.test === 'testing' ? 'Testing …' : 'Test'}
          </button>
          <OutcomeText outcome={props.scene.outcome} />
        </div>
        <span class="quiet">
          main {profileText(profile(props.scene.channel.main))}
          <Show when={props.scene.channel.sub} fallback=", no sub stream">
            {(token) => <>, sub {profileText(profile(token()))}</>}
          </Show>
        </span>
        <Show when={tested()?.fault}>
          {(fault) => (
            <span class="warning">
              {sentence(fault().message)} <Show when={fault().hint}>{(hint) => <>{sentence(hint())}</>}</Show>
            </span>
          )}
        </Show>
      </div>
    </div>
  );
}

function refusal(look: Look | undefined): ApiFault | undefined {
  return look?.is === 'refused' ? look.fault : undefined;
}

function scenesOf(device: FoundDevice, inspection: Inspection): readonly Scene[] {
  const name = device.name ?? inspection.model ?? 'Camera';
  return inspection.channels.map((channel, i) => ({
    key: `${device.endpoint} ${i}`,
    device: device.endpoint,
    // Cameras of one make have one name: the address tells them apart.
    name: `${name} ${device.address}${inspection.channels.length > 1 ? ` ${i + 1}` : ''}`.slice(0, 64),
    isTicked: true,
    ...{ inspection, channel, test: undefined, outcome: undefined },
  }));
}

function inputOf(
  { name, channel: { camera } }: Scene,
  settings: { readonly credentials?: NonNullable<CameraInput['credentials']>; readonly retentionHours: number },
): CameraInput {
  const { retentionHours, ...login } = settings;
  return {
    name: name.trim(),
    ...login,
    source: sourceOf(camera.source.url),
    sub: camera.sub === null ? null : { source: sourceOf(camera.sub.source.url) },
    onvif: camera.onvif,
    recording: { retentionHours },
  };
}

function sourceOf(url: string): RtspSource {
  return { kind: 'rtsp', url, transport: 'tcp', tls: 'verify' };
}

function words(text: string): string[] {
  return text.split(/[\s,;]+/).filter((word) => word !== '');
}
