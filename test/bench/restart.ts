/** How long a start takes until cameras are recorded and until everything answers, with an index of weeks. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathsUnder } from '../../storage/model/paths.ts';
import { startAppliance } from '../kit/appliance.ts';
import { startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { until } from '../kit/until.ts';
import { fillIndex } from './filled-index.ts';
import { addCameras } from './recording.ts';
import type { Row } from './table.ts';

const cameras = 20;

export async function benchRestart(options: { readonly segments: number }): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'weir-bench-restart-'));
  const simulator = await startCameraSimulator({ cameras, mode: 'burst' });
  try {
    const first = await startAppliance({ dataDirectory: directory });
    await addCameras(first, simulator, cameras);
    await first.close();
    await rm(pathsUnder(directory).index, { force: true });
    await fillIndex(pathsUnder(directory).index, { ...options, endMs: Date.now() });
    const connectionsBefore = await connections();
    const beginMs = performance.now();
    const again = await startAppliance({ dataDirectory: directory, isReadyAwaited: false });
    const since = () => performance.now() - beginMs;
    try {
      const connectedMs = await until('all cameras are connected', async () =>
        (await connections()) >= connectionsBefore + cameras ? since() : undefined,
      );
      const readyMs = await until('everything answers', async () => {
        await again.call('GET', '/readyz');
        return since();
      });
      return [
        {
          segments: options.segments,
          cameras,
          'all cameras playing, ms': connectedMs,
          'everything ready, ms': Math.max(connectedMs, readyMs),
        },
      ];
    } finally {
      await again.close();
    }
  } finally {
    await simulator.close();
    await rm(directory, { recursive: true, force: true });
  }

  async function connections(): Promise<number> {
    return (await simulator.stats()).reduce((sum, camera) => sum + camera.connections, 0);
  }
}
