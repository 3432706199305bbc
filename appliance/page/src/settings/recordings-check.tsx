/** The check of all recordings: begun and ended here, read every few seconds while it runs. */

import { createEffect, createResource, createSignal, For, onCleanup, Show } from 'solid-js';
import { type ApiFault, call, faultOf } from '../api.ts';
import { Fault, sentence } from '../fault.tsx';
import { dayTimeText, longText } from '../format.ts';

type Level = 'presence' | 'size' | 'hash';
type Check = {
  readonly state: 'none' | 'running' | 'done' | 'failed' | 'cancelled';
  readonly level: Level | null;
  readonly startedMs: number | null;
  readonly endedMs: number | null;
  readonly progress: { readonly done: number; readonly total: number; readonly findings: number } | null;
  readonly result: {
    readonly segments: number;
    readonly skipped: readonly string[];
    readonly findingCount: number;
    readonly findings: readonly {
      readonly severity: 'alarm' | 'warning';
      readonly what: string;
      readonly where: string;
      readonly hint: string;
    }[];
  } | null;
  readonly fault: ApiFault | null;
};

const levels: readonly { readonly level: Level; readonly text: string }[] = [
  { level: 'presence', text: 'Every file is there (quick)' },
  { level: 'size', text: '… and is as long as it should be' },
  { level: 'hash', text: '… and has every byte it had (slow)' },
];
const readPeriodMs = 2_000;
const findingsShownMax = 20;
const path = '/api/system/check';

export function RecordingsCheck() {
  const [check, { refetch, mutate }] = createResource(() => call<Check>('GET', path));
  const [level, setLevel] = createSignal<Level>('size');
  const [fault, setFault] = createSignal<ApiFault>();
  const known = () => (check.state === 'errored' ? undefined : check.latest);
  const isRunning = () => known()?.state === 'running';
  createEffect(() => {
    if (!isRunning()) return;
    const timer = setInterval(() => !document.hidden && void refetch(), readPeriodMs);
    onCleanup(() => clearInterval(timer));
  });
  const attempt = async (work: () => Promise<unknown>) => {
    setFault(undefined);
    try {
      await work();
    } catch (error) {
      setFault(faultOf(error));
    }
  };
  const begin = () => attempt(async () => mutate(await call<Check>('POST', path, { level: level() })));
  const end = () =>
    attempt(async () => {
      await call('DELETE', path);
      await refetch();
    });
  return (
    <section class="card">
      <h2>Check of all recordings</h2>
      <p class="quiet">Compares what should be stored with what lies on the disks. It only reads; recording goes on.</p>
      <div class="title">
        <select
          aria-label="How thoroughly"
          disabled={isRunning()}
          value={level()}
          onChange={(event) => setLevel(event.currentTarget.value as Level)}
        >
          <For each={levels}>{(one) => <option value={one.level}>{one.text}</option>}</For>
        </select>
        <Show
          when={isRunning()}
          fallback={
            <button type="button" class="second" onClick={() => void begin()}>
              Begin
            </button>
          }
        >
          <button type="button" class="second" onClick={() => void end()}>
            Stop
          </button>
        </Show>
      </div>
      <Show when={isRunning() && known()?.progress}>
        {(progress) => (
          <progress aria-label="How far the check is" max={Math.max(1, progress().total)} value={progress().done} />
        )}
      </Show>
      <Show when={known()}>
        {(one) => (
          <p role="status" class={one().result?.findingCount === 0 ? 'good' : 'quiet'}>
            {statusText(one())}
          </p>
        )}
      </Show>
      <Fault fault={fault() ?? known()?.fault ?? (check.error === undefined ? undefined : faultOf(check.error))} />
      <For each={known()?.result?.skipped}>{(what) => <p class="warning">Not looked at: {sentence(what)}</p>}</For>
      <ul class="plainlist findings">
        <For each={known()?.result?.findings.slice(0, findingsShownMax)}>
          {(finding) => (
            <li>
              <span>
                <span class={`badge ${finding.severity === 'alarm' ? 'stopped' : 'retrying'}`}>
                  {finding.severity === 'alarm' ? 'wrong' : 'doubtful'}
                </span>
              </span>
              <div>
                <strong>{sentence(finding.what)}</strong>
                <div>
                  <code>{finding.where}</code>
                </div>
                <div class="quiet">{sentence(finding.hint)}</div>
              </div>
            </li>
          )}
        </For>
      </ul>
      <Show when={(known()?.result?.findingCount ?? 0) > findingsShownMax}>
        <p class="quiet">and {(known()?.result?.findingCount ?? 0) - findingsShownMax} more: see `weir check`</p>
      </Show>
    </section>
  );
}

function statusText({ state, startedMs, endedMs, progress, result }: Check): string {
  if (state === 'none') return 'None since the last start.';
  if (state === 'running') {
    if (progress === null) return 'It begins …';
    return `${progress.done.toLocaleString()} of about ${progress.total.toLocaleString()}, ${foundText(progress.findings)} so far.`;
  }
  if (state === 'cancelled') return 'The last one was stopped.';
  if (result === null) return 'The last one did not come to an end.';
  const lastedMs = startedMs === null || endedMs === null ? 0 : endedMs - startedMs;
  const what = `${result.segments.toLocaleString()} files looked at in ${longText(lastedMs)}, ${foundText(result.findingCount)}.`;
  return endedMs === null ? what : `${dayTimeText(endedMs)}: ${what}`;
}

function foundText(count: number): string {
  if (count === 0) return 'nothing wrong';
  return count === 1 ? 'one thing wrong' : `${count.toLocaleString()} things wrong`;
}
