import fc from 'fast-check';
import { expect, test } from 'vitest';
import { allowedActions, anonymous, decide, decideAny, type Subject } from '../../../appliance/admin/authoriser.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import type { PolicyStatement } from '../../../storage/catalog/index.ts';

const subjectWith = (...statements: PolicyStatement[]): Subject => ({
  kind: 'user',
  id: 'u',
  name: 'ada',
  role: null,
  mustChangePassword: false,
  statements,
});
const allow = (actions: string[], resources: string[]): PolicyStatement => ({ effect: 'allow', actions, resources });
const deny = (actions: string[], resources: string[]): PolicyStatement => ({ effect: 'deny', actions, resources });

test('what no statement allows is denied', () => {
  const subject = subjectWith(allow(['cameras:read'], ['camera/a']));

  expect(decide(subject, 'cameras:read', 'camera/a')).toBe(true);
  expect(decide(subject, 'cameras:update', 'camera/a')).toBe(false);
  expect(decide(subject, 'cameras:read', 'camera/b')).toBe(false);
  expect(decide(subjectWith(), 'cameras:read', 'camera/a')).toBe(false);
});

test('a denial outweighs every allowance, in any order', () => {
  const all = allow(['*'], ['*']);
  const none = deny(['streams:export'], ['camera/a']);

  for (const subject of [subjectWith(all, none), subjectWith(none, all)]) {
    expect(decide(subject, 'streams:export', 'camera/a/stream/s')).toBe(false);
    expect(decide(subject, 'streams:export', 'camera/b/stream/s')).toBe(true);
  }
});

test('a resource covers what is below it, and not what only begins like it', () => {
  const subject = subjectWith(allow(['streams:view'], ['camera/ab']));

  expect(decide(subject, 'streams:view', 'camera/ab/stream/s')).toBe(true);
  expect(decide(subject, 'streams:view', 'camera/abc/stream/s')).toBe(false);
  expect(decide(subject, 'streams:view', 'camera')).toBe(false);
});

test('nobody may do anything, and a one-time password only its own replacement', () => {
  const all = allow(['*'], ['*']);

  expect(decide({ ...anonymous, statements: [all] }, 'own:read', 'own')).toBe(false);
  const fresh = { ...subjectWith(all), mustChangePassword: true };
  expect(decide(fresh, 'own:password', 'own')).toBe(true);
  expect(decide(fresh, 'cameras:read', 'camera/a')).toBe(false);
  expect(decideAny(fresh, 'cameras:read')).toBe(false);
});

test('a list is worth making when something could be in it', () => {
  expect(decideAny(subjectWith(allow(['cameras:*'], ['camera/a'])), 'cameras:read')).toBe(true);
  expect(decideAny(subjectWith(allow(['streams:*'], ['*'])), 'cameras:read')).toBe(false);
  expect(decideAny(subjectWith(allow(['*'], ['*']), deny(['cameras:*'], ['*'])), 'cameras:read')).toBe(false);
});

test('a page is told patterns of actions, each once', () => {
  const subject = subjectWith(
    allow(['cameras:read', 'events:read'], ['*']),
    allow(['cameras:read'], ['x']),
    deny(['y'], ['*']),
  );

  expect(allowedActions(subject)).toEqual(['cameras:read', 'events:read', 'own:*']);
});

const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', ':'), maxLength: 12 });

test('whatever is decided about one resource is possible for some', () => {
  const statement = fc.record<PolicyStatement>({
    effect: fc.constantFrom('allow', 'deny'),
    actions: fc.array(fc.constantFrom('*', 'a:*', 'a:b', '*:b'), { minLength: 1, maxLength: 2 }),
    resources: fc.array(fc.constantFrom('*', 'x', 'x/*', 'x/y', '*y'), { minLength: 1, maxLength: 2 }),
  });
  fc.assert(
    fc.property(
      fc.array(statement, { maxLength: 4 }),
      fc.constantFrom('a:b', 'a:c', 'b:b'),
      fc.constantFrom('x', 'x/y', 'x/y/z', 'z'),
      (statements, action, resource) => {
        const subject = subjectWith(...statements);
        if (decide(subject, action, resource)) expect(decideAny(subject, action)).toBe(true);
        const denied = subjectWith(...statements, deny([action], [resource]));
        expect(decide(denied, action, resource)).toBe(false);
      },
    ),
  );
});

test('wildcards match as regular expressions do, however many there are', () => {
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '/'), maxLength: 10 });
  fc.assert(
    fc.property(pattern, text, (actionPattern, action) => {
      const expected = new RegExp(`^${actionPattern.replaceAll('*', '.*')}$`).test(action);
      expect(decide(subjectWith(allow([actionPattern], ['r'])), action, 'r')).toBe(expected);
    }),
  );
  const begun = systemClock.monotonicMs();
  decide(subjectWith(allow([`${'*a'.repeat(100)}b`], ['r'])), 'a'.repeat(200), 'r');
  // A matcher that tries all ways would take for ever.
  expect(systemClock.monotonicMs() - begun).toBeLessThan(10_000);
});

test('lists of a thousand names are decided at once by the worst patterns that fit into a session policy', () => {
  const name = `stream/${'a'.repeat(256)}`;
  const pieces = [`*${'a'.repeat(200)}b*${'a'.repeat(200)}c`, `*b${'a'.repeat(200)}*c${'a'.repeat(200)}`];
  const subject = subjectWith(allow(['*'], [...pieces, `${'*a'.repeat(200)}b`, ...pieces]));
  const begun = systemClock.monotonicMs();

  for (let i = 0; i < 5_000; i++) decide(subject, 'kinesisvideo:ListStreams', name);

  expect(systemClock.monotonicMs() - begun).toBeLessThan(6_000);
});

test('a restriction takes away and never adds, and its actions count without regard to case', () => {
  const statements: PolicyStatement[] = [{ effect: 'allow', actions: ['kinesisvideo:*'], resources: ['a', 'b'] }];
  const narrowed = (restriction: PolicyStatement[]) => ({
    ...anonymous,
    kind: 'role' as const,
    statements,
    restriction,
  });
  const onA = narrowed([{ effect: 'allow', actions: ['kinesisvideo:getmedia'], resources: ['a', 'c'] }]);
  const notA = narrowed([
    { effect: 'allow', actions: ['*'], resources: ['*'] },
    { effect: 'deny', actions: ['kinesisvideo:getmedia'], resources: ['a'] },
  ]);
  const asked = (subject: Subject) =>
    ['a', 'b', 'c'].map((resource) => decide(subject, 'kinesisvideo:GetMedia', resource));

  expect(asked(onA)).toEqual([true, false, false]);
  expect(asked(notA)).toEqual([false, true, false]);
  expect(asked(narrowed([]))).toEqual([false, false, false]);
  expect(decideAny(onA, 'kinesisvideo:GetMedia')).toBe(true);
  expect(decideAny(onA, 'kinesisvideo:PutMedia')).toBe(false);
  expect(decideAny(narrowed([]), 'kinesisvideo:GetMedia')).toBe(false);
});

test("AWS's actions count without regard to case, as in IAM, whoever wrote them; resources and our own actions do not", () => {
  const all = allow(['*'], ['*']);
  const arn = 'arn:aws:kinesisvideo:us-east-1:000000000000:stream/Gate/1';
  for (const spelling of ['kinesisvideo:Describestream', 'KinesisVideo:DescribeStream', 'KINESISVIDEO:DESCRIBE*']) {
    expect(decide(subjectWith(all, deny([spelling], ['*'])), 'kinesisvideo:DescribeStream', arn)).toBe(false);
    expect(decide(subjectWith(all, deny([spelling], ['*'])), 'kinesisvideo:GetMedia', arn)).toBe(true);
    expect(decide(subjectWith(allow([spelling], ['*'])), 'kinesisvideo:DescribeStream', arn)).toBe(true);
    expect(decideAny(subjectWith(all, deny([spelling], ['*'])), 'kinesisvideo:DescribeStream')).toBe(false);
    expect(decideAny(subjectWith(allow([spelling], [arn])), 'kinesisvideo:DescribeStream')).toBe(true);
    // A name in other letters is another stream.
    const elsewhere = arn.replace('Gate', 'gate');
    expect(decide(subjectWith(allow([spelling], [elsewhere])), 'kinesisvideo:DescribeStream', arn)).toBe(false);
  }

  expect(decide(subjectWith(all, deny(['STS:assumerole'], ['*'])), 'sts:AssumeRole', 'role/a')).toBe(false);
  expect(decide(subjectWith(allow(['Cameras:Read'], ['*'])), 'cameras:read', 'camera/a')).toBe(false);
});
