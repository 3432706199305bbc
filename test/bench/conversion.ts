/** What converting H.265 to H.264 costs, and how many 1080p streams this machine converts in real time at once. */

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Converter } from '../../gateway/playback/convert/converter.ts';
import { must } from '../../storage/base/assert.ts';
import { systemClock } from '../../storage/base/clock.ts';
import { silentLog } from '../../storage/base/log.ts';
import { ElementCursor, ebmlIds, readMatroskaHead } from '../../storage/media/index.ts';
import type { Row } from './table.ts';

const fragmentMs = 2_000;

export async function benchConversion(options: { readonly isQuick: boolean }): Promise<Row[]> {
  const { clusters, tracks } = await footage(options.isQuick ? 8 : 20);
  const track = must(tracks[0], 'the footage has a track');
  const segment = {
    ...{ streamId: 'bench', runId: '0'.repeat(32), runReason: 'connecting', runStartServerMs: 0 },
    ...{ timecodeScaleNs: 1_000_000, tracks },
  };
  const rows: Row[] = [];
  for (const streams of options.isQuick ? [1, 2] : [1, 2, 3, 4]) {
    const converter = new Converter(
      { clock: systemClock, log: silentLog, ffmpeg: 'ffmpeg' },
      { cores: availableParallelism() },
    );
    // Encoders are tried once, before anybody watches.
    await converter.formOf(track);
    const before = converter.figures();
    const waits: number[] = [];
    const beganMs = performance.now();
    await Promise.all(
      Array.from({ length: streams }, async () => {
        for (const cluster of clusters) {
          const askedMs = performance.now();
          await converter.convert([cluster], { segment, track, durationMs: fragmentMs });
          waits.push(performance.now() - askedMs);
        }
      }),
    );
    const seconds = (performance.now() - beganMs) / 1000;
    const { cpuMs, encoder = '', failed } = converter.figures();
    const mediaSeconds = (clusters.length * fragmentMs) / 1000;
    waits.sort((a, b) => a - b);
    rows.push({
      'streams at once': streams,
      encoder,
      'times real time': mediaSeconds / seconds,
      'processors a stream': (cpuMs - before.cpuMs) / 1000 / (mediaSeconds * streams),
      'wait ms p50': waits[Math.floor(waits.length / 2)] ?? 0,
      'wait ms max': waits.at(-1) ?? 0,
      failed,
    });
    await converter.close();
  }
  return rows;
}

/** 1080p at 25 pictures a second and 4 Mb/s, moving and noisy as a camera's, one cluster for each GOP of 2 s. */
async function footage(seconds: number) {
  const directory = await mkdtemp(join(tmpdir(), 'weir-bench-conversion-'));
  try {
    const path = join(directory, 'footage.mkv');
    const pictures = `testsrc2=size=1920x1080:rate=25:duration=${seconds},noise=alls=6:allf=t,format=yuv420p`;
    await promisify(execFile)('ffmpeg', [
      ...['-v', 'error', '-f', 'lavfi', '-i', pictures, '-c:v', 'libx265', '-preset', 'ultrafast', '-b:v', '4M'],
      ...['-x265-params', 'keyint=50:min-keyint=50:scenecut=0:open-gop=0:log-level=none'],
      ...['-cluster_time_limit', '30000', path],
    ]);
    const bytes = new Uint8Array(await readFile(path));
    const head = readMatroskaHead(bytes);
    const clusters: Uint8Array[] = [];
    for (const cursor = new ElementCursor(bytes, head.byteLength); cursor.next(); ) {
      if (cursor.id === ebmlIds.cluster) clusters.push(bytes.subarray(cursor.begin, cursor.end));
    }
    return { clusters, tracks: head.tracks };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
