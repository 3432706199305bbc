/** The heartbeat: an address that is asked for while the appliance is well, so that somebody else notices when it is not. */

import { createSignal, Show } from 'solid-js';
import { type ApiFault, call, faultOf } from '../api.ts';
import { Fault, sentence } from '../fault.tsx';
import { dayTimeText } from '../format.ts';
import { createReading } from '../frame/reading.ts';
import { createMay } from '../frame/session.ts';

type Heartbeat = {
  readonly settings: { readonly origin: string; readonly method: 'GET' | 'POST'; readonly periodS: number } | null;
  readonly isWell: boolean;
  readonly illness: string | null;
  readonly last: { readonly atMs: number; readonly status: number | null; readonly error: string | null } | null;
};

export function HeartbeatCard(props: { readonly changed: number }) {
  const may = createMay();
  const heartbeat = createReading(() => call<Heartbeat>('GET', '/api/heartbeat'), { changed: () => props.changed });
  const [url, setUrl] = createSignal('');
  const [periodS, setPeriodS] = createSignal(60);
  const [fault, setFault] = createSignal<ApiFault>();
  const attempt = async (work: () => Promise<unknown>) => {
    setFault(undefined);
    try {
      await work();
    } catch (error) {
      setFault(faultOf(error));
    }
  };
  const save = (event: Event) => {
    event.preventDefault();
    return attempt(async () => {
      heartbeat.set(await call<Heartbeat>('PUT', '/api/heartbeat', { url: url(), periodS: periodS() }));
      setUrl('');
    });
  };
  const lastText = () => {
    const last = heartbeat.latest()?.last;
    if (last == null) return 'None was sent since the start.';
    return `Last ${dayTimeText(last.atMs)}: ${last.error ?? `status ${last.status}`}.`;
  };
  return (
    <section class="card">
      <h2>Heartbeat</h2>
      <p class="quiet">
        Asked for while the appliance is well. When it stops, somebody else's alarm goes off: also when the whole
        machine is gone.
      </p>
      <Fault fault={heartbeat.fault()} />
      <Show when={heartbeat.latest()}>
        {(known) => (
          <p>
            <span class={known().isWell ? 'good' : 'warning'}>
              {known().isWell ? 'The appliance is well.' : sentence(known().illness ?? 'it is not well')}
            </span>{' '}
            <Show when={known().settings} fallback={<span class="quiet">No heartbeat is set.</span>}>
              {(settings) => (
                <>
                  <code>{settings().origin}</code> every {settings().periodS} s. <span class="quiet">{lastText()}</span>
                </>
              )}
            </Show>
          </p>
        )}
      </Show>
      <Show when={may('webhooks:update')}>
        <form class="row" onSubmit={(event) => void save(event)}>
          <label>
            Address
            <input
              name="heartbeat-url"
              required
              placeholder="https://10.0.0.5:9000/alive"
              spellcheck={false}
              value={url()}
              onInput={(event) => setUrl(event.currentTarget.value)}
            />
          </label>
          <label>
            Every (seconds)
            <input
              type="number"
              min="10"
              max="3600"
              value={periodS()}
              onInput={(event) => setPeriodS(event.currentTarget.valueAsNumber || 60)}
            />
          </label>
          <button type="submit" class="second">
            Save
          </button>
          <Show when={heartbeat.latest()?.settings}>
            <button
              type="button"
              class="plain"
              onClick={() =>
                void attempt(async () => {
                  await call('DELETE', '/api/heartbeat');
                  heartbeat.again();
                })
              }
            >
              No heartbeat
            </button>
          </Show>
        </form>
      </Show>
      <Fault fault={fault()} />
    </section>
  );
}
