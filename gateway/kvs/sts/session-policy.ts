/**
 * A session policy as IAM writes it, as statements of ours: what temporary credentials are narrowed to. What cannot be honoured
 * here to the letter is refused, since leaving it out would allow more than was meant.
 */

import { z } from 'zod';
import type { PolicyStatement } from '../../../storage/catalog/index.ts';
import { stsError } from './errors.ts';

/** As AWS bounds it. */
const policyCharactersMax = 2_048;

const listOf = (item: z.ZodString) => z.union([item.transform((one) => [one]), z.array(item).min(1).max(100)]);
// No `?`, which is one character in IAM and itself in our patterns; no `$`, which begins a variable there.
const action = z.string().regex(/^(?:\*|[A-Za-z0-9-]{1,64}:[A-Za-z0-9*]{1,128})$/);
const resource = z.string().regex(/^[A-Za-z0-9*:/_.+=,@-]{1,512}$/);

/** Strict: `NotAction`, `NotResource`, `Condition` and whatever comes next are members that are refused. */
const statement = z.strictObject({
  Sid: z.string().max(256).optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Action: listOf(action),
  Resource: listOf(resource),
});

const document = z.strictObject({
  Version: z.enum(['2012-10-17', '2008-10-17']).optional(),
  Id: z.string().max(256).optional(),
  Statement: z.union([statement.transform((one) => [one]), z.array(statement).min(1).max(50)]),
});

/**
 * @returns statements with action patterns in lower case, since IAM's count without regard to case
 * @throws AppError MalformedPolicyDocument
 * @throws AppError PackedPolicyTooLarge
 */
export function readSessionPolicy(text: string): PolicyStatement[] {
  if (text.length > policyCharactersMax) {
    throw stsError('PackedPolicyTooLarge', `The session policy has more than ${policyCharactersMax} characters.`);
  }
  const parsed = document.safeParse(jsonOf(text));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue === undefined || issue.path.length === 0 ? 'document' : issue.path.join('.');
    throw malformed(`cannot be honoured at ${where.slice(0, 100)}: Effect, Action and Resource are known here`);
  }
  return parsed.data.Statement.map(({ Effect, Action, Resource }) => ({
    effect: Effect === 'Allow' ? 'allow' : 'deny',
    actions: Action.map((pattern) => pattern.toLowerCase()),
    resources: Resource,
  }));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed('is no JSON');
  }
}

function malformed(why: string) {
  return stsError('MalformedPolicyDocument', `The session policy ${why}.`);
}
