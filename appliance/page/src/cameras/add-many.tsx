/** Many cameras from a list: pasted or read from a file, looked at before anything is added, with a result for each. */

import { createMemo, createSignal, For, Show } from 'solid-js';
import { createStore, reconcile } from 'solid-js/store';
import type { CameraInput } from '../api.ts';
import { addEach, type Outcome } from './add-each.ts';
import { type CsvCamera, csvCamerasMax, parseCameras } from './csv.ts';
import { OutcomeText } from './outcome.tsx';

const fileBytesMax = 1_000_000;

export function AddMany(props: { readonly onAdded: () => void }) {
  const [text, setText] = createSignal('');
  const [username, setUsername] = createSignal('');
  const [password, setPassword] = createSignal('');
  const [days, setDays] = createSignal(7);
  const [isBusy, setBusy] = createSignal(false);
  const [outcomes, setOutcomes] = createStore<Record<number, Outcome>>({});
  const cameras = createMemo(() => parseCameras(text()));
  const good = () => cameras().filter((camera) => camera.fault === undefined && outcomes[camera.line]?.is !== 'added');
  const count = (is: Outcome['is']) => Object.values(outcomes).filter((outcome) => outcome.is === is).length;

  const inputOf = (camera: CsvCamera): CameraInput => {
    const login = camera.username !== '' ? camera : { username: username(), password: password() };
    return {
      name: camera.name,
      source: { kind: 'rtsp', url: camera.url, transport: 'tcp', tls: 'verify' },
      ...(login.username === '' ? {} : { credentials: { username: login.username, password: login.password } }),
      recording: { retentionHours: days() * 24 },
      ...(camera.subUrl === ''
        ? {}
        : { sub: { source: { kind: 'rtsp', url: camera.subUrl, transport: 'tcp', tls: 'verify' } as const } }),
    };
  };
  const read = (next: string) => {
    setOutcomes(reconcile({}));
    setText(next);
  };
  const add = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    await addEach(new Map(good().map((camera) => [camera.line, inputOf(camera)])), setOutcomes);
    setBusy(false);
    props.onAdded();
  };

  return (
    <form class="stack" onSubmit={(event) => void add(event)}>
      <section class="card">
        <p class="quiet">
          One camera a line: <code>name, address, sub address, user, password</code>. What stands after the address may
          be left out; a head line may give another order (<code>name, url, sub, username, password</code>).
        </p>
        <textarea
          name="list"
          rows="7"
          spellcheck={false}
          aria-label="List of cameras"
          placeholder={
            'Gate north, rtsp://10.0.0.21/stream1, rtsp://10.0.0.21/stream2\nGate south, rtsp://10.0.0.22/stream1'
          }
          value={text()}
          onInput={(event) => read(event.currentTarget.value)}
        />
        <div class="row">
          <label>
            or a CSV file
            <input
              type="file"
              accept=".csv,.txt,.tsv,text/csv,text/plain"
              onChange={(event) => {
                const file = event.currentTarget.files?.[0];
                if (file !== undefined && file.size <= fileBytesMax) void file.text().then(read);
              }}
            />
          </label>
          <label>
            User of all that have none
            <input
              name="all-user"
              autocomplete="off"
              value={username()}
              onInput={(event) => setUsername(event.currentTarget.value)}
            />
          </label>
          <label>
            Password
            <input
              name="all-password"
              type="password"
              autocomplete="new-password"
              value={password()}
              onInput={(event) => setPassword(event.currentTarget.value)}
            />
          </label>
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
        </div>
        <div class="title">
          <button type="submit" disabled={isBusy() || good().length === 0}>
            Add {good().length === 1 ? 'one camera' : `${good().length} cameras`}
          </button>
          <span class="quiet" role="status">
            <Show when={count('added') + count('refused') > 0}>
              {count('added')} added, {count('refused')} refused
            </Show>
            <Show when={cameras().length > csvCamerasMax}> Only the first {csvCamerasMax} are taken.</Show>
          </span>
        </div>
      </section>
      <Show when={cameras().length > 0}>
        <div class="frame scroll">
          <table>
            <thead>
              <tr>
                <th class="number">Line</th>
                <th>Name</th>
                <th>Address</th>
                <th>Sub address</th>
                <th>User</th>
                <th>Result</th>
              </tr>
            </thead>
            <tbody>
              <For each={cameras()}>
                {(camera) => (
                  <tr>
                    <td class="number quiet">{camera.line}</td>
                    <td>{camera.name}</td>
                    <td>
                      <code>{withoutLogin(camera.url)}</code>
                    </td>
                    <td>
                      <code>{withoutLogin(camera.subUrl)}</code>
                    </td>
                    <td>{camera.username || username()}</td>
                    <td>
                      <Show when={camera.fault} fallback={<OutcomeText outcome={outcomes[camera.line]} />}>
                        {(fault) => <span class="warning">{fault()}</span>}
                      </Show>
                    </td>
                  </tr>
                )}
              </For>
            </tbody>
          </table>
        </div>
      </Show>
    </form>
  );
}

/** Others may look at the screen. */
function withoutLogin(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//…@');
}
