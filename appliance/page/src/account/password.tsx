/** Changing one's password; forced after the one-time password of the first start. */

import { createSignal, Show } from 'solid-js';
import { type ApiFault, call, faultOf } from '../api.ts';
import { Fault } from '../fault.tsx';

export function Password(props: {
  readonly isForced?: boolean;
  /** Password managers keep the new password beside it. */
  readonly userName: string;
  /** What somebody logged in with a moment ago: it is not asked for again. */
  readonly current?: string | undefined;
  readonly onDone: () => void;
}) {
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
      await call('POST', '/api/session/password', {
        currentPassword: props.current ?? current(),
        newPassword: next(),
      });
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
      <input
        class="hidden"
        name="username"
        autocomplete="username"
        value={props.userName}
        readonly
        tabindex="-1"
        aria-label="User"
      />
      <Show when={props.current === undefined}>
        <Secret
          label={props.isForced ? 'One-time password' : 'Current password'}
          name="current-password"
          autocomplete="current-password"
          onInput={setCurrent}
        />
      </Show>
      <Secret label="New password" name="new-password" autocomplete="new-password" onInput={setNext} />
      <Secret label="New password again" name="new-password-again" autocomplete="new-password" onInput={setAgain} />
      <Fault fault={fault()} />
      <button type="submit">Save</button>
    </form>
  );
}

function Secret(props: {
  readonly label: string;
  readonly name: string;
  readonly autocomplete: 'current-password' | 'new-password';
  readonly onInput: (value: string) => void;
}) {
  return (
    <label>
      {props.label}
      <input
        name={props.name}
        type="password"
        autocomplete={props.autocomplete}
        required
        onInput={(event) => props.onInput(event.currentTarget.value)}
      />
    </label>
  );
}
