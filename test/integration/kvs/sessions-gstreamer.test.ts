/** Streaming sessions in GStreamer, where its plugins are there. Numbers are those of the checklist. */

import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { codedClip } from '../playback/coded-clips.ts';
import { startPlaybackSite, TimedStream } from './playback-kit.ts';

const run = promisify(execFile);
const hourAgoMs = Math.floor(performance.timeOrigin / 1000) * 1000 - 3_600_000;

/** True when this element is installed. */
function hasElement(name: string): boolean {
  try {
    execFileSync('gst-inspect-1.0', ['--exists', name]);
    return true;
  } catch {
    return false;
  }
}

const isThere = ['souphttpsrc', 'hlsdemux', 'dashdemux', 'tsdemux', 'qtdemux', 'h264parse'].every(hasElement);

const selector = {
  FragmentSelectorType: 'SERVER_TIMESTAMP',
  TimestampRange: { StartTimestamp: new Date(hourAgoMs), EndTimestamp: new Date(hourAgoMs + 1_800_000) },
} as const;

test.skipIf(!isThere).each([
  ['HLS in fMP4', 'hlsdemux ! qtdemux', {}],
  ['HLS in transport streams', 'hlsdemux ! tsdemux', { ContainerFormat: 'MPEG_TS' }],
  ['DASH', 'dashdemux ! qtdemux', 'dash'],
] as const)('(82, 90) GStreamer reads a recorded session to its end: %s', async (_, demux, options) => {
  const stream = new TimedStream();
  stream.addRun(await codedClip({ seconds: 4, audio: 'none' }), { atMs: hourAgoMs });
  const site = await startPlaybackSite(stream);
  const url =
    options === 'dash'
      ? await site.dashUrl({ PlaybackMode: 'ON_DEMAND', DASHFragmentSelector: selector })
      : await site.hlsUrl({ PlaybackMode: 'ON_DEMAND', HLSFragmentSelector: selector, ...options });

  const pipeline = `souphttpsrc location="${url}" ! ${demux} ! h264parse ! video/x-h264,alignment=au ! fakesink silent=false sync=false`;
  const { stdout } = await run(
    'gst-launch-1.0',
    ['-v', ...pipeline.split(' ')].map((word) => word.replaceAll('"', '')),
    {
      timeout: 60_000,
      maxBuffer: 2 ** 24,
    },
  );

  expect(stdout.match(/last-message = chain/g) ?? []).toHaveLength(100);
});
