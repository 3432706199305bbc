/** Changing one's password; forced after the one-time password of the first start. */

import { createSignal, Show } from 'solid-js';
import { type ApiFault, call, faultOf } from '../api.ts';
import { Fault } from '../fault.tsx';

export function Password(props: { readonly isForced?: boolean; readonly onDone: () => void }) {
  const [current, setCurrent] = createSignal('');
  const [next, setNext] = createSignal('');
  const [again, setAgain] = createSignal('');
  const [fault, setFault] = createSignal<ApiFault>();

  const submit = async (event: Event) => {
    event.preventDefault();
    if (next() !== again()) {
      setFault({ code: 'invalid_argument', message: 'the two new passwords differ' });
      return;
    }
    try {
      await call('POST', '/api/session/password', { currentPassword: current(), newPassword: next() });
      props.onDone();
    } catch (error) {
      setFault(faultOf(error));
    }
  };

  return (
    <form class="card narrow" onSubmit={(event) => void submit(event)}>
      <h1>{props.isForced ? 'Choose a password' : 'Change password'}</h1>
      <Show when={props.isForced}>
        <p class="quiet">The password you logged in with works only once.</p>
      </Show>
      <Secret
        label={props.isForced ? 'One-time password' : 'Current password'}
        name="current-password"
        onInput={setCurrent}
      />
      <Secret label="New password" name="new-password" onInput={setNext} />
      <Secret label="New password again" name="new-password" onInput={setAgain} />
      <Fault fault={fault()} />
      <button type="submit">Save</button>
    </form>
  );
}

function Secret(props: { readonly label: string; readonly name: string; readonly onInput: (value: string) => void }) {
  return (
    <label>
      {props.label}
      <input
        type="password"
        autocomplete={props.name}
        required
        onInput={(event) => props.onInput(event.currentTarget.value)}
      />
    </label>
  );
}
