/** What a new device is to be: its thing name, its policy, how long its certificate is good, and whether it made its key itself. */

import { createSignal } from 'solid-js';
import type { PolicyChoices } from './policies.ts';
import { PolicySelect } from './policy-choice.tsx';

export type DeviceWish = {
  readonly name: string;
  readonly policy: string;
  readonly days: number;
  readonly csr: string | undefined;
};

const daysDefault = 3_650;
const daysMax = 7_300;

export function NewDeviceForm(props: {
  readonly policies: PolicyChoices;
  readonly isBusy: boolean;
  /** Resolves to whether it was certified: only then the form is empty again. */
  readonly onMake: (wish: DeviceWish) => Promise<boolean>;
}) {
  const [name, setName] = createSignal('');
  const [chosen, setChosen] = createSignal<string>();
  const [days, setDays] = createSignal(daysDefault);
  const [csr, setCsr] = createSignal('');
  const policy = () => chosen() ?? props.policies.choices()[0]?.name ?? '';
  const make = async (event: Event) => {
    event.preventDefault();
    const request = csr().trim();
    const wish = { name: name(), policy: policy(), days: days(), csr: request === '' ? undefined : request };
    if (!(await props.onMake(wish))) return;
    setName('');
    setCsr('');
  };
  return (
    <form class="card" aria-label="New device" onSubmit={(event) => void make(event)}>
      <div class="row clientform">
        <label>
          Thing name
          <input
            name="device-name"
            required
            maxlength="128"
            pattern="[a-zA-Z0-9:_.\-]+"
            title="a-z, A-Z, 0-9, : _ . and -"
            autocomplete="off"
            spellcheck={false}
            placeholder="gate"
            value={name()}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        <PolicySelect choices={props.policies.choices()} value={policy()} onChange={setChosen} />
        <label>
          Days that its certificate is good
          <input
            type="number"
            name="device-days"
            required
            min="1"
            max={daysMax}
            value={days()}
            onInput={(event) => setDays(event.currentTarget.valueAsNumber)}
          />
        </label>
        <button type="submit" class="second" disabled={props.isBusy}>
          Certify device
        </button>
      </div>
      <details>
        <summary>It has made its key itself</summary>
        <label>
          Signing request (PKCS #10, PEM): the private key then never leaves the device
          <textarea
            name="device-csr"
            rows="4"
            spellcheck={false}
            placeholder="-----BEGIN CERTIFICATE REQUEST-----"
            value={csr()}
            onInput={(event) => setCsr(event.currentTarget.value)}
          />
        </label>
      </details>
    </form>
  );
}
