/** What counts as an alarm, and where messages about it may go: read by operators, changed by administrators. */

import { createEffect, createMemo, createSignal, For, type JSX, on, Show } from 'solid-js';
import { type ApiFault, call, faultOf } from '../api.ts';
import { Fault, sentence } from '../fault.tsx';
import { ManagedBadge } from '../frame/managed.tsx';
import { createReading } from '../frame/reading.ts';
import { createMay } from '../frame/session.ts';
import {
  type AlarmLimits,
  type AlarmSettingsAnswer,
  addressChoices,
  changedLimits,
  faultBeside,
  type LimitName,
  limitText,
  limitWords,
} from './alarm-limits.ts';

const path = '/api/alarm-settings';
const names = Object.keys(limitWords) as LimitName[];

export function AlarmSettings(props: { readonly changed: number }) {
  const may = createMay();
  return (
    <Show when={may('system:read')}>
      <Card changed={props.changed} />
    </Show>
  );
}

function Card(props: { readonly changed: number }) {
  const may = createMay();
  const settings = createReading(() => call<AlarmSettingsAnswer>('GET', path), { changed: () => props.changed });
  return (
    <section class="card" aria-labelledby="alarm-settings">
      <div class="title">
        <h2 id="alarm-settings">What counts as an alarm</h2>
        <ManagedBadge site={settings.latest()?.managedBy ?? null} />
        <span class="grow" />
        <a class="link" href="#/alarms">
          Alarms that stand
        </a>
      </div>
      <Fault fault={settings.fault()} />
      <Show when={settings.latest()}>
        {(known) => (
          <Show when={may('alarms:configure')} fallback={<Facts known={known()} />}>
            <Form known={known()} onSaved={settings.set} />
          </Show>
        )}
      </Show>
    </section>
  );
}

/** For whoever may not change them. */
function Facts(props: { readonly known: AlarmSettingsAnswer }) {
  return (
    <>
      <div class="facts">
        <dl>
          <For each={names}>
            {(name) => (
              <>
                <dt>{limitWords[name].label}</dt>
                <dd>
                  {limitText(name, props.known)}. <span class="quiet">{limitWords[name].meaning}</span>
                </dd>
              </>
            )}
          </For>
        </dl>
      </div>
      <p class="quiet">Administrators change these.</p>
    </>
  );
}

function Form(props: { readonly known: AlarmSettingsAnswer; readonly onSaved: (answer: AlarmSettingsAnswer) => void }) {
  let gapInput: HTMLInputElement | undefined;
  const [gapMinutes, setGapMinutes] = createSignal(Number.NaN);
  const [addresses, setAddresses] = createSignal<AlarmLimits['webhookAddresses']>('site');
  const [fault, setFault] = createSignal<ApiFault>();
  const [isSaved, setSaved] = createSignal(false);
  /** Written to the element and not bound: a number that is half typed, `5.`, is none yet and would be wiped. */
  const fillGap = (minutes: number) => {
    setGapMinutes(minutes);
    if (gapInput !== undefined) gapInput.value = String(minutes);
  };
  // Each only when somebody changed it: what is half typed stays otherwise.
  createEffect(
    on(
      createMemo(() => props.known.gapMinutesPerDay),
      fillGap,
    ),
  );
  createEffect(
    on(
      createMemo(() => props.known.webhookAddresses),
      setAddresses,
    ),
  );
  const typed = (): AlarmLimits => ({ gapMinutesPerDay: gapMinutes(), webhookAddresses: addresses() });
  const isChanged = () => Object.keys(changedLimits(props.known, typed())).length > 0;
  const isDefault = () => Object.keys(changedLimits(props.known.defaults, typed())).length === 0;
  const touched = () => {
    setFault(undefined);
    setSaved(false);
  };
  const save = async (event: Event) => {
    event.preventDefault();
    touched();
    if (Number.isNaN(gapMinutes())) {
      setFault({ code: 'invalid_argument', message: 'a number belongs here', field: 'gapMinutesPerDay' });
      return;
    }
    try {
      props.onSaved(await call<AlarmSettingsAnswer>('PATCH', path, changedLimits(props.known, typed())));
      setSaved(true);
    } catch (error) {
      setFault(faultOf(error));
    }
  };
  const isBeside = () => names.some((name) => faultBeside(fault(), name) !== undefined);
  return (
    <form class="fields" noValidate onSubmit={(event) => void save(event)}>
      <Field name="gapMinutesPerDay" known={props.known} fault={fault()}>
        {(attributes) => (
          <input
            {...attributes}
            type="number"
            step="any"
            min="1"
            max="1440"
            ref={(element) => {
              gapInput = element;
            }}
            onInput={(event) => {
              touched();
              setGapMinutes(event.currentTarget.valueAsNumber);
            }}
          />
        )}
      </Field>
      <Field name="webhookAddresses" known={props.known} fault={fault()}>
        {(attributes) => (
          <select
            {...attributes}
            value={addresses()}
            onChange={(event) => {
              touched();
              setAddresses(event.currentTarget.value as AlarmLimits['webhookAddresses']);
            }}
          >
            <For each={Object.entries(addressChoices)}>{([value, text]) => <option value={value}>{text}</option>}</For>
          </select>
        )}
      </Field>
      <Show when={props.known.managedBy}>
        {(site) => (
          <p class="quiet">
            The site file "{site()}" manages these settings: change them there, since the next <code>weir apply</code>{' '}
            overwrites what is changed here.
          </p>
        )}
      </Show>
      <Fault fault={isBeside() ? undefined : fault()} />
      <div class="title">
        <button type="submit" disabled={!isChanged()}>
          Save
        </button>
        <button
          type="button"
          class="plain"
          disabled={isDefault()}
          onClick={() => {
            touched();
            fillGap(props.known.defaults.gapMinutesPerDay);
            setAddresses(props.known.defaults.webhookAddresses);
          }}
        >
          Defaults
        </button>
        <span class="quiet" role="status">
          {isSaved() ? 'Saved.' : isChanged() ? 'Not saved yet.' : ''}
        </span>
      </div>
    </form>
  );
}

/** What goes onto the control of a field, so that its words and its fault are read out with it. */
type FieldAttributes = {
  readonly id: string;
  readonly name: LimitName;
  readonly 'aria-describedby': string;
  readonly 'aria-invalid': boolean;
};

function Field(props: {
  readonly name: LimitName;
  readonly known: AlarmSettingsAnswer;
  readonly fault: ApiFault | undefined;
  readonly children: (attributes: FieldAttributes) => JSX.Element;
}) {
  const id = () => `limit-${props.name}`;
  const wrong = () => faultBeside(props.fault, props.name);
  return (
    <div class="field">
      <label for={id()}>{limitWords[props.name].label}</label>
      {props.children({
        get id() {
          return id();
        },
        get name() {
          return props.name;
        },
        get 'aria-describedby'() {
          return `${id()}-fault ${id()}-words`;
        },
        get 'aria-invalid'() {
          return wrong() !== undefined;
        },
      })}
      <p id={`${id()}-fault`} class="wrong" role="alert">
        {sentence(wrong() ?? '')}
      </p>
      <p id={`${id()}-words`} class="quiet">
        {limitWords[props.name].meaning} Default: {limitText(props.name, props.known.defaults)}.
      </p>
    </div>
  );
}
