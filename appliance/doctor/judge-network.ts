/** Judges ports and names. Facts in, verdicts out. */

import { type Finding, verdictsOf } from './finding.ts';

export type PortFacts = {
  /** What it is for: 'page and API'. */
  readonly purpose: string;
  /** The key of the configuration. */
  readonly key: string;
  readonly port: number;
  /** `ours`: the appliance on this data directory has it; `refused`: not allowed, or no such address. */
  readonly holder: 'free' | 'ours' | 'other' | 'refused';
  /** Process id and program of another one, or why it was refused. */
  readonly who?: string | undefined;
  /** Whether the appliance runs: then a free port is one that it should have. */
  readonly isExpected: boolean;
};

export function judgePort({ purpose, key, port, holder, who, isExpected }: PortFacts): Finding[] {
  const verdicts = verdictsOf('port', `${port} (${purpose})`);
  switch (holder) {
    case 'ours':
      return verdicts.ok('open, and ours');
    case 'other':
      return verdicts.fault(
        'port-taken',
        `another program has it${who === undefined ? '' : `: ${who}`}`,
        `end that program, or choose another port (${key})`,
      );
    case 'refused':
      return verdicts.fault(
        'port-taken',
        `cannot be opened: ${who ?? 'no reason is told'}`,
        `ports below 1024 need a right of their own; an address must be one of this machine (${key})`,
      );
    case 'free':
      return isExpected
        ? verdicts.fault(
            'role-away',
            'nobody listens although Weir runs',
            'look at the log of the process that should: weir support collects it',
          )
        : verdicts.ok('free');
  }
}

export type NameFacts = {
  readonly host: string;
  /** Whose: 'camera Gate', 'object store'. */
  readonly users: readonly string[];
  /** Undefined when it resolved. */
  readonly error: string | undefined;
  readonly addresses: readonly string[];
};

export function judgeName({ host, users, error, addresses }: NameFacts): Finding[] {
  const verdicts = verdictsOf('name', host);
  const whose = users.length > 3 ? `${users.slice(0, 3).join(', ')} and ${users.length - 3} more` : users.join(', ');
  if (error === undefined) return verdicts.ok(`${addresses.slice(0, 3).join(', ')} (${whose})`);
  return verdicts.fault(
    'name-unresolved',
    `does not resolve (${error}); needed by ${whose}`,
    'ask the name server (getent hosts NAME), or use the address',
  );
}
