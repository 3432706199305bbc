import { expect, test } from 'vitest';
import { readFrameNumbers, startGstCamera } from '../../kit/gst-camera.ts';
import { probeFrames } from '../../kit/judge.ts';
import { until } from '../../kit/until.ts';
import { plannedOf, planOf, sourceOf, startIngest, storedFiles, streamId } from '../ingest/ingest-kit.ts';
import { areConsecutive, readerOf, recordWithFfmpeg, startRtspServer } from './kit.ts';

for (const transport of ['tcp', 'udp'] as const) {
  test(`ffmpeg records a live stream by ${transport}, picture by picture, with its sound`, async () => {
    const camera = await startGstCamera({ audio: 'aac', gopFrames: 25 });
    const { ingest, paths, client } = await startIngest();
    await ingest.apply(planOf(plannedOf(sourceOf(camera))));
    await until('it records', async () => (await storedFiles(paths)).length > 0);
    const { url, lines } = await startRtspServer({ client, source: await readerOf(paths, client) });

    const { path } = await recordWithFfmpeg(url(streamId), { transport, seconds: 4 });

    const numbers = await readFrameNumbers(path);
    expect(areConsecutive(numbers)).toBe(true);
    expect(numbers.length).toBeGreaterThan(90);
    const codecs = (await probeFrames(path)).map(({ codec_name }) => codec_name);
    expect(codecs).toEqual(['h264', 'aac']);
    expect(lines.join('')).not.toContain('sesame');
  });
}
