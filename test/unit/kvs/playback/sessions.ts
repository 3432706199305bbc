/** Streaming sessions over a stream of rows without bytes: what playlists and manifests say follows from these alone. */

import { createHash } from 'node:crypto';
import {
  type KvsStream,
  PlaybackResources,
  type ResourceDeps,
  type SessionSource,
  SessionTokens,
  SessionWalks,
  streamingSessionOperations,
} from '../../../../gateway/kvs/index.ts';
import { must } from '../../../../storage/base/assert.ts';
import { appError } from '../../../../storage/base/errors.ts';
import { plainStreamSettings } from '../../../../storage/catalog/index.ts';
import type { Fragment } from '../../../../storage/model/fragment.ts';
import { fragmentEndMs } from '../../../../storage/model/fragment.ts';
import { type FragmentNumber, fragmentNumber } from '../../../../storage/model/fragment-number.ts';
import type { Track } from '../../../../storage/model/track.ts';

export const startMs = Date.UTC(2026, 2, 1, 12);
export const streamId = 'stream-0001';

export const video: Track = {
  number: 1,
  kind: 'video',
  codec: 'h264',
  codecId: 'V_MPEG4/ISO/AVC',
  codecPrivate: Uint8Array.of(1, 2, 3),
  codecString: 'avc1.42c01e',
  video: { widthPixels: 640, heightPixels: 360 },
};

export const aac: Track = {
  number: 2,
  kind: 'audio',
  codec: 'aac',
  codecId: 'A_AAC',
  // AAC-LC, 48 kHz, one channel.
  codecPrivate: Uint8Array.of(0x11, 0x88),
  codecString: 'mp4a.40.2',
  audio: { samplingFrequencyHz: 48_000, channels: 1 },
};

export const g711: Track = {
  number: 2,
  kind: 'audio',
  codec: 'pcma',
  codecId: 'A_MS/ACM',
  codecPrivate: new Uint8Array(18),
  codecString: undefined,
  audio: { samplingFrequencyHz: 8_000, channels: 1 },
};

export type RunOptions = {
  readonly atMs: number;
  readonly count: number;
  readonly durationMs?: number;
  readonly tracks?: readonly Track[];
  /** Producer's time less ours. */
  readonly producerMs?: number;
  /** Places of fragments that go on with the pictures before. */
  readonly continuations?: readonly number[];
};

type Reference = Awaited<ReturnType<SessionSource['fragmentsBetween']>>[number];

/** Fragments as a reader hands them out. */
export class RowStream implements SessionSource {
  readonly references: Reference[] = [];
  #runs = 0;
  #counter = 0;

  run(options: RunOptions): Fragment[] {
    const { atMs, count, durationMs = 2_000, tracks = [video, aac], producerMs = -100, continuations = [] } = options;
    const runId = (++this.#runs).toString(16).padStart(32, '0');
    const segment = {
      streamId,
      runId,
      runReason: 'connecting',
      runStartServerMs: atMs,
      timecodeScaleNs: 1_000_000,
      tracks,
    };
    const added = Array.from({ length: count }, (_, at): Reference => {
      const mediaTimeMs = at * durationMs;
      const serverTimestampMs = atMs + mediaTimeMs;
      const span = { beginMediaMs: mediaTimeMs, endMediaMs: mediaTimeMs + durationMs };
      const number = fragmentNumber(++this.#counter, serverTimestampMs, 9);
      return {
        segment,
        fragment: {
          ...{ number, offset: 0, byteLength: 100_000, serverTimestampMs, mediaTimeMs, durationMs, hasLoss: false },
          producerTimestampMs: serverTimestampMs + producerMs,
          isKey: !continuations.includes(at),
          tracks: tracks.map((track) => ({ trackNumber: track.number, samples: 50, payloadBytes: 40_000, ...span })),
          sha256: createHash('sha256').update(number).digest(),
        },
      };
    });
    this.references.push(...added);
    return added.map(({ fragment }) => fragment);
  }

  async fragmentsBetween(_: string, range: { beginMs: number; endMs: number; limit?: number }) {
    return this.references
      .filter(({ fragment }) => fragment.serverTimestampMs < range.endMs && fragmentEndMs(fragment) > range.beginMs)
      .slice(0, range.limit);
  }

  async fragmentsByTime(_: string, range: Parameters<SessionSource['fragmentsByTime']>[1]) {
    const { axis, beginMs, endMs, after, isWanted, limit } = range;
    const timeOf = ({ fragment }: Reference) =>
      axis === 'server' ? fragment.serverTimestampMs : fragment.producerTimestampMs;
    const isBehind = (one: Reference) =>
      after === undefined ||
      timeOf(one) > after.atMs ||
      (timeOf(one) === after.atMs && one.fragment.number > after.number);
    return this.references
      .filter((one) => timeOf(one) >= beginMs && timeOf(one) < endMs && isBehind(one))
      .filter((one) => isWanted?.(one.fragment) !== false)
      .sort((a, b) => timeOf(a) - timeOf(b) || (a.fragment.number < b.fragment.number ? -1 : 1))
      .slice(0, limit);
  }

  async fragmentsAfter(_: string, number: FragmentNumber, limit: number) {
    return this.references
      .filter(({ fragment }) => fragment.number > number)
      .sort((a, b) => (a.fragment.number < b.fragment.number ? -1 : 1))
      .slice(0, limit);
  }

  async latest() {
    return this.references.toSorted((a, b) => (a.fragment.number < b.fragment.number ? -1 : 1)).at(-1);
  }

  async clusterBytes(): Promise<Uint8Array> {
    throw appError('not_found', 'rows have no bytes');
  }

  onNew() {
    return () => {};
  }
}

export type Player = ReturnType<typeof player>;

/** Asks for URLs and reads them, at times of the test's choice; `restart` forgets what only memory knew. */
export function player(source: SessionSource, options: { readonly retentionHours?: number } = {}) {
  const stream = {
    ...{ id: streamId, name: 'gate', cameraId: 'camera', role: 'main', createdMs: startMs, hiddenBeforeMs: undefined },
    retentionHours: options.retentionHours ?? 24,
  } as unknown as KvsStream;
  const secret = new Uint8Array(32).fill(7);
  let nonce = 0;
  const random = (bytes: number) => new Uint8Array(bytes).fill(++nonce);
  const admitted = { isAdmitted: true, owners: [] as string[], counted: [] as string[] };
  const limit: ResourceDeps['limit'] = (path, { streamName, resultsMax }) => {
    admitted.counted.push(`${path} ${streamName} ${resultsMax}`);
    return { giveBack: () => void admitted.counted.pop() };
  };
  const sessions = () => {
    const walks = new SessionWalks({ source });
    const tokens = new SessionTokens({ random }, { secret });
    const resources = new PlaybackResources({
      ...{
        source,
        walks,
        tokens,
        meter: { add: () => {} },
        limit,
        clock: { monotonicMs: () => 0 },
      },
      admit: ({ owner }) => {
        admitted.owners.push(owner);
        return admitted.isAdmitted ? stream : undefined;
      },
    });
    return { operations: streamingSessionOperations({ source, walks, tokens }), resources };
  };
  let now = sessions();
  const call = async (path: string, input: Readonly<Record<string, unknown>>, nowMs: number) => {
    const operation = must(now.operations.get(path), 'is an operation');
    const answer = await operation.run({
      ...{ input: { StreamName: 'gate', ...input }, nowMs, owner: 'somebody', endpoint: 'https://weir.example' },
      ...{ site: { region: 'us-east-1', accountId: '000000000000' }, may: () => true, onStream: () => {} },
      tables: tablesOf(stream),
    } as unknown as Parameters<typeof operation.run>[0]);
    return Object.values(answer)[0] as string;
  };
  const get = async (url: string, nowMs: number) => {
    const { pathname: path, searchParams: query } = new URL(url);
    return now.resources.get({ path, query, nowMs });
  };
  return {
    admitted,
    get,
    hls: (input: Readonly<Record<string, unknown>>, nowMs: number) => call('/getHLSStreamingSessionURL', input, nowMs),
    dash: (input: Readonly<Record<string, unknown>>, nowMs: number) =>
      call('/getDASHStreamingSessionURL', input, nowMs),
    restart: () => {
      now = sessions();
    },
    /** The playlist of the pictures (or of the sound) as lines. */
    playlist: async (masterUrl: string, nowMs: number, track = 1) => {
      const text = String((await get(`${masterUrl.replace('Master', 'Media')}&TrackNumber=${track}`, nowMs)).body);
      return text.split('\n');
    },
  };
}

/** As much of a catalog as names one stream. */
function tablesOf({ id, name, role, createdMs, retentionHours }: KvsStream) {
  const recording = retentionHours === 0 ? { mode: 'live' } : { mode: 'continuous', retentionHours };
  const camera = {
    ...{ id: 'camera', revision: 1, sources: { main: { source: { kind: 'rtsp' }, recording } } },
    streams: [{ id, name, role, createdMs, cameraId: 'camera' }],
  };
  const cameras = {
    list: () => [camera],
    find: () => camera,
    findStreamByName: (wanted: string) => camera.streams.find((stream) => stream.name === wanted),
  };
  return { cameras, streamSettings: { all: () => new Map(), find: () => plainStreamSettings } };
}

export function numbersIn(playlist: readonly string[]): (FragmentNumber | undefined)[] {
  return playlist.flatMap((line) => {
    const number = /FragmentNumber=(\d{47})/.exec(line)?.[1];
    return number === undefined ? [] : [number as FragmentNumber];
  });
}

export function tag(playlist: readonly string[], name: string): string | undefined {
  return playlist.find((line) => line.startsWith(`#${name}:`))?.slice(name.length + 2);
}

export function numbersOf(fragments: readonly Fragment[]): FragmentNumber[] {
  return fragments.map(({ number }) => number);
}

/** A selector over a range, from and to seconds behind `startMs`. */
export function seconds(
  begin: number,
  end: number | undefined,
  FragmentSelectorType: 'SERVER_TIMESTAMP' | 'PRODUCER_TIMESTAMP' = 'SERVER_TIMESTAMP',
) {
  const EndTimestamp = end === undefined ? {} : { EndTimestamp: startMs / 1000 + end };
  return { FragmentSelectorType, TimestampRange: { StartTimestamp: startMs / 1000 + begin, ...EndTimestamp } };
}
