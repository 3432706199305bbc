/** A running `serve` whose one recorded stream is real coded media of the test's own, and clients and players for it. */

import { Agent } from 'node:https';
import {
  GetDASHStreamingSessionURLCommand,
  type GetDASHStreamingSessionURLInput,
  GetHLSStreamingSessionURLCommand,
  type GetHLSStreamingSessionURLInput,
  KinesisVideoArchivedMediaClient,
} from '@aws-sdk/client-kinesis-video-archived-media';
import { onTestFinished } from 'vitest';
import { clipOperations, imageOperations } from '../../../gateway/kvs/index.ts';
import { Clips, FragmentPictures } from '../../../gateway/playback/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { createLog } from '../../../storage/base/log.ts';
import type { FragmentNumber } from '../../../storage/model/fragment-number.ts';
import type { TimeRange } from '../../../storage/reader/index.ts';
import type { SiteOptions } from '../admin/kit.ts';
import { RecordedStream } from '../playback/recorded-stream.ts';
import { everything, type Statement, startKvsSite } from './kit.ts';

/** What a reader knows beside: fragments by either time, and as they came. */
export class TimedStream extends RecordedStream {
  async fragmentsAfter(_: string, number: FragmentNumber, limit: number) {
    return this.fragments.filter(({ fragment }) => fragment.number > number).slice(0, limit);
  }

  async fragmentsByTime(_: string, range: TimeRange) {
    const { axis, beginMs, endMs, after, isWanted, limit } = range;
    const timeOf = ({ fragment }: (typeof this.fragments)[number]) =>
      axis === 'server' ? fragment.serverTimestampMs : fragment.producerTimestampMs;
    const isBehind = (one: (typeof this.fragments)[number]) =>
      after === undefined ||
      timeOf(one) > after.atMs ||
      (timeOf(one) === after.atMs && one.fragment.number > after.number);
    return this.fragments
      .filter(
        (one) => timeOf(one) >= beginMs && timeOf(one) < endMs && isBehind(one) && isWanted?.(one.fragment) !== false,
      )
      .sort((a, b) => timeOf(a) - timeOf(b) || (a.fragment.number < b.fragment.number ? -1 : 1))
      .slice(0, limit);
  }
}

export async function startPlaybackSite(
  stream: TimedStream,
  { statements = [everything], ...options }: SiteOptions & { readonly statements?: readonly Statement[] } = {},
) {
  const counted = new Map<string, number>();
  const meter = {
    add: (name: string, _: string, value: number) => counted.set(name, (counted.get(name) ?? 0) + value),
  };
  const clock = systemClock;
  const log = createLog({ level: 'error', destination: { write: () => {} } });
  const kvsMedia = new Map([
    ...clipOperations({ source: stream, clips: new Clips({ source: stream, log }), meter }),
    ...imageOperations({
      source: stream,
      meter,
      pictures: new FragmentPictures({ clock, source: stream, ffmpeg: 'ffmpeg' }),
    }),
  ]);
  const kvs = await startKvsSite(statements, { isPlainAllowed: true, ...options, kvsMedia, kvsSource: stream });
  const { cameras } = (await kvs.admin.get('/api/cameras')).json as {
    cameras: { id: string; streams: { id: string; name: string }[] }[];
  };
  const [front = '', yard = ''] = cameras.map((camera) => camera.streams[0]?.name ?? '');
  const archive = new KinesisVideoArchivedMediaClient({
    ...{ endpoint: kvs.endpoint, region: 'eu-central-1', credentials: kvs.credentials, maxAttempts: 1 },
    requestHandler: { httpsAgent: new Agent({ ca: kvs.site.ca }) },
  });
  onTestFinished(() => archive.destroy());
  // Players know no authority of ours.
  const plain = (url: string | undefined) =>
    (url ?? '').replace(/^https:\/\/localhost:\d+/, `http://127.0.0.1:${kvs.site.port}`);
  return {
    ...kvs,
    ...{ counted, archive, front, yard, cameraId: cameras[0]?.id ?? '' },
    hlsUrl: async (input: GetHLSStreamingSessionURLInput) =>
      plain(
        (await archive.send(new GetHLSStreamingSessionURLCommand({ StreamName: front, ...input })))
          .HLSStreamingSessionURL,
      ),
    dashUrl: async (input: GetDASHStreamingSessionURLInput) =>
      plain(
        (await archive.send(new GetDASHStreamingSessionURLCommand({ StreamName: front, ...input })))
          .DASHStreamingSessionURL,
      ),
  };
}

export type PlaybackSite = Awaited<ReturnType<typeof startPlaybackSite>>;

/** One resource of a session, by its URL. */
export async function fetched(url: string, options: RequestInit = {}) {
  const response = await fetch(url, options);
  const bytes = Buffer.from(await response.arrayBuffer());
  return { status: response.status, headers: response.headers, bytes, text: bytes.toString() };
}

/** URIs of a playlist, whole. */
export function urisOf(playlist: string, base: string): string[] {
  return playlist
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => new URL(line, base).href);
}

/** The playlist of the pictures: the last of a master playlist. */
export async function mediaPlaylistOf(masterUrl: string) {
  const master = await fetched(masterUrl);
  const [url = ''] = urisOf(master.text, masterUrl).slice(-1);
  return { master: master.text, url, ...(await fetched(url)) };
}
