import { expect, test } from 'vitest';
import type { Hls } from '../../../gateway/playback/index.ts';
import { isAppError } from '../../../storage/base/errors.ts';
import { samplesOfChunks } from '../../kit/chunk-samples.ts';
import type { GstCameraOptions } from '../../kit/gst-camera.ts';
import { load, PlaylistFollower, playlistsOf, startLowLatencySite } from './low-latency-kit.ts';

const cameras: readonly (readonly [string, GstCameraOptions])[] = [
  ['H.264 with AAC', { audio: 'aac', gopFrames: 50 }],
  ['H.264 with B-frames and G.711', { audio: 'pcmu', gopFrames: 30, bFrames: 2 }],
  ['H.265 alone, with key frames twice a second', { codec: 'h265', gopFrames: 12 }],
  ['H.264 of 8 pictures a second', { framesPerSecond: 8, gopFrames: 16 }],
];

/** A machine that is busy for seconds finds parts forgotten: those segments are not compared. */
async function partOrNothing(hls: Hls, uri: string): Promise<Uint8Array> {
  try {
    return (await load(hls, uri)) as Uint8Array;
  } catch (error) {
    if (!isAppError(error, 'not_found')) throw error;
    return new Uint8Array();
  }
}

test.each(cameras)('parts of %s are its segments, sample by sample', async (_, options) => {
  const { hls } = await startLowLatencySite(options);
  const { video, audio } = await playlistsOf(hls);
  const told = new Map<string, string>();
  let heardLive = 0;

  for (const uri of audio === undefined ? [video] : [video, audio]) {
    const follower = new PlaylistFollower(hls, uri);
    const first = (await follower.next()).segments.at(-1)?.mediaSequence ?? 0;
    const bytes = new Map<string, Uint8Array>();
    let compared = 0;
    while (compared < 3) {
      const { segments, open } = await follower.next();
      for (const part of [...segments.flatMap(({ parts }) => parts), ...open]) {
        if (!bytes.has(part.uri)) bytes.set(part.uri, await partOrNothing(hls, part.uri));
      }
      open.forEach((part, at) => {
        const place = `${uri} ${segments.at(-1)?.mediaSequence} ${at}`;
        expect(told.get(place) ?? part.uri).toBe(part.uri);
        told.set(place, part.uri);
      });
      for (const { mediaSequence, uri: segmentUri, parts } of segments) {
        if (mediaSequence <= first + compared || parts.length === 0) continue;
        if (parts.some((part) => bytes.get(part.uri)?.length === 0)) continue;
        const live = parts.filter((part, at) => told.get(`${uri} ${mediaSequence - 1} ${at}`) === part.uri);
        heardLive += live.length;
        const whole = samplesOfChunks((await load(hls, segmentUri)) as Uint8Array);
        const pieces = parts.flatMap((part) => samplesOfChunks(bytes.get(part.uri) ?? new Uint8Array()));
        expect(pieces).toEqual(whole);
        compared++;
      }
    }
  }
  // Not made of the segment behind: these came while it was open.
  expect(heardLive).toBeGreaterThan(2);
});
