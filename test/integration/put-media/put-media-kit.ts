/** A `serve` and an `ingest` in the test's process, with a stream that producers send to. */

import { readFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { CreateStreamCommand, DescribeStreamCommand, KinesisVideoClient } from '@aws-sdk/client-kinesis-video';
import { onTestFinished } from 'vitest';
import type { IngestOptions } from '../../../gateway/ingest/index.ts';
import { putMediaOperations, type StorageSessionPort } from '../../../gateway/kvs/index.ts';
import { type PutMediaQuotas, putMediaQuotasDefault } from '../../../gateway/put-media/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { LaneClient } from '../../../storage/lane/index.ts';
import { StreamReader } from '../../../storage/reader/index.ts';
import { recordingPolicy } from '../../kit/plans.ts';
import { RawProducer, type RawProducerOptions } from '../../kit/raw-producer.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { startSite } from '../admin/kit.ts';
import { plannedOf, planOf, type StoredFile, startIngest, storedFiles } from '../ingest/ingest-kit.ts';

/** @param options.quotas  that differ from those of AWS */
export async function startPutMedia(
  options: {
    readonly quotas?: Partial<PutMediaQuotas>;
    readonly retentionHours?: number;
    readonly data?: string;
    readonly publicUrl?: string;
    /** What stores the media of channels, in streams of this owner. */
    readonly storage?: (owner: LaneClient) => StorageSessionPort;
  } & Partial<Pick<IngestOptions, never>> = {},
) {
  const { retentionHours = 24, quotas, data = await temporaryDirectory(), publicUrl, storage } = options;
  const started = await startIngest({ data, putMedia: { ...putMediaQuotasDefault, ...quotas } });
  const owner = new LaneClient(
    { clock: systemClock, log: silentLog },
    { path: join(started.paths.run, 'ingest-0.sock'), name: 'serve' },
  );
  onTestFinished(() => owner.close());
  const site = await startSite({
    kvsMedia: putMediaOperations({ clock: systemClock, ownerOf: () => owner }),
    kvsQuotaFactor: 0,
    ...(storage === undefined ? {} : { signaling: { storage: storage(owner) } }),
    ...(publicUrl === undefined ? {} : { publicUrl }),
  });
  const admin = await site.admin();
  const statements = [{ effect: 'allow', actions: ['kinesisvideo:*'], resources: ['*'] }];
  await admin.post('/api/policies', { name: 'clients', statements });
  const made = await admin.post('/api/access-keys', { name: 'client', policies: ['clients'] });
  const credentials = {
    accessKeyId: made.json.accessKey.id as string,
    secretAccessKey: made.json.secretAccessKey as string,
  };
  const sdk = new KinesisVideoClient({
    ...{ endpoint: `https://localhost:${site.port}`, region: 'us-west-2', credentials, maxAttempts: 1 },
    requestHandler: { httpsAgent: new Agent({ ca: site.ca }) },
  });
  onTestFinished(() => sdk.destroy());
  await sdk.send(new CreateStreamCommand({ StreamName: 'door', DataRetentionInHours: retentionHours }));
  const { StreamInfo } = await sdk.send(new DescribeStreamCommand({ StreamName: 'door' }));
  const sitePlan = JSON.parse(await readFile(join(site.data, 'state', 'plan.json'), 'utf8'));
  const streamId: string = sitePlan.sources.find(({ name }: { name: string }) => name === 'door').streamId;
  const recording = recordingPolicy(retentionHours === 0 ? { mode: 'live' } : {});
  const planned = plannedOf({ kind: 'kvs' }, { streamId, name: 'door', recording });
  await started.ingest.apply(planOf(planned));

  const reader = new StreamReader({
    clock: systemClock,
    log: silentLog,
    paths: started.paths,
    watcher: started.client,
  });
  await reader.start();
  onTestFinished(() => reader.close());
  const produce = (change: Partial<RawProducerOptions> = {}) =>
    RawProducer.open({
      ...{ port: site.port, ca: site.ca, credentials },
      ...change,
      headers: { 'x-amzn-stream-name': 'door', ...change.headers },
    });
  return {
    ...started,
    ...{ site, admin, sdk, credentials, streamId, streamArn: StreamInfo?.StreamARN ?? '', planned, reader, produce },
    /** A file may be finished, and be elsewhere, while it is looked at. */
    stored: () => until('files lie still', () => storedFiles(started.paths, streamId)),
    /** Bytes of every stored cluster, in order. */
    clusters: () => until('files lie still', async () => clustersOf(await storedFiles(started.paths, streamId))),
  };
}

async function clustersOf(files: readonly StoredFile[]): Promise<Buffer[]> {
  const clusters: Buffer[] = [];
  for (const { path, fragments } of files) {
    const bytes = await readFile(path);
    for (const { offset, byteLength } of fragments) clusters.push(bytes.subarray(offset, offset + byteLength));
  }
  return clusters;
}
