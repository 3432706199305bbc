/** Says that a site file manages something: what is changed by hand holds until the file is applied again. */

import { Show } from 'solid-js';

export function ManagedBadge(props: {
  /** Name of the site file; null shows nothing. */
  readonly site: string | null;
}) {
  return (
    <Show when={props.site}>
      {(site) => (
        <span
          class="badge managed"
          title={`Managed by the site file "${site()}": the next weir apply overwrites changes.`}
        >
          {site()}
        </span>
      )}
    </Show>
  );
}
