/** Many cameras from a list: pasted or read from a file. What would become of each is shown before anything is added. */

import { createResource, createSignal, For, Match, onCleanup, Show, Switch } from 'solid-js';
import { type ApiFault, call, faultOf } from '../api.ts';
import { Fault, sentence } from '../fault.tsx';
import { cameraAddress } from '../route.ts';
import { LoginFields, noLogin } from './login-fields.tsx';

type Result = {
  readonly line: number;
  readonly name: string;
  /** Without user and password. */
  readonly url: string;
  readonly result: 'added' | 'exists' | 'refused';
  readonly cameraId: string | null;
  readonly message: string | null;
  readonly hint: string | null;
};

const restMs = 400;
const fileBytesMax = 1_000_000;
/** Of a list that names none. */
const columns = 'name,url,sub_url,username,password';

export function AddMany(props: { readonly onAdded: () => void }) {
  const [text, setText] = createSignal('');
  const [login, setLogin] = createSignal(noLogin);
  const [results, setResults] = createSignal<readonly Result[]>();
  const [isBusy, setBusy] = createSignal(false);
  const [fault, setFault] = createSignal<ApiFault>();
  const [looked, setLooked] = createSignal('');
  let timer: ReturnType<typeof setTimeout> | undefined;
  onCleanup(() => clearTimeout(timer));

  const isHeadMissing = () => /^[^\n]*rtsps?:\/\//i.test(looked());
  const ask = (isDryRun: boolean) =>
    call<{ results: Result[] }>('POST', '/api/cameras/bulk', {
      csv: isHeadMissing() ? `${headFor(looked())}\n${looked()}` : looked(),
      ...(login().username === '' ? {} : { credentials: login() }),
      isDryRun,
    });
  /** Nothing is added by it. */
  const [preview] = createResource(
    () => (looked().trim() === '' ? undefined : looked()),
    async () => (await ask(true)).results,
  );
  const write = (next: string) => {
    setText(next);
    setResults(undefined);
    setFault(undefined);
    clearTimeout(timer);
    timer = setTimeout(() => setLooked(next), restMs);
  };
  const previewed = () =>
    text().trim() === '' || preview.state === 'errored' || preview.state === 'unresolved' ? [] : (preview.latest ?? []);
  const shown = () => results() ?? previewed();
  const toAdd = () => (results() === undefined ? previewed().filter(({ result }) => result === 'added').length : 0);
  const count = (result: Result['result']) => shown().filter((one) => one.result === result).length;
  const add = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setFault(undefined);
    try {
      setResults((await ask(false)).results);
    } catch (error) {
      setFault(faultOf(error));
    } finally {
      setBusy(false);
    }
    props.onAdded();
  };
  const lineOf = ({ line }: Result) => (isHeadMissing() ? line - 1 : line);

  return (
    <form class="stack" onSubmit={(event) => void add(event)}>
      <section class="card">
        <p class="quiet">
          One camera a line: <code>{columns.replaceAll(',', ', ')}</code>. What stands after the address may be left
          out; a first line with the names of columns gives another order, and may add <code>transport</code>,{' '}
          <code>tls</code>, <code>mode</code>, <code>retention_hours</code> and <code>onvif_url</code>.
        </p>
        <textarea
          name="list"
          rows="7"
          spellcheck={false}
          aria-label="List of cameras"
          placeholder={
            'Gate north,rtsp://10.0.0.21/stream1,rtsp://10.0.0.21/stream2\nGate south,rtsp://10.0.0.22/stream1'
          }
          value={text()}
          onInput={(event) => write(event.currentTarget.value)}
        />
        <div class="row">
          <label>
            or a CSV file
            <input
              type="file"
              accept=".csv,.txt,text/csv,text/plain"
              onChange={(event) => {
                const file = event.currentTarget.files?.[0];
                if (file === undefined) return;
                if (file.size <= fileBytesMax) void file.text().then(write);
                else setFault({ code: 'invalid_argument', message: 'the file is too large for a list of cameras' });
              }}
            />
          </label>
          <LoginFields name="all" userLabel="User of all that have none" login={login()} onChange={setLogin} />
        </div>
        <Fault fault={fault() ?? (preview.error === undefined ? undefined : faultOf(preview.error))} />
        <div class="title">
          <button type="submit" disabled={isBusy() || preview.loading || toAdd() === 0}>
            {isBusy() ? 'Adding …' : `Add ${toAdd() === 1 ? 'one camera' : `${toAdd()} cameras`}`}
          </button>
          <span class="quiet" role="status">
            <Show when={results()}>
              {count('added')} added, {count('exists')} there already, {count('refused')} refused
            </Show>
          </span>
        </div>
      </section>
      <Show when={shown().length > 0}>
        <div class="frame scroll">
          <table>
            <thead>
              <tr>
                <th class="number">Line</th>
                <th>Name</th>
                <th>Address</th>
                <th>Result</th>
              </tr>
            </thead>
            <tbody>
              <For each={shown()}>
                {(one) => (
                  <tr>
                    <td class="number quiet">{lineOf(one)}</td>
                    <td class="name">{one.name}</td>
                    <td>
                      <code>{one.url}</code>
                    </td>
                    <td>
                      <ResultText result={one} isDone={results() !== undefined} />
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

/** With the separator that the list itself has. */
function headFor(list: string): string {
  const first = list.slice(0, list.search(/\n|$/));
  return first.includes(';') && !first.includes(',') ? columns.replaceAll(',', ';') : columns;
}

function ResultText(props: { readonly result: Result; readonly isDone: boolean }) {
  return (
    <Switch>
      <Match when={props.result.result === 'refused'}>
        <span class="warning">
          {sentence(props.result.message ?? 'refused')}{' '}
          <Show when={props.result.hint}>{(hint) => <>{sentence(hint())}</>}</Show>
        </span>
      </Match>
      <Match when={!props.isDone && props.result.result === 'added'}>
        <span class="quiet">will be added</span>
      </Match>
      <Match when={props.result.cameraId}>
        {(cameraId) => (
          <a class="link" href={cameraAddress(cameraId())}>
            {props.result.result === 'added' ? 'added' : 'there already'}
          </a>
        )}
      </Match>
    </Switch>
  );
}
