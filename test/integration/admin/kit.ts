/**
 * `serve` on a free port with real TLS, catalog, index, hasher and lane sockets. What other rooms make out of recordings
 * (playlists, clips, pictures, probes) is a value that the test chooses. Everything that goes out is kept in `transcript`.
 */

import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { onTestFinished } from 'vitest';
import {
  OnvifPort,
  type ProbeResult,
  type RawRoute,
  type RoleState,
  Serve,
  type ServeDeps,
} from '../../../appliance/admin/index.ts';
import type { TaggedParts } from '../../../appliance/admin/tag-deliveries.ts';
import { Argon2Hasher, SiteKey } from '../../../appliance/secrets/index.ts';
import { OwnCertificates } from '../../../appliance/tls/index.ts';
import {
  KvsMeter,
  type KvsOperations,
  type SessionSource,
  SignalingHub,
  type StorageSessionPort,
  signalingOperations,
  type TurnServers,
} from '../../../gateway/kvs/index.ts';
import { Onvif, onvifRequests } from '../../../gateway/onvif/index.ts';
import { FragmentPictures, type LiveSocketRequest } from '../../../gateway/playback/index.ts';
import { AddressPolicy } from '../../../storage/base/address-policy.ts';
import { type Clock, systemClock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import { createLog, silentLog } from '../../../storage/base/log.ts';
import { IndexReader, IndexWriter } from '../../../storage/index/index.ts';
import { LaneClient, type LaneHandlers, LaneServer } from '../../../storage/lane/index.ts';
import type { RtspSource, SourceState } from '../../../storage/model/camera.ts';
import { fragmentEndMs } from '../../../storage/model/fragment.ts';
import type { Hint } from '../../../storage/model/hint.ts';
import { type Paths, pathsUnder } from '../../../storage/model/paths.ts';
import { DirectoryPictures } from '../../../storage/objects/index.ts';
import { StreamReader } from '../../../storage/reader/index.ts';
import { someSegment } from '../../kit/segments.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { fakeImports } from './fake-imports.ts';
import { HttpClient } from './http-client.ts';

export type TestSite = Awaited<ReturnType<typeof startSite>>;

export type SiteOptions = {
  readonly data?: string;
  readonly host?: string;
  readonly isPlainAllowed?: boolean;
  readonly rawRoutes?: readonly RawRoute[];
  readonly requests?: LaneHandlers['requests'];
  readonly publicUrl?: string;
  readonly isKeeperAway?: boolean;
  readonly pageDirectory?: string;
  /** The site key file of another machine. */
  readonly siteKey?: Uint8Array;
  /** Fragments of 2 s that no index has yet. */
  readonly newest?: readonly { readonly beginMs: number; readonly count: number }[];
  readonly kvsMedia?: KvsOperations;
  /** The clock by which signalling connections grow old, and what stores the media of channels. */
  readonly signaling?: { readonly clock?: Clock; readonly storage?: StorageSessionPort };
  readonly turnServers?: TurnServers;
  readonly stunPort?: number;
  /** What streaming sessions play; nothing where it is left out. */
  readonly kvsSource?: SessionSource;
  readonly onPlan?: () => void;
  /** Viewers and publishers by WebRTC; none where it is left out. */
  readonly liveSessions?: ServeDeps['liveSessions'];
  readonly kvsQuotaFactor?: number;
  /** Tagged fragments of what lies in the journal set off what they are tagged for. */
  readonly followsTags?: boolean;
  readonly kvs?: NonNullable<ConstructorParameters<typeof Serve>[1]['kvs']>;
};

/** Random bytes that a clip consists of. */
export const clipBytes = randomBytes(300_000);

export async function startSite(options: SiteOptions = {}) {
  const data = options.data ?? (await temporaryDirectory());
  const paths = pathsUnder(data);
  const transcript: string[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line) => transcript.push(line) } });
  const deps = { clock: systemClock, log, random: randomBytes };
  const closers: (() => Promise<void>)[] = [];
  const own = <T extends { close(): Promise<void> }>(part: T): T => {
    closers.push(() => part.close());
    return part;
  };
  const close = async () => {
    for (let closer = closers.pop(); closer !== undefined; closer = closers.pop()) await closer();
  };
  onTestFinished(close);

  await mkdir(paths.journalOpen, { recursive: true });
  const writer = own(new IndexWriter(deps, { path: paths.index }));
  await writer.start();
  const tls = own(
    new OwnCertificates(
      { ...deps, machineNames: () => ['127.0.0.1', 'localhost'] },
      { directory: paths.tls, names: [] },
    ),
  );
  await tls.start();
  if (options.siteKey !== undefined) {
    await mkdir(paths.secrets, { recursive: true });
    await writeFile(join(paths.secrets, 'site.key'), options.siteKey, { mode: 0o600 });
  }
  const siteKey = await SiteKey.open(join(paths.secrets, 'site.key'), randomBytes);

  const states = new Map<string, SourceState>();
  const keeperCalls: { method: string; params: unknown }[] = [];
  const lanes = await startLanes({ own, log, run: paths.run, states, keeperCalls, options });
  const probes: { sources: RtspSource[]; result: ProbeResult } = {
    sources: [],
    result: { tracks: [], picture: undefined, warnings: [], fault: undefined },
  };
  const liveViews: LiveSocketRequest[] = [];
  const planChanges = { count: 0 };
  const figures = { memoryBytes: 90_000_000, eventLoopDelayMsP99: 1.5 };
  const roleStates: RoleState[] = [
    { role: 'ingest-0', state: 'running', sinceMs: 1, restarts: 2, pid: 7, figures },
    { role: 'keeper', state: 'waiting', sinceMs: 1, restarts: 3, reason: 'code 1', figures },
  ];
  const roleCallbacks = new Set<() => void>();
  const index = own(new IndexReader(deps, { path: paths.index }));

  const registry = new Registry();
  const kvsMeter = new KvsMeter({ registry });
  const { clock: signalingClock = systemClock, storage } = options.signaling ?? {};
  const signaling = new SignalingHub(
    { clock: signalingClock, log, meter: kvsMeter, storage },
    { quotaFactor: options.kvsQuotaFactor ?? 20 },
  );
  const serveDeps: ServeDeps = {
    ...deps,
    secrets: siteKey,
    hasher: new Argon2Hasher(randomBytes),
    tls,
    index,
    newest: {
      fragmentsBetween: async (streamId, { beginMs, endMs }) =>
        (options.newest ?? [])
          .flatMap(({ count, ...plan }) => someSegment({ ...plan, streamId, fragments: count }).fragments)
          .filter((fragment) => fragment.serverTimestampMs < endMs && fragmentEndMs(fragment) > beginMs)
          .map((fragment) => ({ fragment })),
    },
    hls: {
      get: async ({ file, query, carried = {}, sub }) => ({
        contentType: 'application/vnd.apple.mpegurl',
        body: `#EXTM3U\n${file} ${JSON.stringify(query)}${sub === undefined ? '' : ` beside ${JSON.stringify(sub)}`}\nvideo.m3u8?${new URLSearchParams(carried as Record<string, string>)}\n`,
        isImmutable: file.endsWith('.m4s'),
      }),
    },
    clips: {
      open: async (_streamId, span) => {
        if (span.beginMs < 1_000) throw appError('not_found', 'nothing was recorded at that time');
        return {
          byteLength: clipBytes.length,
          entityTag: '"clip-1"',
          async *read({ begin, end }) {
            for (let at = begin; at < end; at += 65_536) yield clipBytes.subarray(at, Math.min(end, at + 65_536));
          },
        };
      },
    },
    conversions: {
      get: async ({ streamId, file, query, carried = {} }, viewer) => {
        if (query.begin === '1000') {
          throw appError('resource_exhausted', 'no more than 1 stream is converted at once', {
            running: [
              { streamId, kind: 'live', viewers: ['ada', 'bob'], sinceMs: 1 },
              { streamId: 'removed', kind: 'clip', viewers: ['eve, download 1'], sinceMs: 1 },
            ],
            retryAfterMs: 20_000,
          });
        }
        const uri = new URLSearchParams(carried as Record<string, string>);
        const body = `#EXTM3U\n${file} ${JSON.stringify(query)} converted for ${viewer}\nvideo.m3u8?${uri}\n`;
        return { contentType: 'application/vnd.apple.mpegurl', body, isImmutable: false };
      },
      openClip: async () => ({
        durationMs: 1_000,
        async *stream() {
          yield Buffer.from('converted clip');
        },
      }),
    },
    liveSessions: options.liveSessions,
    liveViews: {
      add: (socket, request) => {
        liveViews.push(request);
        socket.close(1000, 'no media here');
      },
    },
    pictures: {
      live: async () => ({ bytes: Buffer.from('live picture'), serverTimestampMs: 5 }),
      at: async (_streamId, timeMs) => ({ bytes: Buffer.from('old picture'), serverTimestampMs: timeMs - 1 }),
    },
    imports: fakeImports(),
    probe: async (source) => {
      probes.sources.push(source);
      return probes.result;
    },
    examiner: {
      doctor: async () => ({ atMs: 1, durationMs: 2, isRunning: true, findings: [], verdict: 'ok' as const }),
      support: async () => Buffer.from('an archive'),
      check: async (level, { onProgress }) => {
        onProgress({ done: 1, total: 2, findings: 0 });
        return { level, findings: [], segments: 2, objects: 3, files: 4, skipped: [] };
      },
    },
    roles: {
      list: () => roleStates,
      onChange: (callback) => {
        roleCallbacks.add(callback);
        return () => roleCallbacks.delete(callback);
      },
    },
    ingests: new Map([['ingest-0', lanes.ingest]]),
    keeper: lanes.keeper,
    onvif: new OnvifPort({ lane: lanes.onvif, onWanted: lanes.startOnvif }),
    registry,
    tagged: options.followsTags === true ? tagged({ paths, index }, own) : undefined,
    kvsMedia: new Map([
      ...signalingOperations({
        ...{ clock: signalingClock, meter: kvsMeter, hub: signaling },
        turnServers: async () => options.turnServers,
        stunPort: () => options.stunPort,
      }),
      ...(options.kvsMedia ?? []),
    ]),
    signaling,
    kvsSource: options.kvsSource ?? nothingRecorded,
    onPlan: () => options.onPlan?.(),
    kvsMeter,
    onPlanChanged: () => {
      planChanges.count++;
    },
  };
  const serve = own(
    new Serve(serveDeps, {
      timeZone: 'Asia/Kolkata',
      paths,
      version: '0.0.0-test',
      host: options.host ?? '127.0.0.1',
      port: 0,
      isPlainAllowed: options.isPlainAllowed ?? false,
      credentialsPort: 0,
      pageDirectory: options.pageDirectory ?? join(data, 'no-page'),
      ...(options.rawRoutes === undefined ? {} : { rawRoutes: options.rawRoutes }),
      ...(options.publicUrl === undefined ? {} : { publicUrl: options.publicUrl }),
      kvsQuotaFactor: options.kvsQuotaFactor,
      ...(options.kvs === undefined ? {} : { kvs: options.kvs }),
    }),
  );
  const firstAdmin = await serve.start();
  // Before the port, which waits for its connections to end.
  signaling.start();
  own(signaling);
  const ca = tls.authorityPem() ?? '';
  return {
    data,
    paths,
    serve,
    port: serve.port,
    ca,
    siteKey,
    transcript,
    firstAdmin,
    planChanges,
    registry,
    signaling,
    /** What live sockets were opened for. */
    liveViews,
    probes,
    keeperCalls,
    /** What the role `onvif` has, which is started by the first question. */
    devices: lanes.devices,
    writer,
    /** Tells a state as `ingest` would. */
    tellState: (state: SourceState) => {
      states.set(state.streamId, state);
      lanes.ingestServer.state(state);
    },
    tellHint: (hint: Hint) => lanes.ingestServer.hint(hint),
    removeIndex: async () => {
      await writer.close();
      await rm(paths.index);
    },
    closeIngest: () => lanes.ingestServer.close(),
    close,
    /** A browser or program without any login. */
    client: () => new HttpClient({ port: serve.port, ca, transcript }),
    /** Logged in as the first admin, with the one-time password replaced. */
    admin: async () => {
      const client = new HttpClient({ port: serve.port, ca, transcript });
      const { name, password } = firstAdmin ?? { name: 'admin', password: adminPassword };
      await client.login(name, password);
      if (firstAdmin !== undefined) {
        await client.post('/api/session/password', { currentPassword: password, newPassword: adminPassword });
      }
      return client;
    },
  };
}

const nothingRecorded: SessionSource = {
  fragmentsBetween: async () => [],
  fragmentsAfter: async () => [],
  fragmentsByTime: async () => [],
  latest: async () => undefined,
  clusterBytes: async () => {
    throw appError('not_found', 'nothing was recorded');
  },
  onNew: () => () => {},
};

export const adminPassword = 'correct horse battery';

/** Fragments of the journal, pictures by ffmpeg, and a folder for them. */
function tagged(
  { paths, index }: { readonly paths: Paths; readonly index: IndexReader },
  own: <T extends { close(): Promise<void> }>(part: T) => T,
): TaggedParts {
  const deps = { clock: systemClock, log: silentLog, paths, index };
  const source = own(new StreamReader(deps));
  return {
    source,
    pictures: new FragmentPictures({ clock: systemClock, source, ffmpeg: 'ffmpeg' }),
    pictureStore: new DirectoryPictures({ directory: join(paths.data, 'images') }),
  };
}

async function startLanes(given: {
  readonly own: <T extends { close(): Promise<void> }>(part: T) => T;
  readonly log: ReturnType<typeof createLog>;
  readonly run: string;
  readonly states: ReadonlyMap<string, SourceState>;
  readonly keeperCalls: { method: string; params: unknown }[];
  readonly options: SiteOptions;
}) {
  const { own, log, run, states, keeperCalls, options } = given;
  const noted = (method: string, result: unknown) => (params: unknown) => {
    keeperCalls.push({ method, params });
    return result;
  };
  const ingestServer = own(
    new LaneServer(
      {
        log,
        handlers: {
          requests: { metrics: () => '# TYPE weir_frames_total counter\nweir_frames_total{camera="x"} 7\n' },
          snapshot: () => ({ open: [], states: [...states.values()] }),
        },
      },
      { path: join(run, 'ingest-0.sock'), role: 'ingest' },
    ),
  );
  const keeperServer = own(
    new LaneServer(
      {
        log,
        handlers: {
          requests: {
            metrics: () => '# TYPE weir_frames_total counter\nweir_segments 3\n',
            // Not noted: alarms ask for it again and again.
            state: () => ({ isIndexOpen: true, problems: [] }),
            'confirm-clock': noted('confirm-clock', {}),
            'hold-add': noted('hold-add', { holdId: 'hold-1' }),
            'hold-release': noted('hold-release', {}),
            'delete-range': noted('delete-range', { removed: 2, held: 1 }),
            ...options.requests,
          },
        },
      },
      { path: join(run, 'keeper.sock'), role: 'keeper' },
    ),
  );
  await ingestServer.start();
  if (options.isKeeperAway !== true) await keeperServer.start();
  const ingest = own(new LaneClient({ clock: systemClock, log }, { path: join(run, 'ingest-0.sock'), name: 'serve' }));
  const keeper = own(new LaneClient({ clock: systemClock, log }, { path: join(run, 'keeper.sock'), name: 'serve' }));
  ingest.start();
  keeper.start();
  const devices = own(
    new Onvif({
      ...{ clock: systemClock, log, random: randomBytes, addresses: new AddressPolicy({ networks: [] }) },
      sink: { began() {}, ended() {} },
    }),
  );
  const { signal } = new AbortController();
  const requests = onvifRequests({ clock: systemClock, onvif: devices, metrics: async () => '' }, { signal });
  const onvifServer = own(
    new LaneServer({ log, handlers: { requests } }, { path: join(run, 'onvif.sock'), role: 'onvif' }),
  );
  const onvif = own(new LaneClient({ clock: systemClock, log }, { path: join(run, 'onvif.sock'), name: 'serve' }));
  let onvifStarts = 0;
  const startOnvif = () => {
    if (onvifStarts++ === 0) void onvifServer.start();
  };
  return { ingestServer, ingest, keeper, onvif, devices, startOnvif };
}

export function sourceState(streamId: string, change: Partial<SourceState> = {}): SourceState {
  return {
    streamId,
    state: 'live',
    reason: undefined,
    message: undefined,
    hint: undefined,
    sinceMs: 1,
    attempts: 0,
    nextAttemptMs: undefined,
    isRecording: true,
    tracks: [{ number: 1, codec: 'h264', text: 'h264 1920x1080' }],
    clockOffsetMs: undefined,
    clockDriftPpm: undefined,
    runsLastHour: 1,
    warnings: [],
    ...change,
  };
}
