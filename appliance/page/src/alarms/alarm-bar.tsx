/** Alarms on every page: one button in the bar that says the worst, and a list below it. It is always there, so nothing jumps. */

import { createMemo, For, onCleanup, Show } from 'solid-js';
import type { Camera } from '../api.ts';
import type { Events } from '../events.ts';
import { sentence } from '../fault.tsx';
import { clockText } from '../format.ts';
import { createMay, createNow } from '../frame/session.ts';
import { AlarmCard } from './alarm-card.tsx';
import type { Alarm, Alarms } from './alarms.ts';
import { allBackSinceMs } from './back.ts';

const shownMax = 20;

export function AlarmBar(props: {
  readonly alarms: Alarms;
  readonly cameras: readonly Camera[];
  readonly events: Events;
}) {
  const may = createMay();
  const nowMs = createNow(10_000);
  let list: HTMLElement | undefined;
  const hide = () => list?.hidePopover();
  addEventListener('hashchange', hide);
  onCleanup(() => removeEventListener('hashchange', hide));
  const all = () => props.alarms.standing.latest ?? [];
  const open = createMemo(() => all().filter((alarm) => alarm.acknowledged === null));
  const backMs = (alarm: Alarm) => allBackSinceMs(alarm, props.cameras, props.events.states);
  const worst = createMemo(() => open().find((alarm) => backMs(alarm) === undefined));
  const text = () => {
    const first = worst();
    if (first !== undefined) return sentence(first.title).replace(/\.$/, '');
    const [back] = open();
    if (back !== undefined) return backText(back, backMs(back) ?? 0);
    return all().length === 0 ? 'No alarms' : 'Alarms, all known';
  };
  return (
    <Show when={props.alarms.standing.latest !== undefined}>
      <button
        type="button"
        class={`alarmbar ${worst()?.severity ?? (all().length === 0 ? 'well' : 'known')}`}
        popovertarget="alarms"
        aria-label={`${all().length} alarms: ${text()}`}
      >
        <span class="count">{all().length}</span>
        <span class="words">{text()}</span>
      </button>
      <section
        id="alarms"
        class="alarmlist"
        popover
        aria-label="Alarms"
        ref={(element) => {
          list = element;
        }}
      >
        <Show when={all().length === 0}>
          <p class="quiet">Nothing is wrong that the appliance knows of.</p>
        </Show>
        <For each={all().slice(0, shownMax)}>
          {(alarm) => (
            <AlarmCard
              alarm={alarm}
              nowMs={nowMs()}
              onAcknowledge={may('alarms:acknowledge') ? (note) => props.alarms.acknowledge(alarm.id, note) : undefined}
            />
          )}
        </For>
        <a class="link" href="#/alarms">
          All alarms, also past ones
        </a>
      </section>
    </Show>
  );
}

function backText({ subjects }: Alarm, sinceMs: number): string {
  const ill = subjects.filter(({ clearedMs }) => clearedMs === null);
  const who = ill.length === 1 ? `${ill[0]?.name} was` : `${ill.length} cameras were`;
  return `${who} away, back since ${clockText(sinceMs)}`;
}
