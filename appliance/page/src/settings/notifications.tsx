/** Whom the appliance tells of alarms: webhooks with a test and their log, and the heartbeat that others watch. */

import { createSignal, For, Show } from 'solid-js';
import type { Severity } from '../alarms/alarms.ts';
import { type ApiFault, call, faultOf } from '../api.ts';
import { Copied } from '../cameras/stream-key.tsx';
import { Fault } from '../fault.tsx';
import { dayTimeText } from '../format.ts';
import { AskedTwice } from '../frame/asked-twice.tsx';
import { createReading } from '../frame/reading.ts';
import { createMay } from '../frame/session.ts';
import { HeartbeatCard } from './heartbeat.tsx';

type Webhook = {
  readonly id: string;
  readonly name: string;
  readonly origin: string;
  readonly tls: 'verify' | 'any';
  readonly severityMin: Severity;
  readonly isEnabled: boolean;
  readonly waiting: number;
  readonly oldestWaitingMs: number | null;
};
type Delivery = {
  readonly sequence: number;
  readonly id: string;
  readonly event: string;
  readonly createdMs: number;
  readonly state: 'waiting' | 'delivered' | 'given-up';
  readonly attempts: number;
  readonly nextAttemptMs: number | null;
  readonly status: number | null;
  readonly durationMs: number | null;
  readonly error: string | null;
};
type TestAnswer = {
  readonly ok: boolean;
  readonly status: number | null;
  readonly durationMs: number;
  readonly error: string | null;
};

const severities: readonly { readonly severity: Severity; readonly text: string }[] = [
  { severity: 'info', text: 'all' },
  { severity: 'warning', text: 'warnings and worse' },
  { severity: 'error', text: 'errors and worse' },
  { severity: 'critical', text: 'critical ones only' },
];

export function Notifications(props: { readonly changed: number }) {
  const may = createMay();
  return (
    <Show when={may('webhooks:read')}>
      <Webhooks changed={props.changed} />
      <HeartbeatCard changed={props.changed} />
    </Show>
  );
}

function Webhooks(props: { readonly changed: number }) {
  const may = createMay();
  const webhooks = createReading(async () => (await call<{ webhooks: Webhook[] }>('GET', '/api/webhooks')).webhooks, {
    changed: () => props.changed,
    isInPlace: true,
  });
  return (
    <section class="stack">
      <h2>Webhooks</h2>
      <p class="quiet">
        Each alarm is sent as signed JSON when it is raised, becomes worse, is acknowledged and is over; again and again
        until it is taken.
      </p>
      <Fault fault={webhooks.fault()} />
      <For each={webhooks.latest()}>{(webhook) => <WebhookCard webhook={webhook} onChanged={webhooks.again} />}</For>
      <Show when={may('webhooks:create')}>
        <NewWebhook onMade={webhooks.again} />
      </Show>
    </section>
  );
}

function WebhookCard(props: { readonly webhook: Webhook; readonly onChanged: () => void }) {
  const may = createMay();
  const [test, setTest] = createSignal<TestAnswer | 'busy'>();
  const [isLogOpen, setLogOpen] = createSignal(false);
  const [isRemoving, setRemoving] = createSignal(false);
  const [secret, setSecret] = createSignal<string>();
  const [fault, setFault] = createSignal<ApiFault>();
  const path = () => `/api/webhooks/${props.webhook.id}`;
  const attempt = async (work: () => Promise<unknown>) => {
    setFault(undefined);
    try {
      await work();
      props.onChanged();
    } catch (error) {
      setFault(faultOf(error));
    }
  };
  const tested = () => {
    const answer = test();
    return typeof answer === 'object' ? answer : undefined;
  };
  return (
    <article class="card">
      <div class="title">
        <h3>{props.webhook.name}</h3>
        <code>{props.webhook.origin}</code>
        <Show when={props.webhook.waiting > 0}>
          <span class="badge retrying">
            {props.webhook.waiting} waiting
            <Show when={props.webhook.oldestWaitingMs}>{(atMs) => <> since {dayTimeText(atMs())}</>}</Show>
          </span>
        </Show>
        <span class="grow" />
        <Show when={may('webhooks:update')}>
          <label class="check">
            <input
              type="checkbox"
              checked={props.webhook.isEnabled}
              onChange={(event) => {
                const isEnabled = event.currentTarget.checked;
                void attempt(() => call('PATCH', path(), { isEnabled }));
              }}
            />
            on
          </label>
          <select
            class="small"
            aria-label="Which alarms"
            value={props.webhook.severityMin}
            onChange={(event) => {
              const severityMin = event.currentTarget.value;
              void attempt(() => call('PATCH', path(), { severityMin }));
            }}
          >
            <For each={severities}>{({ severity, text }) => <option value={severity}>{text}</option>}</For>
          </select>
        </Show>
      </div>
      <div class="title">
        <Show when={may('webhooks:test')}>
          <button
            type="button"
            class="second small"
            disabled={test() === 'busy'}
            onClick={() => {
              setTest('busy');
              void attempt(async () => setTest(await call<TestAnswer>('POST', `${path()}/test`))).finally(() =>
                setTest((now) => (now === 'busy' ? undefined : now)),
              );
            }}
          >
            {test() === 'busy' ? 'Sending …' : 'Send a test'}
          </button>
        </Show>
        <button type="button" class="second small" aria-expanded={isLogOpen()} onClick={() => setLogOpen(!isLogOpen())}>
          Log
        </button>
        <Show when={may('webhooks:update')}>
          <button
            type="button"
            class="second small"
            onClick={() =>
              void attempt(async () => setSecret((await call<{ secret: string }>('POST', `${path()}/secret`)).secret))
            }
          >
            New secret
          </button>
        </Show>
        <Show when={may('webhooks:delete')}>
          <AskedTwice
            word="Remove"
            isAsked={isRemoving()}
            onAsk={() => setRemoving(true)}
            onSure={() => void attempt(() => call('DELETE', path()))}
          />
        </Show>
        <span role="status">
          <Show when={tested()}>
            {(answer) => (
              <span class={answer().ok ? 'good' : 'warning'}>
                {answer().ok ? 'Taken' : (answer().error ?? 'Not taken')}
                {answer().status === null ? '' : `, status ${answer().status}`}, {Math.round(answer().durationMs)} ms
              </span>
            )}
          </Show>
        </span>
      </div>
      <Show when={secret()}>{(text) => <SecretOnce secret={text()} />}</Show>
      <Fault fault={fault()} />
      <Show when={isLogOpen()}>
        <Deliveries path={path()} />
      </Show>
    </article>
  );
}

function Deliveries(props: { readonly path: string }) {
  const deliveries = createReading(
    async () => (await call<{ deliveries: Delivery[] }>('GET', `${props.path}/deliveries?limit=50`)).deliveries,
  );
  return (
    <Show
      when={(deliveries.latest()?.length ?? 0) > 0}
      fallback={
        <Show when={deliveries.fault()} fallback={<p class="quiet">It was told nothing yet.</p>}>
          <Fault fault={deliveries.fault()} />
        </Show>
      }
    >
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th>When</th>
              <th>What</th>
              <th>State</th>
              <th class="number">Attempts</th>
              <th class="number">Status</th>
              <th class="number">Took</th>
              <th>Error</th>
            </tr>
          </thead>
          <tbody>
            <For each={deliveries.latest()}>
              {(one) => (
                <tr>
                  <td>{dayTimeText(one.createdMs)}</td>
                  <td>{one.event}</td>
                  <td class={one.state === 'delivered' ? 'good' : 'warning'}>
                    {one.state}
                    <Show when={one.nextAttemptMs}>{(atMs) => <>, again {dayTimeText(atMs())}</>}</Show>
                  </td>
                  <td class="number">{one.attempts}</td>
                  <td class="number">{one.status}</td>
                  <td class="number">{one.durationMs === null ? '' : `${Math.round(one.durationMs)} ms`}</td>
                  <td>{one.error}</td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </div>
    </Show>
  );
}

function NewWebhook(props: { readonly onMade: () => void }) {
  const [name, setName] = createSignal('');
  const [url, setUrl] = createSignal('');
  const [isAnyTrusted, setAnyTrusted] = createSignal(false);
  const [secret, setSecret] = createSignal<string>();
  const [fault, setFault] = createSignal<ApiFault>();
  const make = async (event: Event) => {
    event.preventDefault();
    setFault(undefined);
    try {
      const tls = isAnyTrusted() ? 'any' : 'verify';
      const made = await call<{ secret: string }>('POST', '/api/webhooks', { name: name(), url: url(), tls });
      setSecret(made.secret);
      setName('');
      setUrl('');
      props.onMade();
    } catch (error) {
      setFault(faultOf(error));
    }
  };
  return (
    <form class="card" onSubmit={(event) => void make(event)}>
      <div class="row">
        <label>
          Name
          <input
            name="webhook-name"
            required
            maxlength="64"
            placeholder="Night desk"
            value={name()}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        <label>
          Address
          <input
            name="webhook-url"
            required
            placeholder="https://10.0.0.5:9000/weir"
            spellcheck={false}
            value={url()}
            onInput={(event) => setUrl(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="second">
          Add webhook
        </button>
      </div>
      <Show when={url().startsWith('https:')}>
        <label class="check">
          <input
            type="checkbox"
            checked={isAnyTrusted()}
            onChange={(event) => setAnyTrusted(event.currentTarget.checked)}
          />
          Accept its self-signed certificate
        </label>
      </Show>
      <Show when={secret()}>{(text) => <SecretOnce secret={text()} />}</Show>
      <Fault fault={fault()} />
    </form>
  );
}

function SecretOnce(props: { readonly secret: string }) {
  return (
    <div class="once" role="status">
      <strong>Its secret, shown this once: whoever receives the messages checks their signatures with it</strong>
      <Copied label="Secret" text={props.secret} />
    </div>
  );
}
