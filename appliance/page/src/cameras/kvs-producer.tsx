/** How a KVS producer is pointed at a camera's stream. It signs with an access key, which is made where keys are and shown once. */

import { For } from 'solid-js';
import type { Camera } from '../api.ts';
import { Copied } from './stream-key.tsx';

/** Streams of a camera that producers feed. */
export function fedStreams({ source, sub, streams }: Camera): Camera['streams'] {
  return streams.filter(({ role }) => (role === 'main' ? source : sub?.source)?.kind === 'kvs');
}

export function KvsProducer(props: { readonly camera: Camera }) {
  return (
    <section class="card">
      <h2>For its KVS producer</h2>
      <Copied label="Endpoint" text={location.origin} />
      <For each={fedStreams(props.camera)}>{({ name }) => <Copied label="Stream name" text={name} />}</For>
      <ProducerWords />
    </section>
  );
}

/** What producers need beside endpoint and name. */
export function ProducerWords() {
  return (
    <p class="quiet">
      A program that sends to Amazon Kinesis Video Streams (kvssink, the producer SDKs) sends here when it is given the
      endpoint, any region and an access key: administrators make one under{' '}
      <a class="link" href="#/settings/clients">
        Settings, AWS clients
      </a>
      , or by <code>weir keys create-access</code>. Its policy allows <code>kinesisvideo:DescribeStream</code>,{' '}
      <code>kinesisvideo:GetDataEndpoint</code> and <code>kinesisvideo:PutMedia</code> with this camera.
    </p>
  );
}
