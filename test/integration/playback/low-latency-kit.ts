/** A camera, a recorder and low-latency playlists of its stream in one process, and a player that follows them by the book. */

import { onTestFinished } from 'vitest';
import { Hls, LowLatency } from '../../../gateway/playback/index.ts';
import { must } from '../../../storage/base/assert.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { StreamReader } from '../../../storage/reader/index.ts';
import { type GstCamera, type GstCameraOptions, startGstCamera } from '../../kit/gst-camera.ts';
import { type ReadPlaylist, readPlaylist } from '../../kit/read-playlist.ts';
import { until } from '../../kit/until.ts';
import { plannedOf, planOf, type RunningIngest, sourceOf, startIngest, streamId } from '../ingest/ingest-kit.ts';

export type LowLatencySite = RunningIngest & {
  readonly camera: GstCamera;
  readonly source: StreamReader;
  readonly lowLatency: LowLatency;
  readonly hls: Hls;
};

/** Resolves when the first fragment is recorded. */
export async function startLowLatencySite(options: GstCameraOptions = {}): Promise<LowLatencySite> {
  const camera = await startGstCamera(options);
  const running = await startIngest();
  await running.ingest.apply(planOf(plannedOf(sourceOf(camera))));
  const deps = { clock: systemClock, log: silentLog };
  const source = new StreamReader({ ...deps, paths: running.paths, watcher: running.client });
  await source.start();
  onTestFinished(() => source.close());
  const lowLatency = new LowLatency({ ...deps, source, laneOf: () => running.client });
  onTestFinished(() => lowLatency.close());
  await until('a fragment is recorded', async () => (await source.latest(streamId)) !== undefined);
  return { ...running, camera, source, lowLatency, hls: new Hls({ clock: systemClock, source, lowLatency }) };
}

/** Reads media playlists of a session again and again, waiting as their server offers it. */
export class PlaylistFollower {
  readonly #hls: Pick<Hls, 'get'>;
  readonly #uri: string;
  playlist: ReadPlaylist | undefined;

  constructor(hls: Pick<Hls, 'get'>, uri: string) {
    this.#hls = hls;
    this.#uri = uri;
  }

  async next(): Promise<ReadPlaylist> {
    const last = this.playlist;
    const end = last?.segments.at(-1)?.mediaSequence ?? 0;
    const asked: Record<string, string> =
      last === undefined ? {} : { _HLS_msn: String(end + 1), _HLS_part: String(last.open.length) };
    const read = readPlaylist(String(await load(this.#hls, this.#uri, asked)));
    this.playlist = read;
    return read;
  }
}

/** The bytes, or the text, of a URI. */
export async function load(
  hls: Pick<Hls, 'get'>,
  uri: string,
  more: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<Uint8Array | string> {
  const [file = '', query = ''] = uri.split('?');
  const answer = await hls.get({
    ...{ streamId, file, signal },
    query: { ...Object.fromEntries(new URLSearchParams(query)), ...more },
  });
  return answer.body;
}

/** URIs of the media playlists that a master playlist names. */
export async function playlistsOf(hls: Pick<Hls, 'get'>): Promise<{ video: string; audio: string | undefined }> {
  const text = String(await load(hls, 'master.m3u8?latency=low'));
  const video = /^(?:video|audio)\.m3u8.*$/m.exec(text)?.[0];
  return { video: must(video, 'master names a playlist'), audio: /URI="(audio\.m3u8[^"]*)"/.exec(text)?.[1] };
}
