/** How a fault is shown everywhere: what failed, and what to do. */

import { Show } from 'solid-js';
import type { ApiFault } from './api.ts';

export function Fault(props: { readonly fault: ApiFault | undefined }) {
  return (
    <Show when={props.fault}>
      {(fault) => (
        <div class="fault" role="alert">
          <strong>{sentence(fault().message)}</strong>
          <Show when={fault().hint}>{(hint) => <span>{sentence(hint())}</span>}</Show>
        </div>
      )}
    </Show>
  );
}

/** Messages are lower case without a period, as our errors are; people read sentences. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '') return trimmed;
  const begun = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}
