/** People who may log in. A password made here is shown once and works once. */

import { createSignal, For, Show } from 'solid-js';
import { type ApiFault, call, faultOf } from '../api.ts';
import { Copied } from '../cameras/stream-key.tsx';
import { Fault } from '../fault.tsx';
import { AskedTwice } from '../frame/asked-twice.tsx';
import { createReading } from '../frame/reading.ts';
import { createMay } from '../frame/session.ts';
import { createRoles } from './grants.ts';

type User = {
  readonly id: string;
  readonly name: string;
  readonly role: string | null;
  readonly policies: readonly string[];
  readonly isDisabled: boolean;
  readonly mustChangePassword: boolean;
};
type WithPassword = { readonly user: User; readonly oneTimePassword: string };

export function Users(props: { readonly changed: number }) {
  const may = createMay();
  const roles = createRoles();
  const users = createReading(async () => (await call<{ users: User[] }>('GET', '/api/users')).users, {
    changed: () => props.changed,
    isInPlace: true,
  });
  const [name, setName] = createSignal('');
  const [role, setRole] = createSignal('viewer');
  const [told, setTold] = createSignal<WithPassword>();
  const [removing, setRemoving] = createSignal<string>();
  const [fault, setFault] = createSignal<ApiFault>();
  const attempt = async (work: () => Promise<unknown>) => {
    setFault(undefined);
    try {
      await work();
    } catch (error) {
      setFault(faultOf(error));
    }
    users.again();
  };
  const add = (event: Event) => {
    event.preventDefault();
    return attempt(async () => {
      setTold(await call<WithPassword>('POST', '/api/users', { name: name(), role: role() }));
      setName('');
    });
  };
  const change = (user: User, to: object) => attempt(() => call('PATCH', `/api/users/${user.id}`, to));
  return (
    <section class="stack">
      <Fault fault={fault() ?? users.fault()} />
      <Show when={told()}>
        {(one) => (
          <div class="once" role="status">
            <strong>Password of {one().user.name}, shown this once; it is replaced at the first login</strong>
            <Copied label="Password" text={one().oneTimePassword} />
          </div>
        )}
      </Show>
      <div class="frame scroll">
        <table>
          <thead>
            <tr>
              <th>Name</th>
              <th>Role</th>
              <th>State</th>
              <th />
            </tr>
          </thead>
          <tbody>
            <For each={users.latest()}>
              {(user) => (
                <tr>
                  <td class="name">{user.name}</td>
                  <td>
                    <select
                      class="small"
                      aria-label={`Role of ${user.name}`}
                      disabled={!may('users:update')}
                      value={user.role ?? ''}
                      onChange={(event) => void change(user, { role: event.currentTarget.value || null })}
                    >
                      <option value="">none</option>
                      <For each={roles()}>
                        {(one) => (
                          <option value={one} selected={one === user.role}>
                            {one}
                          </option>
                        )}
                      </For>
                    </select>{' '}
                    <span class="quiet">{user.policies.join(', ')}</span>
                  </td>
                  <td>
                    {user.isDisabled
                      ? 'switched off'
                      : user.mustChangePassword
                        ? 'has not logged in yet'
                        : 'may log in'}
                  </td>
                  <td class="number">
                    <Show when={may('users:update')}>
                      <button
                        type="button"
                        class="plain small"
                        onClick={() => void change(user, { isDisabled: !user.isDisabled })}
                      >
                        {user.isDisabled ? 'Switch on' : 'Switch off'}
                      </button>
                      <button
                        type="button"
                        class="plain small"
                        onClick={() =>
                          void attempt(async () =>
                            setTold(await call<WithPassword>('POST', `/api/users/${user.id}/password`)),
                          )
                        }
                      >
                        New password
                      </button>
                    </Show>
                    <Show when={may('users:delete')}>
                      <AskedTwice
                        word="Remove"
                        isAsked={removing() === user.id}
                        onAsk={() => setRemoving(user.id)}
                        onSure={() => void attempt(() => call('DELETE', `/api/users/${user.id}`))}
                      />
                    </Show>
                  </td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </div>
      <Show when={may('users:create')}>
        <form class="card" onSubmit={(event) => void add(event)}>
          <div class="row">
            <label>
              Name
              <input
                name="user-name"
                required
                maxlength="64"
                autocomplete="off"
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
              Add user
            </button>
          </div>
        </form>
      </Show>
    </section>
  );
}
