/** Playback over the storage as it is: runs written by `SegmentWriter`, one finished and one still open, read by `StreamReader`. */

import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { Clips, Hls, Images, PictureDecoders, type PlayableFragment } from '../../../gateway/playback/index.ts';
import { must } from '../../../storage/base/assert.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { ByteBudget, SegmentWriter } from '../../../storage/journal/index.ts';
import { readCluster } from '../../../storage/media/index.ts';
import { fragmentNumberParts } from '../../../storage/model/fragment-number.ts';
import { StreamReader } from '../../../storage/reader/index.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { codedClip } from './coded-clips.ts';
import { beginMs, RecordedStream, streamId } from './recorded-stream.ts';
import { serveHls } from './serve-hls.ts';

/** Writes a run's fragments into the journal, block by block as the recorder does. */
async function writeRun(
  root: string,
  stream: RecordedStream,
  references: readonly PlayableFragment[],
): Promise<SegmentWriter> {
  const { segment } = must(references[0], 'a run has fragments');
  const openDirectory = join(root, 'journal', 'open', 'ingest-0.1');
  await mkdir(openDirectory, { recursive: true });
  const budget = new ByteBudget(64 * 1024 * 1024);
  const writer = new SegmentWriter(
    {
      clock: systemClock,
      log: silentLog,
      budget,
      durability: { synced: () => Promise.resolve() },
      onHint: () => {},
      onFailed: (error) => {
        throw error;
      },
    },
    {
      ...segment,
      openDirectory,
      finishedDirectory: join(root, 'journal', 'finished'),
      runReason: 'connecting',
      segmentOffsetMs: 0,
      durability: 'shared',
    },
  );
  await writer.start();
  for (const reference of references) {
    const { fragment } = reference;
    const { counter } = fragmentNumberParts(fragment.number);
    const { number, serverTimestampMs, producerTimestampMs, mediaTimeMs } = fragment;
    writer.begin({ number, counter, serverTimestampMs, producerTimestampMs, mediaTimeMs });
    const cluster = await stream.clusterBytes(reference);
    for (const { trackNumber, relative, isKey, begin, end } of readCluster(cluster).blocks) {
      writer.writeBlock(trackNumber, relative, isKey, cluster.subarray(begin, end));
    }
    const { durationMs, isKey, hasLoss, tracks } = fragment;
    writer.commit({ durationMs, isKey, hasLoss, tracks });
  }
  return writer;
}

test('plays, exports and shows what lies in finished and open journal files', async () => {
  const root = await temporaryDirectory();
  const layout = new RecordedStream();
  const clip = await codedClip({ seconds: 5, bFrames: 2, audio: 'pcmu' });
  const first = await writeRun(root, layout, layout.addRun(clip, { atMs: beginMs }));
  await first.end('shutdown');
  const second = await writeRun(root, layout, layout.addRun(clip, { atMs: beginMs + 8_000 }));
  onTestFinished(() => second.end('shutdown'));
  const paths = { journalOpen: join(root, 'journal', 'open'), journalFinished: join(root, 'journal', 'finished') };
  const clock = new SimulatedClock(beginMs + 14_000);
  const source = new StreamReader({ clock, log: silentLog, paths });
  onTestFinished(() => source.close());
  await expect
    .poll(async () => (await source.latest(streamId))?.fragment.number)
    .toBe(layout.fragments.at(-1)?.fragment.number);

  // Well after the range, so that its playlist is whole.
  const later = new SimulatedClock(beginMs + 600_000);
  const origin = await serveHls(new Hls({ source, clock: later }));
  const range = `begin=${beginMs}&end=${beginMs + 20_000}`;
  const decoders = new PictureDecoders({ clock: systemClock, log: silentLog, ffmpeg: 'ffmpeg' });
  onTestFinished(() => decoders.close());

  const probe = [
    '-v',
    'error',
    '-count_frames',
    '-show_entries',
    'stream=nb_read_frames',
    '-select_streams',
    'v',
    '-of',
    'csv=p=0',
  ];
  const recorded = await promisify(execFile)('ffprobe', [...probe, `${origin}/hls/master.m3u8?${range}`]);
  expect(recorded.stdout.trim().split('\n')[0]).toBe('250');
  const opened = await new Clips({ source, log: silentLog }).open(streamId, { beginMs, endMs: beginMs + 20_000 });
  const parts: Uint8Array[] = [];
  for await (const part of opened.read()) parts.push(part);
  await writeFile(join(root, 'clip.mp4'), Buffer.concat(parts));
  const exported = await promisify(execFile)('ffprobe', [...probe, join(root, 'clip.mp4')]);
  expect(exported.stdout.trim()).toBe('250');
  expect(Buffer.concat(parts).length).toBe(opened.byteLength);
  const live = await new Images({ source, decoders }).live(streamId);
  expect(live.serverTimestampMs).toBe(beginMs + 12_000);
  const liveMaster = await new Hls({ source, clock }).get({ streamId, file: 'master.m3u8', query: {} });
  expect(liveMaster.body).toContain('avc1');
});
