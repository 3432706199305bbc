/** Access keys: what programs sign with that know only the KVS API. */

import { createSignal, For, Show } from 'solid-js';
import { call } from '../api.ts';
import { dayTimeText } from '../format.ts';
import { AskedTwice } from '../frame/asked-twice.tsx';
import { createMay, createNow } from '../frame/session.ts';
import { FaultInView } from './in-view.tsx';
import { KeyOnce, type NewKey } from './key-once.tsx';
import type { KvsSite } from './kvs-site.ts';
import { createList } from './list.ts';
import { NewKeyForm } from './new-key.tsx';
import { PointHere } from './point-here.tsx';
import type { PolicyChoices } from './policies.ts';

type AccessKey = {
  readonly id: string;
  readonly name: string;
  readonly policies: readonly string[];
  readonly isDisabled: boolean;
  readonly createdBy: string;
  readonly createdMs: number;
  readonly expiresMs: number | null;
  readonly lastUsedMs: number | null;
};

export function AccessKeys(props: {
  readonly changed: number;
  readonly policies: PolicyChoices;
  readonly site: KvsSite;
}) {
  const may = createMay();
  const now = createNow(30_000);
  const keys = createList(
    async () => (await call<{ accessKeys: AccessKey[] }>('GET', '/api/access-keys')).accessKeys,
    () => props.changed,
  );
  /** One made beside another does not push its secret away. */
  const [told, setTold] = createSignal<readonly NewKey[]>([]);
  const [removing, setRemoving] = createSignal<string>();
  const isOver = ({ expiresMs }: AccessKey) => expiresMs !== null && expiresMs <= now();
  const stateOf = (key: AccessKey) => (key.isDisabled ? 'disabled' : isOver(key) ? 'ended' : 'enabled');
  const path = (key: AccessKey) => `/api/access-keys/${key.id}`;
  return (
    <section class="stack" aria-label="Access keys">
      <FaultInView fault={keys.fault()} />
      <For each={told()}>
        {(made) => <KeyOnce made={made} onDone={() => setTold((known) => known.filter((one) => one !== made))} />}
      </For>
      <Show when={keys.isEmpty()}>
        <p class="quiet">
          None yet. Programs written for Amazon Kinesis Video Streams sign their requests with a key, which may do what
          its policy allows.
        </p>
      </Show>
      <Show when={keys.rows().length > 0}>
        <div class="frame scroll">
          <table class="labelled">
            <thead>
              <tr>
                <th>Name</th>
                <th>Policy</th>
                <th>Made</th>
                <th>Last used</th>
                <th>Ends</th>
                <th>State</th>
                <th />
              </tr>
            </thead>
            <tbody>
              <For each={keys.rows()}>
                {(key) => (
                  <tr>
                    <td class="name">
                      {key.name}
                      <div class="quiet">
                        <code>{key.id}</code>
                      </div>
                    </td>
                    <td data-label="Policy">{key.policies.join(', ')}</td>
                    <td data-label="Made">
                      {dayTimeText(key.createdMs)} by {key.createdBy}
                    </td>
                    <td data-label="Last used">{key.lastUsedMs === null ? 'never' : dayTimeText(key.lastUsedMs)}</td>
                    <td data-label="Ends">{key.expiresMs === null ? 'never' : dayTimeText(key.expiresMs)}</td>
                    <td data-label="State">
                      <span class={`badge ${stateOf(key) === 'enabled' ? 'recording' : 'retrying'}`}>
                        {stateOf(key)}
                      </span>
                    </td>
                    <td class="number">
                      <Show when={may('access-keys:update')}>
                        <button
                          type="button"
                          class="plain small"
                          aria-label={`${key.isDisabled ? 'Enable' : 'Disable'} ${key.name}`}
                          onClick={() =>
                            void keys.attempt(() => call('PATCH', path(key), { isDisabled: !key.isDisabled }))
                          }
                        >
                          {key.isDisabled ? 'Enable' : 'Disable'}
                        </button>
                      </Show>
                      <Show when={may('access-keys:delete')}>
                        <AskedTwice
                          word="Remove"
                          of={key.name}
                          isAsked={removing() === key.id}
                          onAsk={() => setRemoving(key.id)}
                          onSure={() =>
                            void keys.attempt(async () => {
                              await call('DELETE', path(key));
                              setTold((known) => known.filter(({ accessKey }) => accessKey.id !== key.id));
                            })
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
      <Show when={may('access-keys:create')}>
        <NewKeyForm
          policies={props.policies}
          isBusy={keys.isBusy()}
          onMake={(wish) =>
            keys.attempt(async () => {
              await props.policies.ensure(wish.policy);
              const { name, policy, expires } = wish;
              const made = await call<NewKey>('POST', '/api/access-keys', { name, policies: [policy], expires });
              setTold((known) => [made, ...known]);
            })
          }
        />
      </Show>
      <PointHere site={props.site} />
    </section>
  );
}
