/** The page's frame: who is logged in, the bar on top, and the view that the address names. */

import { createEffect, createResource, createSignal, For, Match, on, Show, Switch } from 'solid-js';
import { render } from 'solid-js/web';
import { Login } from './account/login.tsx';
import { Password } from './account/password.tsx';
import { AlarmBar } from './alarms/alarm-bar.tsx';
import { createAlarms } from './alarms/alarms.ts';
import { AlarmsPage } from './alarms/alarms-page.tsx';
import { ApiError, type Camera, call, type Session } from './api.ts';
import { AddCameras } from './cameras/add-page.tsx';
import { CameraView } from './cameras/camera.tsx';
import { CameraList } from './cameras/list.tsx';
import { connectEvents } from './events.ts';
import { Fault } from './fault.tsx';
import { createReading } from './frame/reading.ts';
import { createMay, SessionContext } from './frame/session.ts';
import { createRoute, type Route } from './route.ts';
import { SettingsPage } from './settings/settings-page.tsx';
import { StoragePage } from './storage/storage-page.tsx';
import './style/all.css';
import { Wall } from './wall/wall.tsx';

type Place = {
  readonly href: string;
  readonly text: string;
  readonly covers: readonly Route['at'][];
  /** Offered to whoever may do one of these; to everybody without. */
  readonly actions?: readonly string[];
};

const places: readonly Place[] = [
  { href: '#/', text: 'Cameras', covers: ['cameras', 'camera'] },
  { href: '#/wall', text: 'Wall', covers: ['wall'], actions: ['streams:view'] },
  { href: '#/add', text: 'Add camera', covers: ['add'], actions: ['cameras:create'] },
  { href: '#/alarms', text: 'Alarms', covers: ['alarms'] },
  { href: '#/storage', text: 'Storage', covers: ['storage'] },
  {
    href: '#/settings',
    text: 'Settings',
    covers: ['settings'],
    actions: ['system:read', 'webhooks:read', 'users:read', 'tokens:read', 'system:diagnose'],
  },
];

async function readSession(): Promise<Session | null> {
  try {
    return await call<Session>('GET', '/api/session');
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null;
    throw error;
  }
}

function App() {
  const [session, { refetch }] = createResource(readSession);
  /** In memory, from the login to the password that is chosen instead. */
  const [oneTimePassword, setOneTimePassword] = createSignal<string>();
  const again = () => {
    setOneTimePassword(undefined);
    void refetch();
  };
  const loggedIn = async (password: string) => {
    setOneTimePassword(password);
    const known = await refetch();
    if (known?.subject.mustChangePassword !== true) setOneTimePassword(undefined);
  };
  return (
    <Switch fallback={<p class="quiet middle">Loading …</p>}>
      <Match when={session.error}>{(error) => <Fault fault={(error() as ApiError).fault} />}</Match>
      <Match when={session.state === 'ready' && session() === null}>
        <Login onDone={(password) => void loggedIn(password)} />
      </Match>
      <Match when={session()?.subject.mustChangePassword}>
        <Password isForced userName={session()?.subject.name ?? ''} current={oneTimePassword()} onDone={again} />
      </Match>
      <Match when={session()}>
        {(known) => (
          <SessionContext.Provider value={known()}>
            <House session={known()} onLogout={again} />
          </SessionContext.Provider>
        )}
      </Match>
    </Switch>
  );
}

function House(props: { readonly session: Session; readonly onLogout: () => void }) {
  const may = createMay();
  const route = createRoute();
  const cameras = createReading(async () => (await call<{ cameras: Camera[] }>('GET', '/api/cameras')).cameras, {
    isInPlace: true,
  });
  /** How often each list was changed since the page was loaded: whoever shows one reads it again. */
  const [changes, setChanges] = createSignal<Readonly<Record<string, number>>>({});
  const events = connectEvents(
    (what) => {
      if (what === 'cameras') cameras.again();
      if (what === 'alarms') alarms.refresh();
      setChanges((known) => ({ ...known, [what]: (known[what] ?? 0) + 1 }));
    },
    () => props.onLogout(),
  );
  const alarms = createAlarms(events.isConnected);
  // What changed while there was no connection was not told.
  createEffect(on(events.isConnected, (is) => is && cameras.again(), { defer: true }));
  const logout = async () => {
    await call('DELETE', '/api/session');
    props.onLogout();
  };
  const tab = () => {
    const at = route();
    return at.at === 'camera' ? undefined : at.tab;
  };
  const query = () => {
    const at = route();
    return at.at === 'camera' ? '' : at.query;
  };
  const camera = () => {
    const at = route();
    return at.at === 'camera' ? cameras.latest()?.find((one) => one.id === at.cameraId) : undefined;
  };
  return (
    <>
      <header class="bar">
        <a class="brand" href="#/">
          <img src="/icon.svg" alt="" width="26" height="26" />
          Weir
        </a>
        <nav>
          <For each={places.filter(({ actions }) => actions?.some(may) ?? true)}>
            {(place) => (
              <a href={place.href} aria-current={place.covers.includes(route().at) ? 'page' : undefined}>
                {place.text}
              </a>
            )}
          </For>
        </nav>
        <span class="grow" />
        <Show when={!events.isConnected()}>
          <span class="lost" role="status">
            Not connected to the appliance, trying again: what is shown may be old.
          </span>
        </Show>
        <AlarmBar alarms={alarms} cameras={cameras.latest() ?? []} events={events} />
        <a href="#/account" aria-current={route().at === 'account' ? 'page' : undefined}>
          {props.session.subject.name}
        </a>
        <button type="button" class="plain" onClick={() => void logout()}>
          Log out
        </button>
      </header>
      <main>
        <Fault fault={cameras.fault()} />
        <Switch>
          <Match when={route().at === 'add'}>
            <Show
              when={may('cameras:create')}
              fallback={<p class="quiet middle">Cameras are added by operators and administrators.</p>}
            >
              <AddCameras tab={tab()} onAdded={cameras.again} />
            </Show>
          </Match>
          <Match when={route().at === 'wall' && cameras.latest()}>
            {(list) => <Wall cameras={list()} events={events} alarms={alarms} query={query()} />}
          </Match>
          <Match when={route().at === 'alarms'}>
            <AlarmsPage alarms={alarms} />
          </Match>
          <Match when={route().at === 'storage' && cameras.latest()}>
            {(list) => (
              <StoragePage
                cameras={list()}
                events={events}
                holdsChanged={changes().holds ?? 0}
                onChanged={cameras.again}
              />
            )}
          </Match>
          <Match when={route().at === 'settings'}>
            <SettingsPage tab={tab()} query={query()} changes={changes()} />
          </Match>
          <Match when={route().at === 'account'}>
            <Password
              userName={props.session.subject.name}
              onDone={() => {
                location.hash = '#/';
              }}
            />
          </Match>
          <Match when={camera()}>
            {(found) => <CameraView camera={found()} events={events} onChanged={cameras.again} />}
          </Match>
          <Match when={route().at === 'camera' && cameras.latest() !== undefined}>
            <p class="quiet middle">
              There is no such camera. <a href="#/">All cameras</a>
            </p>
          </Match>
          <Match when={route().at === 'cameras' && cameras.latest()}>
            {(list) => <CameraList cameras={list()} events={events} />}
          </Match>
        </Switch>
      </main>
    </>
  );
}

render(() => <App />, document.body);
