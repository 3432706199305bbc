/** The three ways in which cameras are added. */

import { For, Match, Switch } from 'solid-js';
import { AddCamera } from './add.tsx';
import { AddMany } from './add-many.tsx';
import { Discover } from './discover.tsx';

const tabs = [
  { name: 'one', text: 'One camera' },
  { name: 'found', text: 'Found on the network' },
  { name: 'many', text: 'Many from a list' },
] as const;

export function AddCameras(props: { readonly tab: string | undefined; readonly onAdded: () => void }) {
  const current = () => tabs.find((tab) => tab.name === props.tab)?.name ?? 'one';
  return (
    <>
      <h1>Add cameras</h1>
      <nav class="tabs" aria-label="Ways to add cameras">
        <For each={tabs}>
          {(tab) => (
            <a href={`#/add/${tab.name}`} aria-current={current() === tab.name ? 'page' : undefined}>
              {tab.text}
            </a>
          )}
        </For>
      </nav>
      <Switch>
        <Match when={current() === 'one'}>
          <AddCamera onAdded={props.onAdded} />
        </Match>
        <Match when={current() === 'found'}>
          <Discover onAdded={props.onAdded} />
        </Match>
        <Match when={current() === 'many'}>
          <AddMany onAdded={props.onAdded} />
        </Match>
      </Switch>
    </>
  );
}
