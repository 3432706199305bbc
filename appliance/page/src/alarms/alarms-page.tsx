/** All alarms: those that stand, with room for a note, and below them those that are over. */

import { createEffect, createSignal, For, on, Show } from 'solid-js';
import { type ApiFault, call, faultOf } from '../api.ts';
import { Fault } from '../fault.tsx';
import { createReading } from '../frame/reading.ts';
import { createMay, createNow } from '../frame/session.ts';
import { AlarmCard } from './alarm-card.tsx';
import type { Alarm, AlarmPage, Alarms } from './alarms.ts';

const pageRows = 50;

export function AlarmsPage(props: { readonly alarms: Alarms }) {
  const may = createMay();
  const nowMs = createNow(10_000);
  const [older, setOlder] = createSignal<readonly Alarm[]>([]);
  const [next, setNext] = createSignal<string | null>(null);
  const [fault, setFault] = createSignal<ApiFault>();
  const read = (before?: string) =>
    call<AlarmPage>(
      'GET',
      `/api/alarms?state=past&limit=${pageRows}${before === undefined ? '' : `&before=${before}`}`,
    );
  const past = createReading(async () => {
    const page = await read();
    setOlder([]);
    setNext(page.next);
    return page.alarms;
  });
  // What stood a moment ago may be over now.
  createEffect(on(props.alarms.standing, past.again, { defer: true }));
  const noneText = () => {
    if (props.alarms.standing.loading) return 'Loading …';
    return props.alarms.standing.latest === undefined
      ? 'What is wrong cannot be read.'
      : 'Nothing is wrong that the appliance knows of.';
  };
  const readMore = async (before: string) => {
    try {
      const page = await read(before);
      setOlder((known) => [...known, ...page.alarms]);
      setNext(page.next);
    } catch (error) {
      setFault(faultOf(error));
    }
  };
  return (
    <>
      <div class="title">
        <h1>Alarms</h1>
        <span class="grow" />
        <Show when={may('system:read')}>
          <a class="link" href="#/settings/alarms">
            What counts as an alarm
          </a>
        </Show>
        <a class="link" href="/help" target="_blank" rel="noopener">
          Runbook
        </a>
      </div>
      <Fault fault={fault() ?? past.fault()} />
      <section class="stack" aria-label="Standing">
        <For each={props.alarms.standing.latest ?? []} fallback={<p class="card quiet">{noneText()}</p>}>
          {(alarm) => (
            <AlarmCard
              alarm={alarm}
              nowMs={nowMs()}
              isNoteOffered
              onAcknowledge={may('alarms:acknowledge') ? (note) => props.alarms.acknowledge(alarm.id, note) : undefined}
            />
          )}
        </For>
      </section>
      <h2>Past alarms</h2>
      <section class="stack past" aria-label="Past">
        <For
          each={[...(past.latest() ?? []), ...older()]}
          fallback={<p class="quiet">{past.isReading() ? 'Loading …' : 'None so far.'}</p>}
        >
          {(alarm) => <AlarmCard alarm={alarm} nowMs={nowMs()} onAcknowledge={undefined} />}
        </For>
      </section>
      <Show when={next()}>
        {(before) => (
          <button type="button" class="second start" onClick={() => void readMore(before())}>
            Older ones
          </button>
        )}
      </Show>
    </>
  );
}
