/** What a secret is to say: a new one, or another value of one that is there. */

import { createSignal, onMount, Show } from 'solid-js';

export function SecretForm(props: {
  readonly nameToReplace?: string;
  readonly isBusy: boolean;
  readonly onCancel?: () => void;
  /** Resolves to whether it is kept: only then the form is empty again. */
  readonly onKeep: (wish: { readonly name: string; readonly value: string }) => Promise<boolean>;
}) {
  const [name, setName] = createSignal('');
  const [value, setValue] = createSignal('');
  const [isShown, setShown] = createSignal(false);
  let field: HTMLInputElement | undefined;
  onMount(() => {
    if (props.nameToReplace !== undefined) field?.focus();
  });
  const keep = async (event: Event) => {
    event.preventDefault();
    if (!(await props.onKeep({ name: props.nameToReplace ?? name(), value: value() }))) return;
    setName('');
    setValue('');
    setShown(false);
  };
  return (
    <form class="card" aria-label={props.nameToReplace ?? 'New secret'} onSubmit={(event) => void keep(event)}>
      <div class="row clientform">
        <Show when={props.nameToReplace === undefined}>
          <label>
            Name
            <input
              name="secret-name"
              required
              maxlength="64"
              pattern="[a-zA-Z0-9_.\-]+"
              title="a-z, A-Z, 0-9, _ . and -"
              autocomplete="off"
              spellcheck={false}
              placeholder="gate"
              value={name()}
              onInput={(event) => setName(event.currentTarget.value)}
            />
          </label>
        </Show>
        <label class="wide">
          {props.nameToReplace === undefined
            ? 'What it says'
            : `What ${props.nameToReplace} is to say, under the same ARN`}
          <input
            ref={field}
            name="secret-value"
            type={isShown() ? 'text' : 'password'}
            required
            maxlength="4096"
            autocomplete="off"
            spellcheck={false}
            placeholder="rtsp://user:password@10.0.0.21/stream1"
            value={value()}
            onInput={(event) => setValue(event.currentTarget.value)}
          />
        </label>
        <label class="check">
          <input type="checkbox" checked={isShown()} onChange={(event) => setShown(event.currentTarget.checked)} />
          Show
        </label>
        <button type="submit" class="second" disabled={props.isBusy}>
          {props.nameToReplace === undefined ? 'Keep secret' : 'Replace'}
        </button>
        <Show when={props.onCancel}>
          {(cancel) => (
            <button type="button" class="plain" onClick={() => cancel()()}>
              Cancel
            </button>
          )}
        </Show>
      </div>
    </form>
  );
}
