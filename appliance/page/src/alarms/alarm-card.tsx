/** One alarm: what, whom, since when, what to do, and who knows of it. */

import { createSignal, For, Show } from 'solid-js';
import { type ApiFault, faultOf } from '../api.ts';
import { Fault, sentence } from '../fault.tsx';
import { dayTimeText, longText } from '../format.ts';
import { cameraAddress } from '../route.ts';
import type { Alarm } from './alarms.ts';

/** More subjects than this are folded: forty cameras behind one dead switch are one alarm. */
const openSubjectsMax = 4;

export function AlarmCard(props: {
  readonly alarm: Alarm;
  readonly nowMs: number;
  /** Undefined: this person may not. */
  readonly onAcknowledge: ((note: string | null) => Promise<unknown>) | undefined;
  readonly isNoteOffered?: boolean;
}) {
  const [note, setNote] = createSignal('');
  const [isBusy, setBusy] = createSignal(false);
  const [fault, setFault] = createSignal<ApiFault>();
  const endMs = () => props.alarm.clearedMs ?? props.nowMs;
  const acknowledge = async () => {
    setBusy(true);
    setFault(undefined);
    try {
      await props.onAcknowledge?.(note().trim() || null);
    } catch (error) {
      setFault(faultOf(error));
    } finally {
      setBusy(false);
    }
  };
  const first = () => props.alarm.subjects.slice(0, openSubjectsMax);
  const rest = () => props.alarm.subjects.slice(openSubjectsMax);
  return (
    <article class={`alarm ${props.alarm.severity}`} classList={{ known: props.alarm.acknowledged !== null }}>
      <div class="head">
        <span class="severity">{props.alarm.severity}</span>
        <strong>{sentence(props.alarm.title)}</strong>
        <span class="grow" />
        <span class="quiet" title={dayTimeText(props.alarm.sinceMs)}>
          {props.alarm.clearedMs === null ? 'for ' : 'lasted '}
          {longText(Math.max(0, endMs() - props.alarm.sinceMs))}
        </span>
      </div>
      <ul class="subjects">
        <Subjects alarm={props.alarm} subjects={first()} />
      </ul>
      <Show when={rest().length > 0}>
        <details>
          <summary>and {rest().length} more</summary>
          <ul class="subjects">
            <Subjects alarm={props.alarm} subjects={rest()} />
          </ul>
        </details>
      </Show>
      <div class="foot">
        <span class="quiet">
          {dayTimeText(props.alarm.sinceMs)}
          <Show when={props.alarm.clearedMs}>{(atMs) => <> to {dayTimeText(atMs())}</>}</Show>
          <Show when={props.alarm.acknowledged}>
            {(known) => (
              <>
                {' · '}known to {known().by}
                <Show when={known().note}>{(text) => <>: {text()}</>}</Show>
              </>
            )}
          </Show>
        </span>
        <span class="grow" />
        <a class="link" href={props.alarm.help} target="_blank" rel="noopener">
          What to do
        </a>
        <Show when={props.onAcknowledge !== undefined && props.alarm.acknowledged === null}>
          <Show when={props.isNoteOffered}>
            <input
              class="small"
              aria-label="Note"
              placeholder="Note, if any"
              maxlength="500"
              value={note()}
              onInput={(event) => setNote(event.currentTarget.value)}
            />
          </Show>
          <button type="button" class="second small" disabled={isBusy()} onClick={() => void acknowledge()}>
            Acknowledge
          </button>
        </Show>
      </div>
      <Fault fault={fault()} />
    </article>
  );
}

function Subjects(props: { readonly alarm: Alarm; readonly subjects: Alarm['subjects'] }) {
  return (
    <For each={props.subjects}>
      {(subject) => (
        <li>
          <Show when={subject.kind === 'camera'} fallback={<span>{subject.name}</span>}>
            <a class="link" href={cameraAddress(subject.id)}>
              {subject.name}
            </a>
          </Show>
          <span class="quiet">
            {sentence(subject.text)} <Show when={subject.hint}>{(hint) => <>{sentence(hint())}</>}</Show>
            <Show when={props.alarm.state === 'standing' && subject.clearedMs !== null}> Well again.</Show>
          </span>
        </li>
      )}
    </For>
  );
}
