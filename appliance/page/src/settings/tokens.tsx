/** Tokens of programs and players. The secret is shown once. */

import { createSignal, For, Show } from 'solid-js';
import { type ApiFault, call, faultOf } from '../api.ts';
import { Copied } from '../cameras/stream-key.tsx';
import { Fault } from '../fault.tsx';
import { dayTimeText } from '../format.ts';
import { AskedTwice } from '../frame/asked-twice.tsx';
import { createReading } from '../frame/reading.ts';
import { createMay } from '../frame/session.ts';
import { createRoles } from './grants.ts';

type Token = {
  readonly id: string;
  readonly name: string;
  readonly role: string | null;
  readonly policies: readonly string[];
  readonly createdBy: string;
  readonly createdMs: number;
  readonly expiresMs: number | null;
  readonly lastUsedMs: number | null;
};

export function Tokens(props: { readonly changed: number }) {
  const may = createMay();
  const roles = createRoles();
  const tokens = createReading(async () => (await call<{ tokens: Token[] }>('GET', '/api/tokens')).tokens, {
    changed: () => props.changed,
    isInPlace: true,
  });
  const [name, setName] = createSignal('');
  const [role, setRole] = createSignal('viewer');
  const [told, setTold] = createSignal<{ readonly token: Token; readonly secret: string }>();
  const [removing, setRemoving] = createSignal<string>();
  const [fault, setFault] = createSignal<ApiFault>();
  const attempt = async (work: () => Promise<unknown>) => {
    setFault(undefined);
    try {
      await work();
    } catch (error) {
      setFault(faultOf(error));
    }
    tokens.again();
  };
  const add = (event: Event) => {
    event.preventDefault();
    return attempt(async () => {
      setTold(await call('POST', '/api/tokens', { name: name(), role: role() }));
      setName('');
    });
  };
  return (
    <section class="stack">
      <Fault fault={fault() ?? tokens.fault()} />
      <Show when={told()}>
        {(one) => (
          <div class="once" role="status">
            <strong>Secret of {one().token.name}, shown this once</strong>
            <Copied label="Token" text={one().secret} />
          </div>
        )}
      </Show>
      <Show
        when={(tokens.latest()?.length ?? 0) > 0}
        fallback={
          <p class="quiet">
            None yet. A token lets a program or a player in, with the rights of its role and no password.
          </p>
        }
      >
        <div class="frame scroll">
          <table>
            <thead>
              <tr>
                <th>Name</th>
                <th>Role</th>
                <th>Made</th>
                <th>Last used</th>
                <th>Ends</th>
                <th />
              </tr>
            </thead>
            <tbody>
              <For each={tokens.latest()}>
                {(token) => (
                  <tr>
                    <td class="name">{token.name}</td>
                    <td>{[token.role, ...token.policies].filter((one) => one !== null).join(', ')}</td>
                    <td>
                      {dayTimeText(token.createdMs)} by {token.createdBy}
                    </td>
                    <td>{token.lastUsedMs === null ? 'never' : dayTimeText(token.lastUsedMs)}</td>
                    <td>{token.expiresMs === null ? 'never' : dayTimeText(token.expiresMs)}</td>
                    <td class="number">
                      <Show when={may('tokens:delete')}>
                        <AskedTwice
                          word="Remove"
                          isAsked={removing() === token.id}
                          onAsk={() => setRemoving(token.id)}
                          onSure={() => void attempt(() => call('DELETE', `/api/tokens/${token.id}`))}
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
      <Show when={may('tokens:create')}>
        <form class="card" onSubmit={(event) => void add(event)}>
          <div class="row">
            <label>
              Name
              <input
                name="token-name"
                required
                maxlength="64"
                placeholder="Player in the hall"
                value={name()}
                onInput={(event) => setName(event.currentTarget.value)}
              />
            </label>
            <label>
              Role
              <select value={role()} onChange={(event) => setRole(event.currentTarget.value)}>
                <For each={roles()}>{(one) => <option value={one}>{one}</option>}</For>
              </select>
            </label>
            <button type="submit" class="second">
              Make token
            </button>
          </div>
        </form>
      </Show>
    </section>
  );
}
