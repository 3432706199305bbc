/** Says that what is shown is converted, or why it is not, and what else can be had. */

import { Match, Show, Switch } from 'solid-js';
import { Fault } from '../fault.tsx';
import './conversion.css';
import type { Playable } from './playable.ts';

export function Conversion(props: { readonly form: Playable; readonly onSmaller: () => void }) {
  const converted = () => (props.form.kind === 'converted' ? props.form : undefined);
  const refused = () => (props.form.kind === 'refused' ? props.form : undefined);
  return (
    <Switch>
      <Match when={converted()}>
        {(form) => (
          <p class="conversion" title="The recording stays as the camera sent it; a clip is exported so, too.">
            Converted to H.264: this browser cannot play {form().codec}
          </p>
        )}
      </Match>
      <Match when={refused()}>
        {(form) => (
          <div class="conversion refused">
            <Fault fault={form().fault} />
            <p>
              <Show when={form().hasSmaller}>
                <button type="button" onClick={() => props.onSmaller()}>
                  Watch the smaller picture
                </button>
              </Show>
              <a href={form().downloadUrl} download="">
                Download the original
              </a>
            </p>
          </div>
        )}
      </Match>
    </Switch>
  );
}
