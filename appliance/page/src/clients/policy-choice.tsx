/** Which policy a key or device gets, and in words what that allows. */

import { createUniqueId, For } from 'solid-js';
import type { PolicyChoice } from './policies.ts';

export function PolicySelect(props: {
  readonly choices: readonly PolicyChoice[];
  readonly value: string;
  readonly onChange: (name: string) => void;
}) {
  const id = createUniqueId();
  const description = () => props.choices.find(({ name }) => name === props.value)?.description;
  return (
    <label class="policychoice">
      Policy
      <select
        name="policy"
        required
        aria-describedby={id}
        value={props.value}
        onChange={(event) => props.onChange(event.currentTarget.value)}
      >
        <For each={props.choices}>
          {({ name, title }) => (
            <option value={name} selected={name === props.value}>
              {title === name ? name : `${title} (${name})`}
            </option>
          )}
        </For>
      </select>
      <span id={id}>{description()}</span>
    </label>
  );
}
