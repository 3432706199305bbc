/** What must stay whatever its age and however full the disk: who said so, why, and until when. */

import { createEffect, createResource, createSignal, For, on, Show } from 'solid-js';
import { type ApiFault, type Camera, call, faultOf } from '../api.ts';
import { Fault } from '../fault.tsx';
import { dayTimeText } from '../format.ts';
import { AskedTwice } from '../frame/asked-twice.tsx';
import { createDeepSignal } from '../frame/deep-signal.ts';
import { createMay } from '../frame/session.ts';
import type { StoredStream } from './system.ts';

type Hold = {
  readonly id: string;
  readonly streamId: string | null;
  readonly beginMs: number;
  readonly endMs: number | null;
  readonly who: string;
  readonly reason: string;
  readonly untilMs: number | null;
  readonly createdMs: number;
  readonly releasedMs: number | null;
  readonly releasedBy: string | null;
  readonly isActive: boolean;
};

export function Holds(props: {
  readonly cameras: readonly Camera[];
  readonly streams: readonly StoredStream[];
  readonly nowMs: number;
  /** Grows when holds were changed by anybody. */
  readonly changed: number;
}) {
  const may = createMay();
  const [holds, { refetch }] = createResource(async () => (await call<{ holds: Hold[] }>('GET', '/api/holds')).holds, {
    storage: createDeepSignal,
  });
  createEffect(
    on(
      () => props.changed,
      () => void refetch(),
      { defer: true },
    ),
  );
  const [isPastShown, setPastShown] = createSignal(false);
  const [releasing, setReleasing] = createSignal<string>();
  const [fault, setFault] = createSignal<ApiFault>();
  const shown = () => (holds.latest ?? []).filter((hold) => hold.isActive || isPastShown());
  const past = () => (holds.latest ?? []).filter((hold) => !hold.isActive).length;
  const nameOf = (streamId: string | null) => {
    if (streamId === null) return 'all cameras';
    const stream = props.streams.find(({ id }) => id === streamId);
    return stream === undefined
      ? streamId
      : `${stream.cameraName ?? stream.name}${stream.role === 'sub' ? ', sub' : ''}`;
  };
  const release = async (holdId: string) => {
    setFault(undefined);
    try {
      await call('DELETE', `/api/holds/${holdId}`);
      setReleasing(undefined);
    } catch (error) {
      setFault(faultOf(error));
    }
    void refetch();
  };
  return (
    <section class="stack">
      <div class="title">
        <h2>Kept from deletion</h2>
        <Show when={past() > 0}>
          <label class="check">
            <input
              type="checkbox"
              checked={isPastShown()}
              onChange={(event) => setPastShown(event.currentTarget.checked)}
            />
            also the {past()} that are over
          </label>
        </Show>
      </div>
      <Fault fault={fault() ?? (holds.error === undefined ? undefined : faultOf(holds.error))} />
      <Show
        when={shown().length > 0}
        fallback={<p class="quiet">Nothing. On a camera's timeline, drag over what has to stay.</p>}
      >
        <div class="frame scroll">
          <table>
            <thead>
              <tr>
                <th>Camera</th>
                <th>From</th>
                <th>To</th>
                <th>Why</th>
                <th>Who</th>
                <th>Until</th>
                <th />
              </tr>
            </thead>
            <tbody>
              <For each={shown()}>
                {(hold) => (
                  <tr classList={{ quiet: !hold.isActive }}>
                    <td class="name">{nameOf(hold.streamId)}</td>
                    <td>{dayTimeText(hold.beginMs)}</td>
                    <td>{hold.endMs === null ? 'on and on' : dayTimeText(hold.endMs)}</td>
                    <td>{hold.reason}</td>
                    <td>{hold.who}</td>
                    <td>
                      <Show
                        when={hold.releasedMs}
                        fallback={hold.untilMs === null ? 'it is released' : dayTimeText(hold.untilMs)}
                      >
                        {(atMs) => (
                          <>
                            released {dayTimeText(atMs())} by {hold.releasedBy}
                          </>
                        )}
                      </Show>
                    </td>
                    <td class="number">
                      <Show when={hold.isActive && may('holds:delete')}>
                        <AskedTwice
                          word="Release"
                          kind="second"
                          isAsked={releasing() === hold.id}
                          onAsk={() => setReleasing(hold.id)}
                          onSure={() => void release(hold.id)}
                        />
                      </Show>
                    </td>
                  </tr>
                )}
              </For>
            </tbody>
          </table>
        </div>
      </Show>
      <Show when={may('holds:create')}>
        <NewHold cameras={props.cameras} onAdded={() => void refetch()} />
      </Show>
    </section>
  );
}

function NewHold(props: { readonly cameras: readonly Camera[]; readonly onAdded: () => void }) {
  const [streamId, setStreamId] = createSignal('');
  const [begin, setBegin] = createSignal('');
  const [end, setEnd] = createSignal('');
  const [reason, setReason] = createSignal('');
  const [fault, setFault] = createSignal<ApiFault>();
  const time = (text: string) => new Date(text).getTime();
  const add = async (event: Event) => {
    event.preventDefault();
    setFault(undefined);
    try {
      await call('POST', '/api/holds', {
        streamId: streamId() === '' ? null : streamId(),
        begin: time(begin()),
        ...(end() === '' ? {} : { end: time(end()) }),
        reason: reason(),
      });
      setReason('');
      props.onAdded();
    } catch (error) {
      setFault(faultOf(error));
    }
  };
  return (
    <details>
      <summary class="quiet">Keep something else</summary>
      <form class="card" onSubmit={(event) => void add(event)}>
        <div class="row">
          <label>
            Camera
            <select value={streamId()} onChange={(event) => setStreamId(event.currentTarget.value)}>
              <option value="">all cameras</option>
              <For each={props.cameras}>{(camera) => <option value={camera.streams[0]?.id}>{camera.name}</option>}</For>
            </select>
          </label>
          <label>
            From
            <input
              type="datetime-local"
              required
              value={begin()}
              onInput={(event) => setBegin(event.currentTarget.value)}
            />
          </label>
          <label>
            To, or on and on
            <input type="datetime-local" value={end()} onInput={(event) => setEnd(event.currentTarget.value)} />
          </label>
          <label>
            Why
            <input
              required
              minlength="3"
              maxlength="500"
              value={reason()}
              onInput={(event) => setReason(event.currentTarget.value)}
            />
          </label>
          <button type="submit" class="second">
            Keep
          </button>
        </div>
        <Fault fault={fault()} />
      </form>
    </details>
  );
}
