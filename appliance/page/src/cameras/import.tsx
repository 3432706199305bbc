/** Files that become footage of a camera: chosen, sent, and followed until each is in. */

import { createResource, createSignal, For, onCleanup, Show } from 'solid-js';
import { ApiError, type ApiFault, type Camera, call, faultOf } from '../api.ts';
import { Fault, sentence } from '../fault.tsx';
import { bytesText, dayTimeText, durationText } from '../format.ts';
import { createMay } from '../frame/session.ts';

type Import = {
  readonly id: string;
  readonly name: string;
  readonly state: 'waiting' | 'running' | 'done' | 'partial' | 'failed' | 'cancelled';
  readonly fileBytes: number;
  readonly durationMs: number | null;
  readonly mediaMs: number;
  readonly beginMs: number | null;
  readonly endMs: number | null;
  readonly alreadyThere: number;
  readonly skipped: number;
  readonly notes: readonly string[];
  readonly fault: { readonly message: string; readonly hint: string | null } | null;
  readonly remainingMs: number | null;
};

const readPeriodMs = 1_000;

export function ImportFiles(props: { readonly camera: Camera }) {
  const may = createMay();
  const [file, setFile] = createSignal<File>();
  const [at, setAt] = createSignal('');
  const [isFileTime, setFileTime] = createSignal(false);
  const [isSkipping, setSkipping] = createSignal(false);
  const [isKept, setKept] = createSignal(false);
  const [sentShare, setSentShare] = createSignal<number>();
  const [fault, setFault] = createSignal<ApiFault>();
  let upload: XMLHttpRequest | undefined;

  const base = () => `/api/cameras/${props.camera.id}/imports`;
  const [imports, { refetch }] = createResource(
    base,
    async (path) => (await call<{ imports: Import[] }>('GET', path)).imports,
  );
  const known = () => (imports.state === 'errored' ? [] : (imports.latest ?? []));
  const isUnderWay = () => known().some(({ state }) => state === 'waiting' || state === 'running');
  const timer = setInterval(() => {
    if (isUnderWay() || sentShare() !== undefined) void refetch();
  }, readPeriodMs);
  onCleanup(() => {
    clearInterval(timer);
    upload?.abort();
  });

  const send = async (event: Event) => {
    event.preventDefault();
    const chosen = file();
    if (chosen === undefined) return;
    setFault(undefined);
    setSentShare(0);
    const query = new URLSearchParams({
      at: isFileTime() ? 'file' : String(new Date(at()).getTime()),
      name: chosen.name,
      skipExisting: String(isSkipping()),
      keep: String(isKept()),
    });
    try {
      upload = new XMLHttpRequest();
      await sendFile(upload, { path: `${base()}?${query}`, file: chosen, onProgress: setSentShare });
      setFile(undefined);
    } catch (error) {
      setFault(faultOf(error));
    } finally {
      setSentShare(undefined);
      void refetch();
    }
  };
  const cancel = async (id: string) => {
    try {
      await call('DELETE', `${base()}/${id}`);
    } catch (error) {
      setFault(faultOf(error));
    }
    void refetch();
  };

  return (
    <div class="columns">
      <Show when={may('streams:import')} fallback={<p class="card quiet">Imports are for operators.</p>}>
        <form class="card" onSubmit={(event) => void send(event)}>
          <h2>Import a file</h2>
          <label>
            MP4, MKV or MPEG-TS
            <input
              name="import-file"
              type="file"
              accept="video/*,.mkv,.ts,.mts"
              required
              onChange={(event) => setFile(event.currentTarget.files?.[0])}
            />
          </label>
          <div class="row">
            <label>
              First picture was taken at
              <input
                name="import-at"
                type="datetime-local"
                step="1"
                required={!isFileTime()}
                disabled={isFileTime()}
                value={at()}
                onInput={(event) => setAt(event.currentTarget.value)}
              />
            </label>
            <label class="check">
              <input
                type="checkbox"
                checked={isFileTime()}
                onChange={(event) => setFileTime(event.currentTarget.checked)}
              />
              as the file says
            </label>
          </div>
          <label class="check">
            <input
              type="checkbox"
              checked={isSkipping()}
              onChange={(event) => setSkipping(event.currentTarget.checked)}
            />
            Pass over times at which there is footage already, instead of refusing the file
          </label>
          <Show when={may('holds:create')}>
            <label class="check">
              <input type="checkbox" checked={isKept()} onChange={(event) => setKept(event.currentTarget.checked)} />
              Keep it from deletion, also when it is older than the camera keeps
            </label>
          </Show>
          <Fault fault={fault()} />
          <div class="title">
            <button type="submit" disabled={sentShare() !== undefined}>
              Import
            </button>
            <Show when={sentShare() !== undefined}>
              <progress class="grow" max="1" value={sentShare()} aria-label="Sent" />
              <button type="button" class="plain small" onClick={() => upload?.abort()}>
                Cancel
              </button>
            </Show>
          </div>
        </form>
      </Show>
      <section class="card">
        <h2>Imports since the last start</h2>
        <For each={known()} fallback={<p class="quiet">None.</p>}>
          {(one) => <ImportLine of={one} onCancel={() => void cancel(one.id)} />}
        </For>
      </section>
    </div>
  );
}

function ImportLine(props: { readonly of: Import; readonly onCancel: () => void }) {
  const isUnderWay = () => props.of.state === 'waiting' || props.of.state === 'running';
  return (
    <div class="stack">
      <div class="title">
        <strong>{props.of.name === '' ? 'a file' : props.of.name}</strong>
        <span class={`badge ${props.of.state === 'failed' ? 'stopped' : props.of.state === 'done' ? 'recording' : ''}`}>
          {props.of.state}
        </span>
        <span class="quiet">{bytesText(props.of.fileBytes)}</span>
        <span class="grow" />
        <Show when={isUnderWay()}>
          <button type="button" class="plain small" onClick={() => props.onCancel()}>
            Cancel
          </button>
        </Show>
      </div>
      <Show when={isUnderWay()}>
        <progress max={props.of.durationMs ?? 1} value={props.of.durationMs === null ? undefined : props.of.mediaMs} />
      </Show>
      <span class="quiet">
        <Show when={props.of.beginMs}>
          {(beginMs) => (
            <>
              {dayTimeText(beginMs())} to {dayTimeText(props.of.endMs ?? beginMs())}.{' '}
            </>
          )}
        </Show>
        <Show when={isUnderWay() && props.of.remainingMs}>{(ms) => <>{durationText(ms())} to go. </>}</Show>
        {props.of.notes.map(sentence).join(' ')}
      </span>
      <Show when={props.of.fault}>
        {(fault) => (
          <span class="warning">
            {sentence(fault().message)} <Show when={fault().hint}>{(hint) => <>{sentence(hint())}</>}</Show>
          </span>
        )}
      </Show>
    </div>
  );
}

/** `fetch` does not tell how much was sent. @throws ApiError  refused, broken off or cancelled */
function sendFile(
  request: XMLHttpRequest,
  {
    path,
    file,
    onProgress,
  }: { readonly path: string; readonly file: File; readonly onProgress: (share: number) => void },
): Promise<void> {
  return new Promise((resolve, reject) => {
    request.open('POST', path);
    request.setRequestHeader('content-type', file.type === '' ? 'application/octet-stream' : file.type);
    request.upload.onprogress = ({ loaded, total }) => onProgress(total === 0 ? 0 : loaded / total);
    const broken = (message: string) => () => reject(new ApiError(0, { code: 'cancelled', message }));
    request.onabort = broken('the upload was cancelled');
    request.onerror = broken('the upload broke off');
    request.onload = () => {
      if (request.status < 300) return resolve();
      const fault = faultIn(request.responseText);
      reject(
        new ApiError(request.status, fault ?? { code: 'internal', message: `refused with status ${request.status}` }),
      );
    };
    request.send(file);
  });
}

function faultIn(text: string): ApiFault | undefined {
  try {
    return (JSON.parse(text) as { error?: ApiFault }).error;
  } catch {
    return undefined;
  }
}
