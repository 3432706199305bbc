/** A new access key, the only time that its secret can be seen. */

import { CopyButton, SaveButton } from './copy-lines.tsx';
import { InView } from './in-view.tsx';

export type NewKey = {
  readonly accessKey: { readonly id: string; readonly name: string };
  readonly secretAccessKey: string;
};

export function KeyOnce(props: { readonly made: NewKey; readonly onDone: () => void }) {
  const id = () => props.made.accessKey.id;
  const secret = () => props.made.secretAccessKey;
  const environment = () => `AWS_ACCESS_KEY_ID=${id()}\nAWS_SECRET_ACCESS_KEY=${secret()}\n`;
  return (
    <InView>
      <div class="once" role="status">
        <strong>Access key of {props.made.accessKey.name}: its secret is shown this once</strong>
        <span class="warning">
          Keep it now: nobody can read it again. One that is lost, or seen by others, is removed and made anew.
        </span>
        <div class="title">
          <span class="quiet">Access key ID</span> <code>{id()}</code>
          <CopyButton text={id()} what="access key ID" />
        </div>
        <div class="title">
          <span class="quiet">Secret access key</span> <code>{secret()}</code>
          <CopyButton text={secret()} what="secret access key" />
        </div>
        <div class="title">
          <SaveButton name="aws.env" text={environment()} />
          <button type="button" class="plain small" onClick={() => props.onDone()}>
            I have kept it
          </button>
        </div>
      </div>
    </InView>
  );
}
