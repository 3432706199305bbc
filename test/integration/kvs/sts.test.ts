/** Temporary credentials by STS: made by the AWS SDK for JavaScript and the AWS CLI, used on the KVS API, and broken on purpose. */

import { writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { KinesisVideoClient, ListStreamsCommand } from '@aws-sdk/client-kinesis-video';
import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  GetCallerIdentityCommand,
  STSClient,
} from '@aws-sdk/client-sts';
import { SignatureV4 } from '@smithy/signature-v4';
import { expect, onTestFinished, test } from 'vitest';
import { runCommand } from '../../kit/run-command.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { NodeSha256 } from '../../unit/kvs/kit.ts';
import { everything, type Statement, startKvsSite } from './kit.ts';

const roleArn = (policy: string) => `arn:aws:iam::000000000000:role/${policy}`;
const mayAssume = (policy: string): Statement => ({
  effect: 'allow',
  actions: ['sts:AssumeRole'],
  resources: [roleArn(policy)],
});
const list: Statement = { effect: 'allow', actions: ['kinesisvideo:ListStreams'], resources: ['*'] };

type Keys = { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };

/** A site whose key may assume the role `reader`, which may list streams. */
async function startStsSite(statements: readonly Statement[] = [mayAssume('reader')], reader = [list]) {
  const kvs = await startKvsSite(statements);
  await kvs.admin.post('/api/policies', { name: 'reader', statements: reader });
  const sts = (credentials: Keys = kvs.credentials, endpoint = kvs.endpoint) => {
    const httpsAgent = new Agent({ ca: kvs.site.ca });
    const region = 'eu-central-1';
    const client = new STSClient({ endpoint, region, credentials, maxAttempts: 1, requestHandler: { httpsAgent } });
    onTestFinished(() => client.destroy());
    return client;
  };
  const assume = async (change: Partial<AssumeRoleCommandInput> = {}, by?: Keys) => {
    const wish = { RoleArn: roleArn('reader'), RoleSessionName: 'night-shift', ...change };
    const { Credentials: made } = await sts(by).send(new AssumeRoleCommand(wish));
    return {
      accessKeyId: made?.AccessKeyId ?? '',
      secretAccessKey: made?.SecretAccessKey ?? '',
      sessionToken: made?.SessionToken ?? '',
    };
  };
  return { ...kvs, sts, assume, as: (credentials: Keys) => kvs.sdk({ credentials }) };
}

const names = async (client: KinesisVideoClient) =>
  ((await client.send(new ListStreamsCommand({}))).StreamInfoList ?? []).map((stream) => stream.StreamName);

const refusal = (action: Promise<unknown>) =>
  action.then(
    () => 'no refusal',
    (error: { readonly name: string; readonly $metadata: { readonly httpStatusCode?: number } }) =>
      `${error.$metadata.httpStatusCode} ${error.name}`,
  );

test('a key learns who it is, and a role that it assumed too', async () => {
  const { sts, assume, credentials } = await startStsSite();
  const made = await assume();

  const own = await sts().send(new GetCallerIdentityCommand({}));
  const role = await sts(made).send(new GetCallerIdentityCommand({}));

  expect(own).toMatchObject({
    Account: '000000000000',
    Arn: 'arn:aws:iam::000000000000:user/client',
    UserId: credentials.accessKeyId,
  });
  expect(role).toMatchObject({
    Account: '000000000000',
    Arn: 'arn:aws:sts::000000000000:assumed-role/reader/night-shift',
    UserId: 'reader:night-shift',
  });
});

test('(26) an assumed role signs requests for as long as it was made, and may do what its policy says', async () => {
  const { sts, as, assume, sdk, site } = await startStsSite();
  const before = Date.now();

  const { Credentials, AssumedRoleUser } = await sts().send(
    new AssumeRoleCommand({ RoleArn: roleArn('reader'), RoleSessionName: 'night-shift', DurationSeconds: 900 }),
  );

  expect(AssumedRoleUser).toEqual({
    AssumedRoleId: 'reader:night-shift',
    Arn: 'arn:aws:sts::000000000000:assumed-role/reader/night-shift',
  });
  const lastsMs = (Credentials?.Expiration?.getTime() ?? 0) - before;
  expect(lastsMs).toBeGreaterThan(898_000);
  expect(lastsMs).toBeLessThan(1_000_000);
  expect(await refusal(sdk().send(new ListStreamsCommand({})))).toBe('403 AccessDeniedException');
  expect(await names(as(await assume()))).toHaveLength(2);
  expect(site.transcript.join('\n')).toContain('"subject":"role reader/night-shift"');
});

test('a role is assumed only where a policy says so, and nobody learns which roles there are', async () => {
  const nobody = await startStsSite([everything]);
  const denied = await startStsSite([
    { effect: 'allow', actions: ['*'], resources: ['*'] },
    { effect: 'deny', actions: ['sts:AssumeRole'], resources: [roleArn('reader')] },
  ]);

  expect(await refusal(nobody.assume())).toBe('403 AccessDenied');
  expect(await refusal(nobody.assume({ RoleArn: roleArn('nothing-here') }))).toBe('403 AccessDenied');
  expect(await refusal(denied.assume())).toBe('403 AccessDenied');
  expect(await refusal(denied.assume({ RoleArn: roleArn('nothing-here') }))).toBe('403 AccessDenied');
  expect(await refusal(denied.assume({ RoleArn: 'arn:aws:iam::123456789012:role/clients' }))).toBe('403 AccessDenied');
});

test('who may do everything but a little does not get that little by a role, unless somebody says so by name', async () => {
  const all: Statement = { effect: 'allow', actions: ['*'], resources: ['*'] };
  const noList: Statement = { effect: 'deny', actions: ['kinesisvideo:ListStreams'], resources: ['*'] };
  const everywhere = await startStsSite([all]);
  const allButList = await startStsSite([all, noList]);
  const named = await startStsSite([all, noList, { ...mayAssume('reader'), actions: ['STS:assumerole'] }]);

  expect(await names(everywhere.as(await everywhere.assume()))).toHaveLength(2);
  expect(await refusal(allButList.assume())).toBe('403 AccessDenied');
  expect(await refusal(allButList.assume({ RoleArn: roleArn('admin') }))).toBe('403 AccessDenied');
  expect(await names(named.as(await named.assume()))).toHaveLength(2);
  expect(await refusal(named.assume({ RoleArn: roleArn('admin') }))).toBe('403 AccessDenied');
});

test('a wish that cannot be granted whole is refused by its name', async () => {
  const { assume, sts } = await startStsSite();
  const policy = (statement: object) => JSON.stringify({ Version: '2012-10-17', Statement: statement });
  const some = { Effect: 'Allow', Action: 'kinesisvideo:*', Resource: '*' };

  for (const [wish, name] of [
    [{ DurationSeconds: 899 }, 'ValidationError'],
    [{ DurationSeconds: 43_201 }, 'ValidationError'],
    [{ RoleArn: 'arn:aws:iam::000000000000:user/somebody' }, 'ValidationError'],
    [{ RoleSessionName: 'a b' }, 'ValidationError'],
    [{ PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/ReadOnlyAccess' }] }, 'ValidationError'],
    [{ Tags: [{ Key: 'a', Value: 'b' }] }, 'ValidationError'],
    [{ TokenCode: '123456', SerialNumber: 'arn:aws:iam::000000000000:mfa/a' }, 'ValidationError'],
    [{ Policy: 'no json' }, 'MalformedPolicyDocumentException'],
    [
      { Policy: policy({ ...some, Condition: { Bool: { 'aws:SecureTransport': 'true' } } }) },
      'MalformedPolicyDocumentException',
    ],
    [
      { Policy: policy({ Effect: 'Allow', NotAction: 'kinesisvideo:GetMedia', Resource: '*' }) },
      'MalformedPolicyDocumentException',
    ],
    [
      { Policy: policy({ ...some, Resource: 'arn:aws:kinesisvideo:*:*:stream/?/*' }) },
      'MalformedPolicyDocumentException',
    ],
    [
      { Policy: policy({ ...some, Resource: `arn:aws:kinesisvideo:*:*:stream/$${'{aws:username}'}/*` }) },
      'MalformedPolicyDocumentException',
    ],
    [{ Policy: policy([some, { ...some, Sid: 'x'.repeat(2_100) }]) }, 'PackedPolicyTooLargeException'],
  ] as const) {
    expect([wish, await refusal(assume(wish as Partial<AssumeRoleCommandInput>))]).toEqual([wish, `400 ${name}`]);
  }
  expect(await refusal(sts().send(new AssumeRoleCommand({ RoleArn: undefined, RoleSessionName: 'abc' })))).toBe(
    '400 ValidationError',
  );
});

test('a session policy takes away and never adds, whatever case its actions are written in', async () => {
  const { assume, as } = await startStsSite([mayAssume('*')], [list]);
  const narrowed = async (...statements: object[]) =>
    as(await assume({ Policy: JSON.stringify({ Version: '2012-10-17', Statement: statements }) }));
  const allow = { Effect: 'Allow', Action: '*', Resource: '*' };
  const all = await names(as(await assume()));
  const [first = ''] = all;

  expect(await names(await narrowed(allow))).toEqual(all);
  expect(await names(await narrowed({ ...allow, Resource: [`arn:aws:kinesisvideo:*:*:stream/${first}/*`] }))).toEqual([
    first,
  ]);
  for (const client of [
    await narrowed({ ...allow, Action: 'kinesisvideo:GetMedia' }),
    await narrowed(allow, { Effect: 'Deny', Action: ['KinesisVideo:LISTstreams'], Resource: '*' }),
  ]) {
    expect(await refusal(client.send(new ListStreamsCommand({})))).toBe('403 AccessDeniedException');
  }
});

test('a narrowed session widens itself by nothing: neither by its role again nor by another', async () => {
  const { assume, admin } = await startStsSite([mayAssume('reader')], [list, mayAssume('reader'), mayAssume('wide')]);
  await admin.post('/api/policies', { name: 'wide', statements: [everything, mayAssume('wide')] });
  const Policy = JSON.stringify({ Statement: { Effect: 'Allow', Action: 'kinesisvideo:ListStreams', Resource: '*' } });

  const narrow = await assume({ Policy });
  const but = await assume({
    Policy: JSON.stringify({
      Statement: [
        { Effect: 'Allow', Action: '*', Resource: '*' },
        { Effect: 'Deny', Action: 'kinesisvideo:ListStreams', Resource: '*' },
      ],
    }),
  });

  expect(await refusal(assume({}, narrow))).toBe('403 AccessDenied');
  expect(await refusal(assume({}, but))).toBe('403 AccessDenied');
  expect(await refusal(assume({ RoleArn: roleArn('wide') }, narrow))).toBe('403 AccessDenied');
  expect(await refusal(assume({ RoleArn: roleArn('wide') }))).toBe('403 AccessDenied');
});

test('roles are assumed by roles for an hour at most, and not for ever', async () => {
  const { assume } = await startStsSite([mayAssume('reader')], [list, mayAssume('reader')]);
  const one = await assume();

  expect(await refusal(assume({ DurationSeconds: 3_601 }, one))).toBe('400 ValidationError');
  const four = await assume({}, await assume({}, await assume({}, one)));
  expect(await refusal(assume({}, four))).toBe('403 AccessDenied');
});

test('a role ends at once with its key, its policy, or the right to assume it', async () => {
  const { assume, as, admin, credentials } = await startStsSite();
  const client = as(await assume());
  const key = `/api/access-keys/${credentials.accessKeyId}`;
  const gone = '403 UnrecognizedClientException';
  const seen = () => refusal(client.send(new ListStreamsCommand({})));
  expect(await seen()).toBe('no refusal');

  await admin.patch(key, { isDisabled: true });
  expect(await seen()).toBe(gone);
  await admin.patch(key, { isDisabled: false });
  expect(await seen()).toBe('no refusal');

  await admin.put('/api/policies/clients', { statements: [everything] });
  expect(await seen()).toBe(gone);
  await admin.put('/api/policies/clients', { statements: [mayAssume('reader')] });
  expect(await seen()).toBe('no refusal');

  await admin.put('/api/policies/reader', { statements: [] });
  expect(await seen()).toBe('403 AccessDeniedException');
  await admin.delete('/api/policies/reader');
  expect(await seen()).toBe(gone);
});

test('(26) no part of a session token may be another one, nor that of another key', async () => {
  const { assume, as } = await startStsSite();
  const [one, other] = [await assume(), await assume()];
  const [version, keyId, body = ''] = one.sessionToken.split('.');
  const middle = Math.floor(body.length / 2);
  const flipped = body[middle] === 'A' ? 'B' : 'A';
  const { sessionToken: _, ...withoutToken } = one;

  for (const credentials of [
    withoutToken,
    { ...one, sessionToken: other.sessionToken },
    { ...one, accessKeyId: other.accessKeyId },
    { ...one, sessionToken: `v2.${keyId}.${body}` },
    { ...one, sessionToken: `${version}.00000000.${body}` },
    { ...one, sessionToken: `${version}.${keyId}.${body.slice(0, middle)}${flipped}${body.slice(middle + 1)}` },
    { ...one, sessionToken: `${version}.${keyId}.${body.slice(0, -2)}` },
    { ...one, sessionToken: `${one.sessionToken}=` },
    { ...one, sessionToken: `${one.sessionToken}.${body}` },
  ]) {
    const client = as(credentials);
    expect(await refusal(client.send(new ListStreamsCommand({})))).toBe('403 UnrecognizedClientException');
  }
  const wrongSecret = as({ ...one, secretAccessKey: other.secretAccessKey });
  expect(await refusal(wrongSecret.send(new ListStreamsCommand({})))).toBe('403 InvalidSignatureException');
  expect(await names(as(one))).toHaveLength(2);
});

test('secrets and tokens of temporary credentials are in no log', async () => {
  const { assume, as, site } = await startStsSite();
  const made = await assume();
  await names(as(made));

  const log = site.transcript.join('\n');
  expect(log).toContain(made.accessKeyId);
  for (const secret of [made.secretAccessKey, made.sessionToken]) expect(log).not.toContain(secret);
});

test('(32) what is wrongly signed is refused as the query protocol has it, and people still get their page', async () => {
  const { site, sts, credentials } = await startStsSite();
  const form = { 'content-type': 'application/x-www-form-urlencoded' };

  const raw = 'Action=GetCallerIdentity&Version=2011-06-15';
  const unsigned = await site.client().send('POST', '/', { raw, headers: form });

  expect([unsigned.status, unsigned.headers['content-type'], unsigned.text]).toEqual([
    403,
    'text/xml',
    expect.stringContaining('<Code>MissingAuthenticationToken</Code>'),
  ]);
  const wrong = sts({ ...credentials, secretAccessKey: 'x'.repeat(40) });
  expect(await refusal(wrong.send(new GetCallerIdentityCommand({})))).toBe('403 SignatureDoesNotMatch');
  const unknown = sts({ ...credentials, accessKeyId: 'WEIRAAAAAAAAAAAAAAAA' });
  expect(await refusal(unknown.send(new GetCallerIdentityCommand({})))).toBe('403 InvalidClientTokenId');
  expect((await site.client().get('/')).headers['content-type']).not.toContain('xml');
});

test('(30) a URL is presigned with the session token inside of what is signed; expired or altered it opens nothing', async () => {
  const { assume, site } = await startStsSite();
  const keys = await assume();
  const signer = new SignatureV4({
    service: 'kinesisvideo',
    region: 'eu-central-1',
    credentials: keys,
    sha256: NodeSha256,
  });
  const presigned = async (signingDate: Date) => {
    const host = `localhost:${site.port}`;
    const request = {
      method: 'POST',
      protocol: 'https:',
      hostname: 'localhost',
      path: '/listStreams',
      headers: { host },
    };
    const { query = {} } = await signer.presign({ ...request, query: {} }, { expiresIn: 60, signingDate });
    return (change: Readonly<Record<string, string>> = {}) => {
      const search = new URLSearchParams({ ...(query as Record<string, string>), ...change }).toString();
      return site.client().send('POST', `/listStreams?${search.replaceAll('+', '%20')}`, { headers: { host } });
    };
  };

  const now = await presigned(new Date());
  const old = await presigned(new Date(Date.now() - 61_000));

  expect((await now()).json).toMatchObject({ StreamInfoList: [{}, {}] });
  for (const answer of [
    await old(),
    await now({ 'X-Amz-Expires': '3600' }),
    await now({ 'X-Amz-Security-Token': (await assume()).sessionToken }),
    await now({ other: 'parameter' }),
  ]) {
    expect([answer.status, answer.headers['x-amzn-errortype']]).toEqual([
      403,
      expect.stringMatching(/^(InvalidSignature|UnrecognizedClient)Exception$/),
    ]);
  }
});

test('(31) a client whose clock is an hour off is told so, and corrects itself by the date of the answer', async () => {
  const { assume, endpoint, site } = await startStsSite();
  const requestHandler = { httpsAgent: new Agent({ ca: site.ca }) };
  const client = (maxAttempts: number) => {
    const options = { endpoint, region: 'eu-central-1', credentials, requestHandler, maxAttempts };
    const made = new KinesisVideoClient({ ...options, systemClockOffset: -3_600_000 });
    onTestFinished(() => made.destroy());
    return made;
  };
  const credentials = await assume();

  await expect(client(1).send(new ListStreamsCommand({}))).rejects.toMatchObject({
    name: 'InvalidSignatureException',
    message: expect.stringContaining('Signature expired'),
    $metadata: { httpStatusCode: 403 },
  });
  expect(await names(client(2))).toHaveLength(2);
});

test('(26) the AWS CLI learns who it is, assumes a role, and lists streams as that', async (context) => {
  const aws = await runCommand('aws', ['--version']).catch(() => ({ code: 1 }));
  if (aws.code !== 0) return context.skip('no AWS CLI here');
  const { credentials, endpoint, site } = await startStsSite();
  const ca = join(await temporaryDirectory(), 'ca.pem');
  await writeFile(ca, site.ca);
  const run = async (keys: Keys, ...args: string[]) => {
    const env = {
      AWS_ACCESS_KEY_ID: keys.accessKeyId,
      AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
      AWS_SESSION_TOKEN: keys.sessionToken ?? '',
      AWS_EC2_METADATA_DISABLED: 'true',
    };
    const common = ['--endpoint-url', endpoint, '--region', 'eu-central-1', '--ca-bundle', ca, '--output', 'json'];
    const { out, err } = await runCommand('aws', [...args, ...common], { env });
    return out === '' ? { err } : JSON.parse(out);
  };

  const me = await run(credentials, 'sts', 'get-caller-identity');
  const { Credentials: made } = await run(
    ...([credentials, 'sts', 'assume-role', '--role-arn', roleArn('reader'), '--role-session-name', 'cli'] as const),
  );
  const keys = {
    accessKeyId: made.AccessKeyId,
    secretAccessKey: made.SecretAccessKey,
    sessionToken: made.SessionToken,
  };

  expect(me.Arn).toBe('arn:aws:iam::000000000000:user/client');
  expect((await run(keys, 'kinesisvideo', 'list-streams')).StreamInfoList).toHaveLength(2);
});
