/** Fragments as plain values: playlists and layouts need no media. */

import type { FragmentSource, PlayableFragment, TimeRange } from '../../../gateway/playback/index.ts';
import { fragmentEndMs } from '../../../storage/model/fragment.ts';
import { fragmentNumber } from '../../../storage/model/fragment-number.ts';
import type { Track } from '../../../storage/model/track.ts';

export const streamId = 'stream-0001';
export const beginMs = Date.UTC(2026, 0, 1, 12);

export const h264Track: Track = {
  number: 1,
  kind: 'video',
  codec: 'h264',
  codecId: 'V_MPEG4/ISO/AVC',
  codecPrivate: Uint8Array.of(1, 2, 3),
  codecString: 'avc1.4d4028',
  video: { widthPixels: 1920, heightPixels: 1080 },
};

export const h265Track: Track = {
  ...h264Track,
  codec: 'h265',
  codecId: 'V_MPEGH/ISO/HEVC',
  codecString: 'hvc1.1.6.L120.90',
};

export const aacTrackOf48kHz: Track = {
  number: 2,
  kind: 'audio',
  codec: 'aac',
  codecId: 'A_AAC',
  codecPrivate: Uint8Array.of(0x11, 0x90),
  codecString: 'mp4a.40.2',
  audio: { samplingFrequencyHz: 48_000, channels: 2 },
};

export type RunOptions = {
  readonly runId: string;
  readonly firstCounter: number;
  readonly atMs: number;
  readonly count: number;
  readonly durationMs?: number;
  readonly tracks?: readonly Track[];
  /** How much later than the producer's time ours is; 0 for a source that tells none. */
  readonly wayMs?: number;
};

/** Consecutive fragments of one run. */
export function runOf(options: RunOptions): PlayableFragment[] {
  const { runId, firstCounter, atMs, count, durationMs = 2_000, tracks = [h264Track, aacTrackOf48kHz] } = options;
  const segment = {
    streamId,
    runId,
    runReason: 'connecting',
    runStartServerMs: atMs,
    timecodeScaleNs: 1_000_000,
    tracks,
  };
  return Array.from({ length: count }, (_, at) => {
    const mediaTimeMs = at * durationMs;
    const serverTimestampMs = atMs + mediaTimeMs;
    const fragment = {
      number: fragmentNumber(firstCounter + at, serverTimestampMs, 1),
      offset: 0,
      byteLength: 1_000_100,
      serverTimestampMs,
      producerTimestampMs: serverTimestampMs - (options.wayMs ?? 0),
      mediaTimeMs,
      durationMs,
      isKey: true,
      hasLoss: false,
      tracks: tracks.map((track) => ({
        trackNumber: track.number,
        samples: track.kind === 'video' ? 50 : 94,
        payloadBytes: track.kind === 'video' ? 1_000_000 : 16_000,
        beginMediaMs: mediaTimeMs,
        endMediaMs: mediaTimeMs + durationMs,
      })),
      sha256: new Uint8Array(32),
    };
    return { fragment, segment };
  });
}

/** A source of several streams, by their ids. */
export function sourceOfStreams(streams: Readonly<Record<string, readonly PlayableFragment[]>>): FragmentSource {
  const of = (id: string) => sourceOf(streams[id] ?? []);
  return {
    fragmentsBetween: (id, range) => of(id).fragmentsBetween(id, range),
    latest: (id) => of(id).latest(id),
    clusterBytes: async () => new Uint8Array(),
    onNew: () => () => {},
  };
}

/** A source of such fragments, without media. */
export function sourceOf(fragments: readonly PlayableFragment[]): FragmentSource & { calls: number } {
  const source = {
    calls: 0,
    async fragmentsBetween(_: string, range: TimeRange & { readonly limit?: number }) {
      source.calls++;
      return fragments
        .filter(({ fragment }) => fragment.serverTimestampMs < range.endMs && fragmentEndMs(fragment) > range.beginMs)
        .slice(0, range.limit);
    },
    latest: async () => fragments.at(-1),
    clusterBytes: async () => new Uint8Array(),
    onNew: () => () => {},
  };
  return source;
}
