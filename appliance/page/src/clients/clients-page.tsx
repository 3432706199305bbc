/** What programs written for Kinesis Video Streams need of an administrator: keys, device certificates, secrets and topics. */

import { For, Match, Show, Switch } from 'solid-js';
import { createMay } from '../frame/session.ts';
import { AccessKeys } from './access-keys.tsx';
import { createKvsSite } from './ask-site.ts';
import './clients.css';
import { Devices } from './devices.tsx';
import { createPolicyChoices } from './policies.ts';
import { Secrets } from './secrets.tsx';
import { Topics } from './topics.tsx';

const parts = [
  { name: 'keys', text: 'Access keys', action: 'access-keys:read' },
  { name: 'devices', text: 'Devices', action: 'devices:read' },
  { name: 'secrets', text: 'Secrets', action: 'secrets:read' },
  { name: 'topics', text: 'Topics', action: 'topics:read' },
] as const;

/** Whoever may do one of these finds something there. */
export const clientActions: readonly string[] = parts.map(({ action }) => action);

export function ClientsPage(props: {
  /** Which part: what stands behind the question mark of `#/settings/clients?devices`. */
  readonly part: string;
  readonly changes: Readonly<Record<string, number>>;
}) {
  const may = createMay();
  const site = createKvsSite(() => props.changes.devices ?? 0);
  const policies = createPolicyChoices(() => props.changes.policies ?? 0);
  const offered = () => parts.filter(({ action }) => may(action));
  const current = () => (offered().find(({ name }) => name === props.part) ?? offered()[0])?.name;
  return (
    <>
      <Show when={offered().length > 1}>
        <nav class="parts" aria-label="AWS clients">
          <For each={offered()}>
            {({ name, text }) => (
              <a href={`#/settings/clients?${name}`} aria-current={current() === name ? 'page' : undefined}>
                {text}
              </a>
            )}
          </For>
        </nav>
      </Show>
      <Switch>
        <Match when={current() === 'keys'}>
          <AccessKeys changed={props.changes['access-keys'] ?? 0} policies={policies} site={site()} />
        </Match>
        <Match when={current() === 'devices'}>
          <Devices changed={props.changes.devices ?? 0} policies={policies} site={site()} />
        </Match>
        <Match when={current() === 'secrets'}>
          <Secrets changed={props.changes.secrets ?? 0} />
        </Match>
        <Match when={current() === 'topics'}>
          <Topics changed={props.changes.topics ?? 0} webhooksChanged={props.changes.webhooks ?? 0} />
        </Match>
      </Switch>
    </>
  );
}
