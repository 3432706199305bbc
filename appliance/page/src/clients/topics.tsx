/** Topics: messages that KVS clients address by topic ARN, and the webhook that each leads to. */

import { createResource, createSignal, For, Show } from 'solid-js';
import { call } from '../api.ts';
import { AskedTwice } from '../frame/asked-twice.tsx';
import { createMay } from '../frame/session.ts';
import { CopyButton } from './copy-lines.tsx';
import { FaultInView } from './in-view.tsx';
import { createList } from './list.ts';

type Topic = { readonly id: string; readonly name: string; readonly arn: string; readonly webhookId: string };
type Webhook = { readonly id: string; readonly name: string };

export function Topics(props: { readonly changed: number; readonly webhooksChanged: number }) {
  const may = createMay();
  const topics = createList(
    async () => {
      const answer = await call<{ topics: Omit<Topic, 'id'>[] }>('GET', '/api/topics');
      return answer.topics.map((topic): Topic => ({ ...topic, id: topic.name }));
    },
    () => props.changed,
  );
  const [webhooks] = createResource(
    () => `at ${props.webhooksChanged}`,
    () =>
      call<{ webhooks: Webhook[] }>('GET', '/api/webhooks').then(
        (answer) => answer.webhooks,
        () => [],
      ),
  );
  const [removing, setRemoving] = createSignal<string>();
  const lead = (name: string, webhookId: string) =>
    topics.attempt(() => call('PUT', `/api/topics/${encodeURIComponent(name)}`, { webhookId }));
  return (
    <section class="stack" aria-label="Topics">
      <p class="quiet">
        A stream whose notifications go to a topic ARN tells the webhook that the topic leads to, in SNS's envelope, of
        each fragment tagged <code>AWS_KINESISVIDEO_NOTIFICATION</code>. ARNs of other regions and accounts with the
        same name lead there too.
      </p>
      <FaultInView fault={topics.fault()} />
      <Show when={topics.isEmpty()}>
        <p class="quiet">None yet. Messages to a topic that leads nowhere wait until it leads somewhere.</p>
      </Show>
      <Show when={topics.rows().length > 0}>
        <div class="frame scroll">
          <table class="labelled">
            <thead>
              <tr>
                <th>Topic</th>
                <th>ARN</th>
                <th>Leads to</th>
                <th />
              </tr>
            </thead>
            <tbody>
              <For each={topics.rows()}>
                {(topic) => (
                  <tr>
                    <td class="name">{topic.name}</td>
                    <td class="arn" data-label="ARN">
                      <code>{topic.arn}</code> <CopyButton text={topic.arn} what={`ARN of ${topic.name}`} />
                    </td>
                    <td data-label="Leads to">
                      <WebhookSelect
                        label={`Webhook of ${topic.name}`}
                        webhooks={webhooks.latest ?? []}
                        value={topic.webhookId}
                        isDisabled={!may('topics:write')}
                        onChange={(webhookId) => void lead(topic.name, webhookId)}
                      />
                    </td>
                    <td class="number">
                      <Show when={may('topics:write')}>
                        <AskedTwice
                          word="Remove"
                          of={topic.name}
                          isAsked={removing() === topic.id}
                          onAsk={() => setRemoving(topic.id)}
                          onSure={() =>
                            void topics.attempt(() => call('DELETE', `/api/topics/${encodeURIComponent(topic.name)}`))
                          }
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
      <Show when={may('topics:write') && webhooks.state === 'ready'}>
        <Show
          when={webhooks.latest?.[0]}
          fallback={
            <p>
              There is no webhook that a topic could lead to:{' '}
              <a class="link" href="#/settings/alarms">
                make one
              </a>{' '}
              first.
            </p>
          }
        >
          {(first) => (
            <NewTopic webhooks={webhooks.latest ?? []} first={first().id} isBusy={topics.isBusy()} onLead={lead} />
          )}
        </Show>
      </Show>
    </section>
  );
}

function NewTopic(props: {
  readonly webhooks: readonly Webhook[];
  readonly first: string;
  readonly isBusy: boolean;
  readonly onLead: (name: string, webhookId: string) => Promise<boolean>;
}) {
  const [name, setName] = createSignal('');
  const [chosen, setChosen] = createSignal<string>();
  const add = async (event: Event) => {
    event.preventDefault();
    if (await props.onLead(name(), chosen() ?? props.first)) setName('');
  };
  return (
    <form class="card" aria-label="New topic" onSubmit={(event) => void add(event)}>
      <div class="row">
        <label>
          Topic
          <input
            name="topic-name"
            required
            maxlength="256"
            pattern="[A-Za-z0-9_\-]+"
            title="a-z, A-Z, 0-9, _ and -"
            autocomplete="off"
            spellcheck={false}
            placeholder="doors"
            value={name()}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        <label>
          Leads to the webhook
          <select
            name="topic-webhook"
            value={chosen() ?? props.first}
            onChange={(event) => setChosen(event.currentTarget.value)}
          >
            <For each={props.webhooks}>{({ id, name: text }) => <option value={id}>{text}</option>}</For>
          </select>
        </label>
        <button type="submit" class="second" disabled={props.isBusy}>
          Lead topic
        </button>
      </div>
    </form>
  );
}

/** One that is gone, or may not be seen, is shown by its id. */
function WebhookSelect(props: {
  readonly label: string;
  readonly webhooks: readonly Webhook[];
  readonly value: string;
  readonly isDisabled: boolean;
  readonly onChange: (webhookId: string) => void;
}) {
  const isKnown = () => props.webhooks.some(({ id }) => id === props.value);
  return (
    <select
      class="small"
      aria-label={props.label}
      disabled={props.isDisabled}
      onChange={(event) => props.onChange(event.currentTarget.value)}
    >
      <Show when={!isKnown()}>
        <option value={props.value} selected>
          {props.value}
        </option>
      </Show>
      <For each={props.webhooks}>
        {({ id, name }) => (
          <option value={id} selected={id === props.value}>
            {name}
          </option>
        )}
      </For>
    </select>
  );
}
