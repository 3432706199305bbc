/** Secrets that KVS clients name by ARN: what one says goes in here and never comes out. */

import { createSignal, For, Show } from 'solid-js';
import { call } from '../api.ts';
import { dayTimeText } from '../format.ts';
import { AskedTwice } from '../frame/asked-twice.tsx';
import { createMay } from '../frame/session.ts';
import { CopyButton } from './copy-lines.tsx';
import { FaultInView } from './in-view.tsx';
import { createList } from './list.ts';
import { SecretForm } from './secret-form.tsx';

type Secret = {
  /** Its name. */
  readonly id: string;
  readonly name: string;
  readonly arn: string;
  readonly createdBy: string;
  readonly createdMs: number;
};

export function Secrets(props: { readonly changed: number }) {
  const may = createMay();
  const secrets = createList(
    async () => {
      const answer = await call<{ secrets: Omit<Secret, 'id'>[] }>('GET', '/api/secrets');
      return answer.secrets.map((secret): Secret => ({ ...secret, id: secret.name }));
    },
    () => props.changed,
  );
  const [replacing, setReplacing] = createSignal<string>();
  const [removing, setRemoving] = createSignal<string>();
  const [done, setDone] = createSignal('');
  const path = (name: string) => `/api/secrets/${encodeURIComponent(name)}`;
  const attempt = async (work: () => Promise<unknown>, text: string) => {
    setDone('');
    const isDone = await secrets.attempt(work);
    if (isDone) setDone(text);
    return isDone;
  };
  return (
    <section class="stack" aria-label="Secrets">
      <p class="quiet">
        Edge configurations name a camera's address by the ARN of a secret. Cameras that were configured by one keep
        what it said then.
      </p>
      <FaultInView fault={secrets.fault()} />
      <p class="good" role="status">
        {done()}
      </p>
      <Show when={secrets.isEmpty()}>
        <p class="quiet">None yet.</p>
      </Show>
      <Show when={secrets.rows().length > 0}>
        <div class="frame scroll">
          <table class="labelled">
            <thead>
              <tr>
                <th>Name</th>
                <th>ARN</th>
                <th>Made</th>
                <th />
              </tr>
            </thead>
            <tbody>
              <For each={secrets.rows()}>
                {(secret) => (
                  <tr>
                    <td class="name">{secret.name}</td>
                    <td class="arn" data-label="ARN">
                      <code>{secret.arn}</code> <CopyButton text={secret.arn} what={`ARN of ${secret.name}`} />
                    </td>
                    <td data-label="Made">
                      {dayTimeText(secret.createdMs)} by {secret.createdBy}
                    </td>
                    <td class="number">
                      <Show when={may('secrets:update')}>
                        <button
                          type="button"
                          class="plain small"
                          aria-label={`Replace ${secret.name}`}
                          onClick={() => {
                            secrets.forget();
                            setDone('');
                            setReplacing(secret.name);
                          }}
                        >
                          Replace
                        </button>
                      </Show>
                      <Show when={may('secrets:delete')}>
                        <AskedTwice
                          word="Remove"
                          of={secret.name}
                          isAsked={removing() === secret.id}
                          onAsk={() => setRemoving(secret.id)}
                          onSure={() =>
                            void attempt(() => call('DELETE', path(secret.name)), `${secret.name} is removed.`)
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
      <Show when={replacing()} keyed>
        {(name) => (
          <SecretForm
            nameToReplace={name}
            isBusy={secrets.isBusy()}
            onCancel={() => setReplacing(undefined)}
            onKeep={async ({ value }) => {
              const isDone = await attempt(
                () => call('PUT', path(name), { value }),
                `${name} says something else now.`,
              );
              if (isDone) setReplacing(undefined);
              return isDone;
            }}
          />
        )}
      </Show>
      <Show when={may('secrets:create') && replacing() === undefined}>
        <SecretForm
          isBusy={secrets.isBusy()}
          onKeep={(wish) => attempt(() => call('POST', '/api/secrets', wish), `${wish.name} is kept.`)}
        />
      </Show>
    </section>
  );
}
