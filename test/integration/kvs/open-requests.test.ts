/** A client that opens readers and never closes them. */

import { Agent } from 'node:https';
import { GetMediaCommand, KinesisVideoMediaClient } from '@aws-sdk/client-kinesis-video-media';
import { expect, onTestFinished, test } from 'vitest';
import { adminLimits } from '../../../appliance/admin/limits.ts';
import { until } from '../../kit/until.ts';
import { everything, startKvsSite } from './kit.ts';

test('(71) a key has so many open requests and no more, while another key finds its place', async () => {
  const open = { count: 0 };
  const forEver = async ({ signal }: { readonly signal: AbortSignal }) => {
    open.count++;
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    open.count--;
    return {};
  };
  const { site, admin, credentials, endpoint } = await startKvsSite([everything], {
    kvsMedia: new Map([['/getMedia', { action: 'kinesisvideo:GetMedia', run: forEver }]]),
    kvsQuotaFactor: 0,
  });
  const made = (await admin.post('/api/access-keys', { name: 'other', policies: ['clients'] })).json;
  const clientOf = (key: { readonly accessKeyId: string; readonly secretAccessKey: string }) => {
    const httpsAgent = new Agent({ ca: site.ca, maxSockets: 1_000 });
    const options = { endpoint, region: 'us-east-1', credentials: key, maxAttempts: 1, requestHandler: { httpsAgent } };
    const client = new KinesisVideoMediaClient(options);
    onTestFinished(() => client.destroy());
    return client;
  };
  const client = clientOf(credentials);
  const other = clientOf({ accessKeyId: made.accessKey.id, secretAccessKey: made.secretAccessKey });
  const leaving = new AbortController();
  onTestFinished(() => leaving.abort());
  const ask = (by: KinesisVideoMediaClient, abortSignal = leaving.signal) =>
    by.send(new GetMediaCommand({ StreamName: 'any', StartSelector: { StartSelectorType: 'NOW' } }), { abortSignal });
  const first = new AbortController();
  const asked = [ask(client, first.signal)];
  for (let i = 1; i < adminLimits.kvsRequestsOfKeyMax; i++) asked.push(ask(client));
  for (const answer of asked) answer.catch(() => {});
  await until('all are open', () => open.count === adminLimits.kvsRequestsOfKeyMax);

  await expect(ask(client)).rejects.toMatchObject({ name: 'ConnectionLimitExceededException' });
  ask(other).catch(() => {});
  await until('another key is let in', () => open.count === adminLimits.kvsRequestsOfKeyMax + 1);
  first.abort();
  await until('one has left', () => open.count === adminLimits.kvsRequestsOfKeyMax);
  ask(client).catch(() => {});
  await until('another one is let in', () => open.count === adminLimits.kvsRequestsOfKeyMax + 1);
});
