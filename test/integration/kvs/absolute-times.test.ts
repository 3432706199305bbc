/** What producers send by PutMedia with absolute timecodes: media times are times of the wall. Numbers are those of the checklist. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GetClipCommand, GetImagesCommand } from '@aws-sdk/client-kinesis-video-archived-media';
import { expect, test } from 'vitest';
import { clusterHead, clusterHeadBytes } from '../../../storage/media/index.ts';
import { probeFrames } from '../../kit/judge.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { codedClip } from '../playback/coded-clips.ts';
import { startPlaybackSite, TimedStream } from './playback-kit.ts';

const hourAgoMs = Math.floor(performance.timeOrigin / 1000) * 1000 - 3_600_000;
const range = { StartTimestamp: new Date(hourAgoMs), EndTimestamp: new Date(hourAgoMs + 60_000) };

/** The same fragments, as if their clusters told the time of the wall. */
class AbsoluteStream extends TimedStream {
  override async clusterBytes(reference: (typeof this.fragments)[number]) {
    const relative = await super.clusterBytes(reference);
    return Buffer.concat([clusterHead(reference.fragment.mediaTimeMs), relative.subarray(clusterHeadBytes)]);
  }

  async fill(seconds: number): Promise<void> {
    this.addRun(await codedClip({ seconds, bFrames: 2 }), { atMs: hourAgoMs });
    const shifted = this.fragments.splice(0).map(({ fragment, segment }) => ({
      segment: { ...segment, runStartServerMs: 0 },
      fragment: {
        ...fragment,
        mediaTimeMs: fragment.mediaTimeMs + hourAgoMs,
        tracks: fragment.tracks.map((track) => ({
          ...track,
          beginMediaMs: track.beginMediaMs + hourAgoMs,
          endMediaMs: track.endMediaMs + hourAgoMs,
        })),
      },
    }));
    this.fragments.push(...shifted);
  }
}

test('(38, 82, 91, 92) absolute timecodes play in every form, each picture once', async () => {
  const stream = new AbsoluteStream();
  await stream.fill(4);
  const site = await startPlaybackSite(stream);
  const selector = {
    FragmentSelectorType: 'PRODUCER_TIMESTAMP',
    TimestampRange: { ...range, StartTimestamp: new Date(hourAgoMs - 1_000) },
  } as const;
  const session = { PlaybackMode: 'ON_DEMAND', HLSFragmentSelector: selector } as const;

  const { Payload } = await site.archive.send(
    new GetClipCommand({ StreamName: site.front, ClipFragmentSelector: selector }),
  );
  const { Images = [] } = await site.archive.send(
    new GetImagesCommand({
      StreamName: site.front,
      ImageSelectorType: 'PRODUCER_TIMESTAMP',
      Format: 'JPEG',
      SamplingInterval: 1_000,
      ...range,
      EndTimestamp: new Date(hourAgoMs + 3_500),
    }),
  );

  const clip = join(await temporaryDirectory(), 'clip.mp4');
  await writeFile(clip, (await Payload?.transformToByteArray()) ?? new Uint8Array());
  for (const source of [
    clip,
    await site.hlsUrl(session),
    await site.hlsUrl({ ...session, ContainerFormat: 'MPEG_TS' }),
  ]) {
    const video = (await probeFrames(source)).find(({ codec_type }) => codec_type === 'video');
    expect(video?.nb_read_frames).toBe('100');
  }
  expect(Images.map(({ Error: error }) => error)).toEqual([undefined, undefined, undefined, undefined]);
});
