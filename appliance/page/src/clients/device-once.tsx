/** A new device's files, the only time that its private key can be had. */

import { Show } from 'solid-js';
import { SaveButton } from './copy-lines.tsx';
import { InView } from './in-view.tsx';
import { authorityFile, deviceFiles } from './lines.ts';

export type NewDevice = {
  readonly device: { readonly id: string; readonly name: string };
  readonly certificate: string;
  /** Null: it made its key itself. */
  readonly privateKey: string | null;
  readonly authority: string | null;
};

export function DeviceOnce(props: { readonly made: NewDevice; readonly onDone: () => void }) {
  const files = () => deviceFiles(props.made.device.name);
  return (
    <InView>
      <div class="once" role="status">
        <strong>Files of {props.made.device.name}: they can be saved this once</strong>
        <Show
          when={props.made.privateKey}
          fallback={<span class="quiet">Its private key is where the signing request was made.</span>}
        >
          <span class="warning">
            Whoever has the private key is this device. It is kept nowhere here: one that is lost is revoked and
            certified anew.
          </span>
        </Show>
        <div class="title">
          <SaveButton name={files().certificate} text={props.made.certificate} />
          <Show when={props.made.privateKey}>{(key) => <SaveButton name={files().privateKey} text={key()} />}</Show>
          <Show when={props.made.authority}>{(pem) => <SaveButton name={authorityFile} text={pem()} />}</Show>
          <button type="button" class="plain small" onClick={() => props.onDone()}>
            I have kept them
          </button>
        </div>
      </div>
    </InView>
  );
}
