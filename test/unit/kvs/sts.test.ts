import fc from 'fast-check';
import { expect, test } from 'vitest';
import { answerSts, readForm, type StsCall, stsErrorAnswer } from '../../../gateway/kvs/index.ts';
import { readSessionPolicy } from '../../../gateway/kvs/sts/session-policy.ts';
import { xmlText } from '../../../gateway/kvs/sts/xml.ts';
import { AppError, appError, toAppError } from '../../../storage/base/errors.ts';

const bytes = (text: string) => Buffer.from(text);

/** What a client is told. */
function refusal(action: () => unknown): string {
  try {
    action();
    return 'no refusal';
  } catch (error) {
    const { name, httpStatus } = stsErrorAnswer(toAppError(error), 'request-1');
    return `${httpStatus} ${name}`;
  }
}

function call(form: string, change: Partial<StsCall> = {}): StsCall {
  return {
    form: readForm(bytes(form)),
    site: { region: 'us-east-1', accountId: '000000000000' },
    requestId: 'request-1',
    principal: { arn: 'arn:aws:iam::000000000000:user/a', userId: 'WEIRA' },
    isTemporary: false,
    mayAssume: () => true,
    assume: ({ durationMs }) => ({
      accessKeyId: 'WEITA',
      secretAccessKey: '<secret>',
      sessionToken: 'token&',
      expiresMs: durationMs,
    }),
    ...change,
  };
}

const role =
  'Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A000000000000%3Arole%2Freader&RoleSessionName=shift';

test('a form is read as it was written, and what is empty is absent', () => {
  const form = readForm(bytes('a=1+2%2B3&b=&c=%C3%A9&d&=x'));

  expect([...form]).toEqual([
    ['a', '1 2+3'],
    ['c', 'é'],
    ['', 'x'],
  ]);
  expect(readForm(bytes('')).size).toBe(0);
});

test('what is no form is refused', () => {
  const many = Array.from({ length: 129 }, (_, i) => `a${i}=1`).join('&');
  for (const text of ['a=%', 'a=%zz', 'a=1&a=2', 'a=%C3', many, `${'a'.repeat(129)}=1`]) {
    expect([text.slice(0, 20), refusal(() => readForm(bytes(text)))]).toEqual([
      text.slice(0, 20),
      '400 MalformedQueryString',
    ]);
  }
  expect(refusal(() => readForm(Uint8Array.of(0x61, 0x3d, 0xff)))).toBe('400 MalformedQueryString');
});

test('whatever comes as a form, a policy or a parameter, there is an answer in well-formed XML', () => {
  const parameter = fc.constantFrom(
    'Action',
    'Version',
    'RoleArn',
    'RoleSessionName',
    'Policy',
    'DurationSeconds',
    'Tags.member.1.Key',
  );
  const good = {
    Action: 'AssumeRole',
    Version: '2011-06-15',
    RoleArn: 'arn:aws:iam::000000000000:role/reader',
    RoleSessionName: 'shift',
  };

  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (body) => {
      expect(refusal(() => readForm(body))).toMatch(/^(no refusal|400 MalformedQueryString)$/);
    }),
  );
  fc.assert(
    fc.property(fc.dictionary(parameter, fc.string({ unit: 'binary' })), (change) => {
      const form = new URLSearchParams({ ...good, ...change }).toString();
      let answer: string;
      try {
        answer = answerSts(call(form));
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
        const told = stsErrorAnswer(toAppError(error), 'request-1');
        expect(told.httpStatus).toBeLessThan(500);
        answer = told.body;
      }
      expect(answer).toMatch(/^<(\w+)Response xmlns="[^"]+">.*<\/\1Response>$/s);
      expect(answer.replace(/&(amp|lt|gt|quot);/g, '')).not.toContain('&');
    }),
  );
  fc.assert(fc.property(fc.json(), (text) => /^400 |^no refusal$/.test(refusal(() => readSessionPolicy(text)))));
});

test('texts of XML have nothing that XML takes for its own', () => {
  expect(xmlText('<a b="c">&')).toBe('&lt;a b=&quot;c&quot;&gt;&amp;');
  expect(xmlText('a\u0000\u001f\ud800\ufffe\u{1f600}\n')).toBe('a\ufffd\ufffd\ufffd\ufffd\u{1f600}\n');
});

test('a role is assumed for an hour unless the client says otherwise', () => {
  const expires = (form: string, change: Partial<StsCall> = {}) =>
    /<Expiration>(.*)<\/Expiration>/.exec(answerSts(call(form, change)))?.[1];

  expect(expires(role)).toBe('1970-01-01T01:00:00Z');
  expect(expires(`${role}&DurationSeconds=900`)).toBe('1970-01-01T00:15:00Z');
  expect(expires(`${role}&DurationSeconds=43200`)).toBe('1970-01-01T12:00:00Z');
  for (const seconds of ['899', '43201', '1e3', '-900', '0x400']) {
    expect(refusal(() => answerSts(call(`${role}&DurationSeconds=${seconds}`)))).toBe('400 ValidationError');
  }
  expect(refusal(() => expires(`${role}&DurationSeconds=3601`, { isTemporary: true }))).toBe('400 ValidationError');
  expect(answerSts(call(role))).toContain('<SecretAccessKey>&lt;secret&gt;</SecretAccessKey>');
});

test('another action, version or nothing at all is told by its name', () => {
  expect(refusal(() => answerSts(call('')))).toBe('400 MissingAction');
  expect(refusal(() => answerSts(call('Action=GetCallerIdentity')))).toBe('400 InvalidAction');
  expect(refusal(() => answerSts(call('Action=GetSessionToken&Version=2011-06-15')))).toBe('400 InvalidAction');
  expect(refusal(() => answerSts(call(role, { assume: () => undefined })))).toBe('400 PackedPolicyTooLarge');
  expect(refusal(() => answerSts(call(role, { mayAssume: () => false })))).toBe('403 AccessDenied');
});

test('of our own mistakes a client learns that there was one', () => {
  const told = stsErrorAnswer(appError('internal', 'the secret is 42'), 'request-1');

  expect(told).toMatchObject({ httpStatus: 500, name: 'InternalFailure' });
  expect(told.body).not.toContain('42');
});

test('a session policy is read as IAM writes it, one or many of everything', () => {
  const policy = {
    Version: '2012-10-17',
    Statement: [
      { Sid: 'one', Effect: 'Allow', Action: 'kinesisvideo:Get*', Resource: '*' },
      { Effect: 'Deny', Action: ['KinesisVideo:GetMedia', '*'], Resource: ['arn:aws:kinesisvideo:*:*:stream/a/*'] },
    ],
  };

  expect(readSessionPolicy(JSON.stringify(policy))).toEqual([
    { effect: 'allow', actions: ['kinesisvideo:get*'], resources: ['*'] },
    { effect: 'deny', actions: ['kinesisvideo:getmedia', '*'], resources: ['arn:aws:kinesisvideo:*:*:stream/a/*'] },
  ]);
});
