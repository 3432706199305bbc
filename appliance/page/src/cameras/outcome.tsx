/** What became of one camera of many. */

import { Match, Show, Switch } from 'solid-js';
import { sentence } from '../fault.tsx';
import { cameraAddress } from '../route.ts';
import type { Outcome } from './add-each.ts';

export function OutcomeText(props: { readonly outcome: Outcome | undefined }) {
  const as = <Is extends Outcome['is']>(is: Is) => {
    const { outcome } = props;
    return outcome?.is === is ? (outcome as Extract<Outcome, { readonly is: Is }>) : undefined;
  };
  return (
    <Switch>
      <Match when={as('waiting')}>
        <span class="quiet">waiting</span>
      </Match>
      <Match when={as('adding')}>
        <span class="quiet">adding …</span>
      </Match>
      <Match when={as('added')}>
        {(added) => (
          <a class="link" href={cameraAddress(added().cameraId)}>
            added
          </a>
        )}
      </Match>
      <Match when={as('refused')}>
        {(refused) => (
          <span class="warning">
            {sentence(refused().fault.message)}{' '}
            <Show when={refused().fault.hint}>{(hint) => <>{sentence(hint())}</>}</Show>
          </span>
        )}
      </Match>
    </Switch>
  );
}
