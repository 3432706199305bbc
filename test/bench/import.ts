/** What it costs to bring a file in beside a camera that records: the upload and the import, and what the recording process takes of it. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startAppliance } from '../kit/appliance.ts';
import { startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { costOfTree } from '../kit/processes.ts';
import { runCommand } from '../kit/run-command.ts';
import { addCameras } from './recording.ts';
import type { Row } from './table.ts';

const entry = fileURLToPath(new URL('../../appliance/main.ts', import.meta.url));
const partSeconds = 10;

type Shown = { readonly startedMs: number; readonly endedMs: number; readonly bytes: number };

export async function benchImport(options: { readonly isQuick: boolean }): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'weir-bench-import-'));
  const simulator = await startCameraSimulator({ cameras: 1, mode: 'paced' });
  const appliance = await startAppliance({ dataDirectory: join(directory, 'data') });
  try {
    await addCameras(appliance, simulator, 1);
    const file = await makeFile(directory, options.isQuick ? 6 : 24);
    const { size } = await stat(file);
    const { cameras } = (await appliance.call('GET', '/api/cameras')) as { cameras: { id: string; name: string }[] };
    const camera = cameras[0] ?? { id: '', name: '' };
    const atMs = Date.now() - 24 * 3_600_000;
    const before = costOfTree(appliance.pid).cpuMs;
    const ingestBefore = costOfTree(await appliance.rolePid('ingest')).cpuMs;
    const startedMs = Date.now();
    const where = [
      '--camera',
      camera.name,
      '--at',
      new Date(atMs).toISOString(),
      '--data-directory',
      appliance.dataDirectory,
    ];
    const { code, err } = await runCommand(process.execPath, [entry, 'import', file, ...where, '--json']);
    if (code !== 0) throw new Error(`weir import: ${err}`);
    const wholeMs = Date.now() - startedMs;
    const cpuMs = costOfTree(appliance.pid).cpuMs - before;
    const ingestCpuMs = costOfTree(await appliance.rolePid('ingest')).cpuMs - ingestBefore;
    const { imports } = (await appliance.call('GET', `/api/cameras/${camera.id}/imports`)) as { imports: Shown[] };
    const { startedMs: beganMs = 0, endedMs = 0 } = imports[0] ?? {};
    const megabytes = size / 1e6;
    const remux = await remuxCost(file);
    return [
      {
        what: 'weir import, upload included',
        MB: megabytes,
        'MB/s': megabytes / (wholeMs / 1_000),
        'CPU ms/MB': cpuMs / megabytes,
        'CPU ms/MB of ingest': ingestCpuMs / megabytes,
      },
      { what: 'the import alone', MB: megabytes, 'MB/s': megabytes / ((endedMs - beganMs) / 1_000) },
      { what: 'ffmpeg -c copy to a file', MB: megabytes, 'MB/s': megabytes / (remux.elapsedMs / 1_000) },
    ];
  } finally {
    await appliance.close();
    await simulator.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** 20 Mb/s of pictures that do not compress well. */
async function makeFile(directory: string, parts: number): Promise<string> {
  const noise = `testsrc2=size=1280x720:rate=25:duration=${partSeconds},noise=alls=40:allf=t`;
  const rate = ['-b:v', '20M', '-maxrate', '20M', '-bufsize', '20M'];
  const video = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '50', ...rate];
  const part = join(directory, 'part.mp4');
  const list = join(directory, 'list.txt');
  const whole = join(directory, 'whole.mp4');
  await runCommand('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', noise, ...video, part]);
  await writeFile(list, `file '${part}'\n`.repeat(parts));
  await runCommand('ffmpeg', ['-v', 'error', '-f', 'concat', '-safe', '0', '-i', list, '-c', 'copy', whole]);
  return whole;
}

async function remuxCost(file: string): Promise<{ elapsedMs: number }> {
  const startedMs = performance.now();
  const child = spawn('ffmpeg', ['-v', 'error', '-y', '-i', file, '-c', 'copy', `${file}.mkv`], { stdio: 'ignore' });
  await once(child, 'exit');
  return { elapsedMs: performance.now() - startedMs };
}
