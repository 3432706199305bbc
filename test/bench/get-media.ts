/** What it costs to send one camera to many readers of GetMedia: CPU of `serve` above what it has without, and its memory. */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetMediaCommand, KinesisVideoMediaClient } from '@aws-sdk/client-kinesis-video-media';
import { startAppliance } from '../kit/appliance.ts';
import { startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { costOfTree } from '../kit/processes.ts';
import { until } from '../kit/until.ts';
import { addCameras } from './recording.ts';
import type { Row } from './table.ts';

type Body = NodeJS.ReadableStream & { destroy(): unknown };

export async function benchGetMedia(options: { readonly readers: number; readonly windowMs: number }): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'weir-bench-get-media-'));
  const simulator = await startCameraSimulator({ cameras: 1, mode: 'paced' });
  const appliance = await startAppliance({ dataDirectory: directory });
  try {
    await addCameras(appliance, simulator, 1);
    const { streams } = (await appliance.call('GET', '/api/streams')) as { streams: { name: string }[] };
    const StreamName = streams[0]?.name ?? '';
    const statements = [{ effect: 'allow', actions: ['kinesisvideo:*'], resources: ['*'] }];
    await appliance.call('POST', '/api/policies', { name: 'bench', statements });
    const made = (await appliance.call('POST', '/api/access-keys', { name: 'bench', policies: ['bench'] })) as {
      accessKey: { id: string };
      secretAccessKey: string;
    };
    const credentials = { accessKeyId: made.accessKey.id, secretAccessKey: made.secretAccessKey };
    const ca = await readFile(join(directory, 'tls', 'authority.pem'), 'utf8').catch(() => undefined);
    const servePid = await appliance.rolePid('serve');
    await sleep(5_000);
    const alone = await cpuPercent(servePid, options.windowMs);
    const rows: Row[] = [
      { what: 'serve, no reader', readers: 0, 'CPU % of a core': alone, 'MB serve': megabytes(servePid) },
    ];
    for (const scheme of ['http', 'https'] as const) {
      const client = new KinesisVideoMediaClient({
        ...{ endpoint: appliance.url.replace('https', scheme), region: 'us-east-1', credentials },
        requestHandler: {
          httpsAgent: new Agent({
            maxSockets: 1_000,
            ...(ca === undefined ? { rejectUnauthorized: false } : { ca, servername: 'localhost' }),
          }),
          httpAgent: { maxSockets: 1_000 },
        },
      });
      let bytes = 0;
      const bodies: Body[] = [];
      for (let i = 0; i < options.readers; i++) {
        const StartSelector = { StartSelectorType: 'NOW' } as const;
        const { Payload } = await client.send(new GetMediaCommand({ StreamName, StartSelector }));
        const body = Payload as unknown as Body;
        body.on('error', () => {});
        body.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
        });
        bodies.push(body);
      }
      await until('all readers are sent media', () => bytes > options.readers * 500_000, 30_000);
      await sleep(4_000);
      const bytesBefore = bytes;
      const percent = (await cpuPercent(servePid, options.windowMs)) - alone;
      rows.push({
        what: `GetMedia by ${scheme}, one 4 Mb/s camera`,
        readers: bodies.length,
        'Mb/s': ((bytes - bytesBefore) * 8) / options.windowMs / 1_000,
        'CPU % of a core': percent,
        'per reader %': percent / bodies.length,
        'MB serve': megabytes(servePid),
      });
      // They stay and take nothing: half as long as such clients are borne with.
      for (const body of bodies) body.pause();
      await sleep(25_000);
      rows.push({
        what: 'the same, and nobody takes anything',
        readers: bodies.length,
        'CPU % of a core': (await cpuPercent(servePid, 5_000)) - alone,
        'MB serve': megabytes(servePid),
      });
      for (const body of bodies) body.destroy();
      client.destroy();
      await sleep(2_000);
    }
    return rows;
  } finally {
    await appliance.close();
    await simulator.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function cpuPercent(pid: number, windowMs: number): Promise<number> {
  const beforeMs = costOfTree(pid).cpuMs;
  const startedMs = performance.now();
  await sleep(windowMs);
  return ((costOfTree(pid).cpuMs - beforeMs) / (performance.now() - startedMs)) * 100;
}

function megabytes(pid: number): number {
  return costOfTree(pid).pssBytes / 1e6;
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
