/** What answers a press comes into view: the form may be far below it. */

import { createEffect, type JSX, onMount, Show } from 'solid-js';
import type { ApiFault } from '../api.ts';
import { Fault } from '../fault.tsx';

export function InView(props: { readonly children: JSX.Element }) {
  let box: HTMLDivElement | undefined;
  onMount(() => box?.scrollIntoView({ block: 'nearest' }));
  return (
    <div class="inview" ref={box}>
      {props.children}
    </div>
  );
}

/** Each fault anew, also the same one twice. */
export function FaultInView(props: { readonly fault: ApiFault | undefined }) {
  let box: HTMLDivElement | undefined;
  createEffect(() => {
    if (props.fault !== undefined) box?.scrollIntoView({ block: 'nearest' });
  });
  return (
    <Show when={props.fault !== undefined}>
      <div class="inview" ref={box}>
        <Fault fault={props.fault} />
      </div>
    </Show>
  );
}
