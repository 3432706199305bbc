/**
 * The one authoriser: may this subject do that with this? Pure, over policies; people, tokens and the machine's own socket are
 * all asked about here and nowhere else. What no statement allows is denied, and a denial outweighs every allowance.
 */

import type { PolicyStatement } from '../../storage/catalog/index.ts';

/** Who asks, with everything that the catalog says about what it may do. */
export type Subject = {
  readonly kind: 'user' | 'token' | 'access-key' | 'device' | 'role' | 'stream-key' | 'local' | 'anonymous';
  readonly id: string;
  readonly name: string;
  readonly role: string | null;
  readonly statements: readonly PolicyStatement[];
  /**
   * What the subject was narrowed to when its temporary credentials were made: it may do only what these allow as well. Action
   * patterns in lower case, and all of them count without regard to case: they are IAM's from the first to the last.
   */
  readonly restriction?: readonly PolicyStatement[] | undefined;
  /** A one-time password was used: only `own:*` until it is replaced. */
  readonly mustChangePassword: boolean;
};

/** What it is done with: `camera/k3x9`, `system`; see the README. */
export type Resource = string;

/** What anyone who is logged in may do with their own account. */
const ownStatements: readonly PolicyStatement[] = [{ effect: 'allow', actions: ['own:*'], resources: ['own'] }];

/**
 * Services whose actions AWS gave their names: as in IAM these count without regard to case, and AWS itself writes some of them
 * in two ways. A denial that is spelled otherwise would deny nothing, and nobody would notice.
 */
const awsServices = ['kinesisvideo', 'sts'] as const;

/** True for an action, or a pattern of actions, of that service, however it is spelled. */
export function isActionOf(service: (typeof awsServices)[number], action: string): boolean {
  return action.toLowerCase().startsWith(`${service}:`);
}

/** Nobody: may do nothing. */
export const anonymous: Subject = {
  kind: 'anonymous',
  id: '',
  name: '',
  role: null,
  statements: [],
  mustChangePassword: false,
};

/** True when the subject may do the action with the resource. */
export function decide(subject: Subject, action: string, resource: Resource): boolean {
  return decideByNames(subject, action, [resource]);
}

/** The same for one thing that has several names, as a stream has an ARN too: a statement counts that covers any of them. */
export function decideByNames(subject: Subject, action: string, names: readonly Resource[]): boolean {
  return layersOf(subject, action).every(({ statements, isAsked }) => {
    const matching = statements.filter(
      (statement) =>
        statement.actions.some(isAsked) &&
        statement.resources.some((pattern) => names.some((name) => covers(pattern, name))),
    );
    return matching.length > 0 && matching.every((statement) => statement.effect === 'allow');
  });
}

/**
 * True when there may be a resource with which the subject may do the action: asked before a list is made, whose items are
 * then decided one by one.
 */
export function decideAny(subject: Subject, action: string): boolean {
  return layersOf(subject, action).every(({ statements, isAsked }) => {
    const matching = statements.filter((statement) => statement.actions.some(isAsked));
    const isDenied = matching.some((statement) => statement.effect === 'deny' && statement.resources.includes('*'));
    return !isDenied && matching.some((statement) => statement.effect === 'allow');
  });
}

/** Action patterns that the subject is allowed somewhere: what a page offers. Not a decision. */
export function allowedActions(subject: Subject): string[] {
  const patterns = statementsOf(subject).flatMap((statement) =>
    statement.effect === 'allow' ? statement.actions : [],
  );
  return [...new Set(patterns)].sort();
}

/** Each must allow: what its policies say, and what it was narrowed to. */
function layersOf(subject: Subject, action: string): Layer[] {
  const folded = action.toLowerCase();
  const isFolded = awsServices.some((service) => isActionOf(service, action));
  const own = {
    statements: statementsOf(subject),
    isAsked: (pattern: string) => (isFolded ? matches(pattern.toLowerCase(), folded) : matches(pattern, action)),
  };
  if (subject.restriction === undefined) return [own];
  return [own, { statements: subject.restriction, isAsked: (pattern) => matches(pattern, folded) }];
}

type Layer = {
  readonly statements: readonly PolicyStatement[];
  /** Whether an action pattern covers what is asked. */
  readonly isAsked: (pattern: string) => boolean;
};

function statementsOf(subject: Subject): readonly PolicyStatement[] {
  if (subject.kind === 'anonymous') return [];
  return subject.mustChangePassword ? ownStatements : [...ownStatements, ...subject.statements];
}

/** A pattern covers what it matches and everything below that. */
function covers(pattern: string, resource: Resource): boolean {
  return matches(pattern, resource) || matches(`${pattern}/*`, resource);
}

/**
 * Whether the text is what the pattern says, `*` being any run of characters. What stands between two stars is looked for once, from
 * where the piece before it ended: clients write patterns too, in session policies, and name the things that they are held against.
 */
function matches(pattern: string, text: string): boolean {
  const [first = '', ...others] = pattern.split('*');
  const last = others.pop();
  if (last === undefined) return pattern === text;
  const endAt = text.length - last.length;
  if (endAt < first.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  for (const piece of others) {
    const found = text.indexOf(piece, at);
    if (found < 0 || found + piece.length > endAt) return false;
    at = found + piece.length;
  }
  return true;
}
