/** The lines that point a client at this appliance. */

import { createSignal, For, Show } from 'solid-js';
import { CopyButton, LinesToCopy } from './copy-lines.tsx';
import type { KvsSite } from './kvs-site.ts';
import { authorityFile, type ClientName, clientLines, clients } from './lines.ts';

export function PointHere(props: { readonly site: KvsSite }) {
  const [client, setClient] = createSignal<ClientName>('cli');
  return (
    <section class="card">
      <h2>Point a client here</h2>
      <p class="quiet">
        Programs written for Amazon Kinesis Video Streams work with nothing changed but the endpoint. Their key comes
        from <code>aws.env</code>, which is saved where the key is made.
      </p>
      <div class="title">
        <span class="quiet">Endpoint</span> <code>{props.site.endpoint}</code>
        <CopyButton text={props.site.endpoint} what="endpoint" />
        <span class="quiet">Region</span> <code>{props.site.region}</code>
      </div>
      <Show when={props.site.hasAuthority}>
        <AuthorityHint />
      </Show>
      <fieldset class="choice">
        <legend class="hidden">Client</legend>
        <For each={clients}>
          {({ name, text }) => (
            <button type="button" aria-pressed={client() === name} onClick={() => setClient(name)}>
              {text}
            </button>
          )}
        </For>
      </fieldset>
      <For each={clientLines(client(), props.site)}>
        {({ where, text }) => <LinesToCopy where={where} text={text} />}
      </For>
      <Show when={client() === 'kvssink'}>
        <p class="quiet">
          <code>gate</code> is the name of a stream: add a camera of the kind{' '}
          <a class="link" href="#/add">
            KVS producer
          </a>
          , or let CreateStream make one. kvssink takes the authority from 3.6.0 on. The C and C++ producer SDKs read
          the same variables; the Java SDKs take the endpoint by <code>withEndpoint()</code>.
        </p>
      </Show>
    </section>
  );
}

/** Whom clients have to trust. */
function AuthorityHint() {
  return (
    <p class="quiet">
      This server's certificate is of its own authority: put{' '}
      <a class="link" href="/api/system/ca.pem" download={authorityFile}>
        {authorityFile}
      </a>{' '}
      beside the client. Leave it out where a proxy with a public certificate stands in front.
    </p>
  );
}
