/** The only thing that is there without a login. */

import { createSignal } from 'solid-js';
import { type ApiFault, call, faultOf } from '../api.ts';
import { Fault } from '../fault.tsx';

export function Login(props: { readonly onDone: (password: string) => void }) {
  const [name, setName] = createSignal('admin');
  const [password, setPassword] = createSignal('');
  const [fault, setFault] = createSignal<ApiFault>();
  const [isBusy, setBusy] = createSignal(false);

  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setFault(undefined);
    try {
      await call('POST', '/api/session', { name: name(), password: password() });
      props.onDone(password());
    } catch (error) {
      setFault(faultOf(error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <form class="card narrow" onSubmit={(event) => void submit(event)}>
      <h1>
        <img src="/icon.svg" alt="" width="36" height="36" /> Weir
      </h1>
      <label>
        User
        <input
          name="username"
          autocomplete="username"
          value={name()}
          onInput={(event) => setName(event.currentTarget.value)}
          required
        />
      </label>
      <label>
        Password
        <input
          name="password"
          type="password"
          autocomplete="current-password"
          value={password()}
          onInput={(event) => setPassword(event.currentTarget.value)}
          required
          autofocus
        />
      </label>
      <Fault fault={fault()} />
      <button type="submit" disabled={isBusy()}>
        Log in
      </button>
    </form>
  );
}
