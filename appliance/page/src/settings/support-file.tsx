/** One file with what a stranger needs to help; it is made when it is asked for. */

import { createSignal } from 'solid-js';

export function SupportFile() {
  const [areHostsMasked, setHostsMasked] = createSignal(false);
  return (
    <section class="card">
      <h2>File for support</h2>
      <p class="quiet">
        Versions, settings, states and the last log lines for whoever is to help: without passwords, without pictures.
        It takes up to half a minute.
      </p>
      <label class="check">
        <input
          type="checkbox"
          checked={areHostsMasked()}
          onChange={(event) => setHostsMasked(event.currentTarget.checked)}
        />
        Replace names and addresses of hosts
      </label>
      <a class="button second start" download="" href={`/api/system/support?maskHosts=${areHostsMasked()}`}>
        Download
      </a>
    </section>
  );
}
