/** The doctor looks at machine, disks, network, parts and cameras, and says what is wrong and what to do next. */

import { createSignal, For, Show } from 'solid-js';
import { type ApiFault, call, faultOf } from '../api.ts';
import { Fault, sentence } from '../fault.tsx';
import { clockText } from '../format.ts';

type Verdict = 'ok' | 'warning' | 'fault' | 'unchecked';
type Finding = {
  readonly area: string;
  readonly subject: string;
  readonly verdict: Verdict;
  readonly text: string;
  readonly next: string | null;
  readonly help: string | null;
};
type Diagnosis = { readonly atMs: number; readonly findings: readonly Finding[] };

const words: Readonly<Record<Verdict, string>> = {
  fault: 'wrong',
  warning: 'doubtful',
  unchecked: 'not looked at',
  ok: 'well',
};
const badges: Readonly<Record<Verdict, string>> = {
  fault: 'stopped',
  warning: 'retrying',
  unchecked: '',
  ok: 'recording',
};

export function DoctorCard() {
  const [diagnosis, setDiagnosis] = createSignal<Diagnosis>();
  const [isBusy, setBusy] = createSignal(false);
  const [fault, setFault] = createSignal<ApiFault>();
  const look = async () => {
    setBusy(true);
    setFault(undefined);
    try {
      setDiagnosis(await call<Diagnosis>('GET', '/api/system/doctor'));
    } catch (error) {
      setFault(faultOf(error));
    } finally {
      setBusy(false);
    }
  };
  const having = (isWanted: (verdict: Verdict) => boolean) =>
    (diagnosis()?.findings ?? []).filter(({ verdict }) => isWanted(verdict));
  const open = () => having(isOpen);
  const rest = () => having((verdict) => !isOpen(verdict));
  return (
    <section class="card">
      <h2>Doctor</h2>
      <p class="quiet">
        Looks at the machine, its disks and clock, the network, and each camera, and says what to do. Nothing is
        changed.
      </p>
      <div class="title">
        <button type="button" class="second" disabled={isBusy()} onClick={() => void look()}>
          {isBusy() ? 'Looking, up to 20 s …' : diagnosis() === undefined ? 'Look now' : 'Look again'}
        </button>
        <span role="status">
          <Show when={diagnosis()}>
            {(known) => (
              <>
                <span class={open().length === 0 ? 'good' : 'warning'}>{countText(open().length)}</span>{' '}
                <span class="quiet">At {clockText(known().atMs)}.</span>
              </>
            )}
          </Show>
        </span>
      </div>
      <Fault fault={fault()} />
      <Findings findings={open()} />
      <Show when={rest().length > 0}>
        <details>
          <summary>{rest().length} things that are well or were not looked at</summary>
          <Findings findings={rest()} />
        </details>
      </Show>
    </section>
  );
}

function Findings(props: { readonly findings: readonly Finding[] }) {
  return (
    <ul class="plainlist findings">
      <For each={props.findings}>
        {(finding) => (
          <li>
            <span>
              <span class={`badge ${badges[finding.verdict]}`}>{words[finding.verdict]}</span>
            </span>
            <div>
              <strong>
                {sentence(finding.area).replace(/\.$/, '')}: {finding.subject}
              </strong>
              <div>{sentence(finding.text)}</div>
              <div class="quiet">
                <Show when={finding.next}>{(next) => <>{sentence(next())}</>}</Show>{' '}
                <Show when={isOpen(finding.verdict) && finding.help}>
                  {(help) => (
                    <a class="link" href={help()} target="_blank" rel="noopener">
                      What to do
                    </a>
                  )}
                </Show>
              </div>
            </div>
          </li>
        )}
      </For>
    </ul>
  );
}

/** A person should look at it. */
function isOpen(verdict: Verdict): boolean {
  return verdict === 'fault' || verdict === 'warning';
}

function countText(count: number): string {
  if (count === 0) return 'Nothing is wrong.';
  return count === 1 ? 'One thing needs a look.' : `${count} things need a look.`;
}
