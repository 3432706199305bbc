import { expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { type ClipName, clipBytes, read } from '../../unit/media/clips.ts';
import { startPutMedia } from './put-media-kit.ts';

const files: ClipName[] = [
  'h264-aac.mkv',
  'bframes.mkv',
  'hevc.mkv',
  'h264-opus.mkv',
  'h264-alaw.mkv',
  'live.mkv',
  'vp8-opus.webm',
  'flac.mkv',
  'laced.mkv',
  'gstreamer.mkv',
  'gstreamer-known.mkv',
];

test('(44, 45, 46, 56) what ffmpeg, GStreamer and mkvmerge write is taken, frame by frame and byte by byte', async () => {
  const { produce, stored, clusters } = await startPutMedia();
  const headers = { 'x-amzn-fragment-timecode-type': 'RELATIVE', 'x-amzn-producer-start-timestamp': '1700000000' };
  let known = 0;
  for (const name of files) {
    const bytes = await clipBytes(name);
    const wanted = new Map<number, number>();
    for (const { trackNumber } of read([bytes]).frames) wanted.set(trackNumber, (wanted.get(trackNumber) ?? 0) + 1);

    const producer = await produce({ headers, isSized: bytes.length });
    await producer.send(bytes);
    await until(`${name} is answered`, () => producer.isEnded);
    const fragments = (await stored()).flatMap((file) => file.fragments).slice(known);
    const found = new Map<number, number>();
    for (const { tracks } of fragments) {
      for (const { trackNumber, samples } of tracks) found.set(trackNumber, (found.get(trackNumber) ?? 0) + samples);
    }

    expect({ name, told: producer.told('ERROR'), isWhole: producer.isWhole }).toEqual({
      name,
      told: [],
      isWhole: true,
    });
    expect({ name, frames: found }).toEqual({ name, frames: wanted });
    for (const cluster of (await clusters()).slice(known)) expect(Buffer.from(bytes).includes(cluster)).toBe(true);
    for (const { durationMs, producerTimestampMs } of fragments) {
      expect(durationMs).toBeGreaterThan(0);
      expect(producerTimestampMs).toBeGreaterThanOrEqual(1_700_000_000_000);
    }
    known += fragments.length;
  }
});
