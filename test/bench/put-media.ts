/**
 * What KVS producers cost, and how long they wait: uploads of a camera's rate to a whole appliance. The persisted acknowledgement is
 * timed from the first bytes of the next fragment, which are what ends a cluster of unknown size.
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateStreamCommand, KinesisVideoClient } from '@aws-sdk/client-kinesis-video';
import { type RunningAppliance, startAppliance } from '../kit/appliance.ts';
import { costOfTree } from '../kit/processes.ts';
import { cluster, element, head, picture } from '../kit/producer-media.ts';
import { RawProducer } from '../kit/raw-producer.ts';
import { until } from '../kit/until.ts';
import { eventLoopP99Ms } from './recording.ts';
import type { Row } from './table.ts';

/** 25 pictures a second of 20 KB: 4 Mb/s, a key picture a second. */
const frameMs = 40;
const frameBytes = 20_000;
const framesOfFragment = 25;

type Upload = { readonly producer: RawProducer; readonly latenciesMs: number[] };

export async function benchPutMedia(options: { readonly uploads: number; readonly windowMs: number }): Promise<Row[]> {
  const rows: Row[] = [];
  for (const scheme of ['http', 'https'] as const) rows.push(await measureUploads({ ...options, scheme }));
  return rows;
}

async function measureUploads(options: {
  readonly uploads: number;
  readonly windowMs: number;
  readonly scheme: 'http' | 'https';
}): Promise<Row> {
  const { uploads: count, windowMs, scheme } = options;
  const directory = await mkdtemp(join(tmpdir(), 'weir-bench-put-media-'));
  const appliance = await startAppliance({ dataDirectory: directory });
  const over = new AbortController();
  try {
    const credentials = await makeKey(appliance);
    const port = Number(new URL(appliance.url).port);
    const sdk = new KinesisVideoClient({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', credentials });
    const ca = scheme === 'https' ? await readFile(join(directory, 'tls', 'authority.pem'), 'utf8') : undefined;
    const uploads: Upload[] = [];
    for (let i = 0; i < count; i++) {
      const name = `upload-${i}`;
      await sdk.send(new CreateStreamCommand({ StreamName: name, DataRetentionInHours: 1 }));
      const producer = await RawProducer.open({ port, ca, credentials, headers: { 'x-amzn-stream-name': name } });
      await until('an answer', () => producer.status === 200);
      uploads.push({ producer, latenciesMs: [] });
    }
    sdk.destroy();
    const sending = uploads.map((upload, i) => send(upload, (i / count) * frameMs * framesOfFragment, over.signal));
    await sleep(5_000);
    for (const { latenciesMs } of uploads) latenciesMs.length = 0;
    const [ingest, serve] = [await appliance.rolePid('ingest'), await appliance.rolePid('serve')];
    const before = [ingest, serve].map((pid) => costOfTree(pid).cpuMs);
    const beganMs = performance.now();
    await sleep(windowMs);
    const [ingestMs = 0, serveMs = 0] = [ingest, serve].map((pid, i) => costOfTree(pid).cpuMs - (before[i] ?? 0));
    const megabytes = (count * frameBytes * (performance.now() - beganMs)) / frameMs / 1e6;
    const memory = [ingest, serve].map((pid) => costOfTree(pid).pssBytes / 1e6);
    const loopP99Ms = await eventLoopP99Ms(appliance);
    const latencies = uploads.flatMap(({ latenciesMs }) => latenciesMs).sort((a, b) => a - b);
    const at = (quantile: number) => latencies[Math.floor(latencies.length * quantile)] ?? Number.NaN;
    over.abort();
    await Promise.all(sending);
    return {
      what: `PutMedia over ${scheme}`,
      uploads: count,
      'persisted p50 ms': at(0.5),
      'persisted p95 ms': at(0.95),
      fragments: latencies.length,
      'ingest CPU ms/MB': ingestMs / megabytes,
      'serve CPU ms/MB': serveMs / megabytes,
      'MB ingest': memory[0] ?? 0,
      'MB serve': memory[1] ?? 0,
      'loop p99 ms': loopP99Ms,
    };
  } finally {
    over.abort();
    await appliance.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Sends a frame every 40 ms, as a camera does, and times each acknowledgement of a stored fragment. */
async function send({ producer, latenciesMs }: Upload, delayMs: number, over: AbortSignal): Promise<void> {
  const endedMs = new Map<number, number>();
  producer.socket.removeAllListeners('data');
  producer.socket.on('data', (bytes: Buffer) => {
    for (const [, timecode] of bytes.toString('latin1').matchAll(/"PERSISTED","FragmentTimecode":(\d+)/g)) {
      const endMs = endedMs.get(Number(timecode));
      if (endMs !== undefined) latenciesMs.push(performance.now() - endMs);
      endedMs.delete(Number(timecode));
    }
  });
  await sleep(delayMs);
  const beginMs = Date.now();
  const beganMs = performance.now();
  await producer.send(head());
  for (let i = 0; !over.aborted; i++) {
    await sleep(Math.max(0, beganMs + i * frameMs - performance.now()));
    const inFragment = i % framesOfFragment;
    const timecode = beginMs + (i - inFragment) * frameMs;
    const payload = picture(i, { isKey: inFragment === 0, bytes: frameBytes });
    if (inFragment === 0) {
      if (i > 0) endedMs.set(timecode - framesOfFragment * frameMs, performance.now());
      await producer.send(cluster({ timecode, frames: [{ track: 1, relative: 0, isKey: true, payload }] }));
    } else {
      const block = Buffer.from([0x81, 0, 0, 0]);
      block.writeInt16BE(inFragment * frameMs, 1);
      await producer.send(element('a3', block, payload));
    }
  }
  producer.end();
  producer.socket.destroy();
}

async function makeKey(appliance: RunningAppliance): Promise<{ accessKeyId: string; secretAccessKey: string }> {
  const statements = [{ effect: 'allow', actions: ['kinesisvideo:*'], resources: ['*'] }];
  await appliance.call('POST', '/api/policies', { name: 'bench', statements });
  const made = (await appliance.call('POST', '/api/access-keys', { name: 'bench', policies: ['bench'] })) as {
    accessKey: { id: string };
    secretAccessKey: string;
  };
  return { accessKeyId: made.accessKey.id, secretAccessKey: made.secretAccessKey };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
