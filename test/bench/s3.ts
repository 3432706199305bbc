/** What it costs to put segments into a real MinIO: our client against the `minio` package's own `putObject`, in the same run. */

import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { systemClock } from '../../storage/base/clock.ts';
import { silentLog } from '../../storage/base/log.ts';
import { S3Store } from '../../storage/objects/index.ts';
import { findMinio, Minio } from '../kit/minio.ts';
import { freePort } from '../kit/temp.ts';
import type { Row } from './table.ts';

/** A minute of a camera at 1 Mb/s, and of one at 8 Mb/s. */
const sizesBytes = [8_000_000, 60_000_000];
const putsAtOnce = 4;

export async function benchS3(options: { readonly isQuick: boolean }): Promise<Row[]> {
  const program = await findMinio();
  if (program.missing !== undefined) {
    process.stderr.write(`not measured: ${program.missing}\n`);
    return [];
  }
  const directory = await mkdtemp(join(tmpdir(), 'weir-bench-s3-'));
  const minio = new Minio(program, { directory: join(directory, 'minio'), port: await freePort() });
  const store = new S3Store({ clock: systemClock, log: silentLog }, minio.storeOptions());
  try {
    await minio.start();
    await store.start();
    const client = minio.client();
    const rows: Row[] = [];
    for (const byteLength of sizesBytes) {
      const path = join(directory, `${byteLength}`);
      await writeFile(path, Buffer.alloc(byteLength, 'frame'));
      const puts = Math.ceil((options.isQuick ? 200_000_000 : 800_000_000) / byteLength / putsAtOnce) * putsAtOnce;
      const measure = (name: string, put: (key: string) => Promise<unknown>) =>
        measured({ client: name, 'object MB': byteLength / 1e6 }, { puts, byteLength }, put);
      const ours = await measure('ours', (key) => store.putFile(key, path));
      const theirs = await measure('minio fPutObject', (key) => client.fPutObject('weir', key, path));
      const ratio = Number(theirs['CPU ms/MB']) / Number(ours['CPU ms/MB']);
      rows.push({ ...ours, 'minio / ours': ratio }, { ...theirs, 'minio / ours': '' });
      if ((await store.stat('object-0'))?.byteLength !== (await stat(path)).size)
        throw new Error('an object is not whole');
    }
    return rows;
  } finally {
    await store.close();
    await minio.kill();
    await rm(directory, { recursive: true, force: true });
  }
}

async function measured(
  names: Row,
  { puts, byteLength }: { readonly puts: number; readonly byteLength: number },
  put: (key: string) => Promise<unknown>,
): Promise<Row> {
  await put('object-0');
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const beginCpu = process.cpuUsage();
  const beginMs = performance.now();
  let next = 0;
  const worker = async () => {
    // Keys repeat, so that the disk does not fill.
    while (next < puts) await put(`object-${next++ % putsAtOnce}`);
  };
  await Promise.all(Array.from({ length: putsAtOnce }, worker));
  const { user, system } = process.cpuUsage(beginCpu);
  const durationMs = performance.now() - beginMs;
  delay.disable();
  const megabytes = (puts * byteLength) / 1e6;
  return {
    ...names,
    'CPU ms/MB': (user + system) / 1_000 / megabytes,
    'MB/s': megabytes / (durationMs / 1_000),
    'longest stall ms': delay.max / 1e6,
  };
}
