/** What a new access key is to be: its name, its policy and when it ends. */

import { createSignal } from 'solid-js';
import type { PolicyChoices } from './policies.ts';
import { PolicySelect } from './policy-choice.tsx';

export type KeyWish = { readonly name: string; readonly policy: string; readonly expires: string | null };

export function NewKeyForm(props: {
  readonly policies: PolicyChoices;
  readonly isBusy: boolean;
  /** Resolves to whether it was made: only then the form is empty again. */
  readonly onMake: (wish: KeyWish) => Promise<boolean>;
}) {
  const [name, setName] = createSignal('');
  const [chosen, setChosen] = createSignal<string>();
  const [lastDay, setLastDay] = createSignal('');
  const policy = () => chosen() ?? props.policies.choices()[0]?.name ?? '';
  const make = async (event: Event) => {
    event.preventDefault();
    const wish = { name: name(), policy: policy(), expires: lastDay() === '' ? null : endOfDay(lastDay()) };
    if (!(await props.onMake(wish))) return;
    setName('');
    setLastDay('');
  };
  return (
    <form class="card" aria-label="New access key" onSubmit={(event) => void make(event)}>
      <div class="row clientform">
        <label>
          Name
          <input
            name="key-name"
            required
            maxlength="64"
            autocomplete="off"
            placeholder="Encoder at the gate"
            value={name()}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        <PolicySelect choices={props.policies.choices()} value={policy()} onChange={setChosen} />
        <label>
          Last day, if it ends
          <input
            type="date"
            name="key-ends"
            value={lastDay()}
            onInput={(event) => setLastDay(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="second" disabled={props.isBusy}>
          Make access key
        </button>
      </div>
    </form>
  );
}

/** The midnight that ends a day here. */
function endOfDay(day: string): string {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number);
  return new Date(year, month - 1, date + 1).toISOString();
}
