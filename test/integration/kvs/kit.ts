/** A running `serve` with two cameras and an access key, and clients of the KVS API that know it by its endpoint alone. */

import { Agent } from 'node:https';
import { KinesisVideoClient } from '@aws-sdk/client-kinesis-video';
import { onTestFinished } from 'vitest';
import { type SiteOptions, startSite } from '../admin/kit.ts';

export type Statement = {
  readonly effect: 'allow' | 'deny';
  readonly actions: readonly string[];
  readonly resources: readonly string[];
};

export const everything: Statement = { effect: 'allow', actions: ['kinesisvideo:*'], resources: ['*'] };

/** A client of a site with a key that it knows. */
export function sdkAt(
  site: { readonly port: number; readonly ca: string },
  credentials: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string },
  change: { readonly region?: string; readonly endpoint?: string } = {},
): KinesisVideoClient {
  const endpoint = `https://localhost:${site.port}`;
  const requestHandler = { httpsAgent: new Agent({ ca: site.ca }) };
  const client = new KinesisVideoClient({
    ...{ endpoint, region: 'eu-central-1', credentials, maxAttempts: 1, requestHandler },
    ...change,
  });
  onTestFinished(() => client.destroy());
  return client;
}

export async function startKvsSite(statements: readonly Statement[] = [everything], options: SiteOptions = {}) {
  const site = await startSite(options);
  const admin = await site.admin();
  const source = { kind: 'rtsp', url: 'rtsp://192.0.2.1/' };
  for (const [name, recording] of [
    ['Front door', { retentionHours: 24 }],
    ['Yard', { mode: 'live' }],
  ] as const) {
    await admin.post('/api/cameras', { name, source, recording });
  }
  await admin.post('/api/policies', { name: 'clients', statements });
  const made = await admin.post('/api/access-keys', { name: 'client', policies: ['clients'] });
  const credentials = {
    accessKeyId: made.json.accessKey.id as string,
    secretAccessKey: made.json.secretAccessKey as string,
  };
  const endpoint = `https://localhost:${site.port}`;
  type Change = Parameters<typeof sdkAt>[2] & { readonly credentials?: Parameters<typeof sdkAt>[1] };
  const sdk = ({ credentials: others, ...change }: Change = {}) => sdkAt(site, others ?? credentials, change);
  return { site, admin, credentials, endpoint, sdk };
}
