/** Judges what the running appliance says of itself. Facts in, verdicts out. */

import { type Finding, verdictsOf } from './finding.ts';

export type ApplianceFacts = {
  readonly version: string;
  readonly roles: readonly {
    readonly role: string;
    readonly state: string;
    readonly restarts: number;
    readonly reason: string | null;
  }[];
  /** What the keeper tells of itself; null when it cannot be asked. */
  readonly keeperProblems:
    | readonly { readonly code: string; readonly message: string; readonly hint?: string | null | undefined }[]
    | null;
  readonly alarms: readonly {
    readonly code: string;
    readonly severity: string;
    readonly title: string;
    readonly hint: string | null;
  }[];
};

export type ApplianceAnswer =
  | { readonly kind: 'running'; readonly facts: ApplianceFacts }
  /** Nobody listens: it does not run. */
  | { readonly kind: 'off' }
  /** Somebody listens and does not answer, or answers nonsense. */
  | { readonly kind: 'mute'; readonly message: string };

export function judgeAppliance(answer: ApplianceAnswer): Finding[] {
  const verdicts = verdictsOf('appliance', 'weir');
  if (answer.kind === 'off') return verdicts.unchecked('does not run on this data directory');
  if (answer.kind === 'mute') {
    return verdicts.fault(
      'role-away',
      `does not answer: ${answer.message}`,
      'look at the log of serve (data/logs/serve.log); recording does not need it',
    );
  }
  const { version, roles, keeperProblems, alarms } = answer.facts;
  return [
    ...verdicts.ok(`runs, version ${version}`),
    ...roles.flatMap(({ role, state, restarts, reason }) => {
      const one = verdictsOf('appliance', role);
      const again = restarts === 0 ? '' : `, started anew ${restarts} times`;
      if (state === 'running') return one.ok(`runs${again}`);
      return one.fault(
        'role-away',
        `is ${state}${again}: ${reason ?? 'no reason is told'}`,
        `look at its log (data/logs/${role}.log)`,
      );
    }),
    ...(keeperProblems === null
      ? verdictsOf('appliance', 'keeper').fault(
          'role-away',
          'cannot be asked',
          'look at its log (data/logs/keeper.log)',
        )
      : keeperProblems.flatMap(({ code, message, hint }) =>
          verdictsOf('appliance', 'keeper').fault(code, message, hint ?? 'see the page of the runbook'),
        )),
    ...alarms.flatMap(({ code, severity, title, hint }) => {
      const one = verdictsOf('alarm', code);
      return (severity === 'warning' ? one.warning : one.fault)(code, title, hint ?? 'see the page of the runbook');
    }),
  ];
}
