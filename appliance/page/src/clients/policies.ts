/** What keys and devices may be allowed: three presets that are made when they are first chosen, and the site's own policies. */

import { createMemo, createResource } from 'solid-js';
import { call } from '../api.ts';
import { createMay } from '../frame/session.ts';

type Statement = {
  readonly effect: 'allow' | 'deny';
  readonly actions: readonly string[];
  readonly resources: readonly string[];
};
export type Policy = { readonly name: string; readonly description: string; readonly statements: readonly Statement[] };
/** `isToBeMade`: no such policy is there yet. */
export type PolicyChoice = Policy & { readonly title: string; readonly isToBeMade: boolean };

const presets: readonly (Policy & { readonly title: string })[] = [
  preset(
    'kvs-send',
    'Send media',
    'Finds streams and sends media to them; reads none, and makes and removes no stream.',
    ['DescribeStream', 'GetDataEndpoint', 'PutMedia'],
  ),
  preset('kvs-read', 'Watch and read', 'Lists streams and reads their media, live and recorded; changes nothing.', [
    'List*',
    'Describe*',
    'Get*',
  ]),
  preset('kvs-all', 'Everything of the KVS API', 'Makes, changes and removes streams and channels, sends and reads.', [
    '*',
  ]),
];

function preset(name: string, title: string, description: string, operations: readonly string[]) {
  const actions = operations.map((operation) => `kinesisvideo:${operation}`);
  return { name, title, description, statements: [{ effect: 'allow' as const, actions, resources: ['*'] }] };
}

/** Presets first, then what the site has, of policies that allow clients anything. */
export function policyChoices(policies: readonly Policy[], { mayMake }: { readonly mayMake: boolean }): PolicyChoice[] {
  const isKnown = (name: string) => policies.some((policy) => policy.name === name);
  const offered = presets.filter(({ name }) => mayMake && !isKnown(name)).map((one) => ({ ...one, isToBeMade: true }));
  const known = policies.filter(allowsClients).map((policy) => {
    const like = presets.find(({ name }) => name === policy.name);
    const isLike = like !== undefined && JSON.stringify(like.statements) === JSON.stringify(policy.statements);
    return { ...policy, title: isLike ? like.title : policy.name, isToBeMade: false };
  });
  const rank = ({ name, title }: PolicyChoice) => {
    const at = presets.findIndex((one) => one.name === name && one.title === title);
    return at === -1 ? presets.length : at;
  };
  return [...offered, ...known].sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

/** Roles for people give clients of the KVS API nothing; neither do policies that only deny. */
export function allowsClients({ statements }: Pick<Policy, 'statements'>): boolean {
  return statements.some(({ effect, actions }) => effect === 'allow' && actions.some(coversKvs));
}

function coversKvs(pattern: string): boolean {
  const [literal = ''] = pattern.split('*', 1);
  const service = 'kinesisvideo:';
  return literal.startsWith(service) || (pattern.includes('*') && service.startsWith(literal));
}

/** @param changed  read again whenever this changes */
export function createPolicyChoices(changed: () => number) {
  const may = createMay();
  const [policies, { refetch }] = createResource(changed, () =>
    call<{ policies: Policy[] }>('GET', '/api/policies').then(
      (answer) => answer.policies,
      () => [],
    ),
  );
  const choices = createMemo(() => policyChoices(policies.latest ?? [], { mayMake: may('policies:write') }));
  return {
    choices,
    /** Makes a preset's policy where it is not there yet. @throws ApiError */
    async ensure(name: string): Promise<void> {
      const choice = choices().find((one) => one.name === name);
      if (choice?.isToBeMade !== true) return;
      try {
        const { description, statements } = choice;
        await call('POST', '/api/policies', { name, description, statements });
      } finally {
        await refetch();
      }
    },
  };
}

export type PolicyChoices = ReturnType<typeof createPolicyChoices>;
