/** How fast stored footage is read back through the API: HLS media segments, first and again, and a clip. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAppliance } from '../kit/appliance.ts';
import { startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { costOfTree } from '../kit/processes.ts';
import { until } from '../kit/until.ts';
import { addCameras } from './recording.ts';
import type { Row } from './table.ts';

export async function benchPlayback(options: { readonly isQuick: boolean }): Promise<Row[]> {
  const recordMs = options.isQuick ? 20_000 : 90_000;
  const directory = await mkdtemp(join(tmpdir(), 'weir-bench-playback-'));
  const simulator = await startCameraSimulator({ cameras: 1, mode: 'burst' });
  const appliance = await startAppliance({ dataDirectory: directory });
  try {
    await addCameras(appliance, simulator, 1);
    const { streams } = (await appliance.call('GET', '/api/streams')) as { streams: { id: string }[] };
    const stream = `/api/streams/${streams[0]?.id ?? ''}`;
    const beginMs = Date.now();
    const span = await until(
      'enough is recorded',
      async () => {
        const range = `begin=${beginMs - 60_000}&end=${Date.now()}`;
        const { spans } = (await appliance.call('GET', `${stream}/timeline?${range}`)) as {
          spans: { beginMs: number; endMs: number }[];
        };
        return spans.find((one) => one.endMs - one.beginMs >= recordMs);
      },
      recordMs + 60_000,
    );
    const range = `begin=${Math.ceil(span.beginMs)}&end=${Math.floor(span.endMs)}`;
    const media = await mediaUris(`${stream}/hls/master.m3u8?${range}`, async (path) =>
      (await appliance.bytes(path)).toString(),
    );
    const reading = async (what: string, paths: readonly string[]): Promise<Row> => {
      const cpuBeforeMs = costOfTree(appliance.pid).cpuMs;
      const startedMs = performance.now();
      let bytes = 0;
      for (const path of paths) bytes += (await appliance.bytes(path)).length;
      const elapsedMs = performance.now() - startedMs;
      const cpuMs = costOfTree(appliance.pid).cpuMs - cpuBeforeMs;
      const megabytes = bytes / 1e6;
      return {
        what,
        requests: paths.length,
        MB: megabytes,
        'MB/s': megabytes / (elapsedMs / 1000),
        'CPU ms/MB': cpuMs / megabytes,
      };
    };
    return [
      await reading('HLS media segments, first time', media),
      await reading('HLS media segments, again', media),
      await reading('MP4 clip of the whole range', [`${stream}/clip.mp4?${range}`]),
    ];
  } finally {
    await appliance.close();
    await simulator.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Every media segment that a master playlist leads to. */
async function mediaUris(master: string, read: (path: string) => Promise<string>): Promise<string[]> {
  const base = 'http://appliance';
  const resolved = (uri: string, from: string) => {
    const url = new URL(uri, new URL(from, base));
    return url.pathname + url.search;
  };
  const urisIn = (playlist: string, from: string) =>
    [
      ...playlist.split('\n').filter((line) => line !== '' && !line.startsWith('#')),
      ...[...playlist.matchAll(/^#EXT-X-MEDIA:.*URI="([^"]+)"/gm)].map((match) => match[1] ?? ''),
    ].map((uri) => resolved(uri, from));
  const playlists = [...new Set(urisIn(await read(master), master))];
  const media = await Promise.all(playlists.map(async (playlist) => urisIn(await read(playlist), playlist)));
  return [...new Set(media.flat())];
}
