/** Settings of the appliance that belong to no camera: what is an alarm and who is told, who may log in, programs with tokens or access keys, whether it is well. */

import { For, Match, Show, Switch } from 'solid-js';
import { ClientsPage, clientActions } from '../clients/clients-page.tsx';
import { createMay } from '../frame/session.ts';
import { AlarmSettings } from './alarm-settings.tsx';
import { Checkup } from './checkup.tsx';
import { Notifications } from './notifications.tsx';
import { Tokens } from './tokens.tsx';
import { Users } from './users.tsx';

const tabs: readonly { readonly name: string; readonly text: string; readonly actions: readonly string[] }[] = [
  { name: 'alarms', text: 'Alarms', actions: ['system:read', 'webhooks:read'] },
  { name: 'users', text: 'Users', actions: ['users:read'] },
  { name: 'tokens', text: 'API tokens', actions: ['tokens:read'] },
  { name: 'clients', text: 'AWS clients', actions: clientActions },
  { name: 'checkup', text: 'Check-up', actions: ['system:diagnose'] },
];

export function SettingsPage(props: {
  readonly tab: string | undefined;
  readonly query: string;
  readonly changes: Readonly<Record<string, number>>;
}) {
  const may = createMay();
  const offered = () => tabs.filter(({ actions }) => actions.some(may));
  /** An address that a colleague passed on may be of a tab that is not for everybody. */
  const isRefused = () => tabs.some(({ name, actions }) => name === props.tab && !actions.some(may));
  const shown = () => offered().find(({ name }) => name === props.tab) ?? offered()[0];
  const current = () => (isRefused() ? undefined : shown()?.name);
  return (
    <>
      <h1>Settings</h1>
      <Show when={offered().length > 0} fallback={<p class="quiet">These settings are for administrators.</p>}>
        <nav class="tabs" aria-label="Settings">
          <For each={offered()}>
            {(tab) => (
              <a href={`#/settings/${tab.name}`} aria-current={current() === tab.name ? 'page' : undefined}>
                {tab.text}
              </a>
            )}
          </For>
        </nav>
      </Show>
      <Switch>
        <Match when={isRefused() && offered().length > 0}>
          <p class="quiet">These settings are for administrators.</p>
        </Match>
        <Match when={current() === 'clients'}>
          <ClientsPage part={props.query} changes={props.changes} />
        </Match>
        <Match when={current() === 'alarms'}>
          <AlarmSettings changed={props.changes.alarms ?? 0} />
          <Notifications changed={props.changes.webhooks ?? 0} />
        </Match>
        <Match when={current() === 'users'}>
          <Users changed={props.changes.users ?? 0} />
        </Match>
        <Match when={current() === 'checkup'}>
          <Checkup />
        </Match>
        <Match when={current() === 'tokens'}>
          <Tokens changed={props.changes.tokens ?? 0} />
        </Match>
      </Switch>
    </>
  );
}
