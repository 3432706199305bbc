/** The role `serve`: readers, players and lanes of the other roles, put behind the public port. */

import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { ffprobeBeside, Imports } from '../../gateway/import/index.ts';
import {
  clipOperations,
  imageOperations,
  KvsMeter,
  type MediaSource,
  mediaReaders,
  putMediaOperations,
  SignalingHub,
  signalingOperations,
} from '../../gateway/kvs/index.ts';
import {
  absenceWithin,
  Clips,
  Conversions,
  FragmentPictures,
  type FragmentSource,
  Hls,
  Images,
  LiveSockets,
  LowLatency,
  PictureDecoders,
} from '../../gateway/playback/index.ts';
import { must } from '../../storage/base/assert.ts';
import { type AppError, isAppError } from '../../storage/base/errors.ts';
import { type Closable, Lifetime } from '../../storage/base/lifecycle.ts';
import { IndexReader } from '../../storage/index/index.ts';
import { LaneClient } from '../../storage/lane/index.ts';
import { type FragmentRef, type SegmentRef, StreamReader } from '../../storage/reader/index.ts';
import { FaultPage, OnvifPort, Serve, type TlsMaterial } from '../admin/index.ts';
import { Argon2Hasher, SiteKey } from '../secrets/index.ts';
import { partIndexes, partIndexOf } from '../supervisor/index.ts';
import { certificateFacts, OwnCertificates, SiteCertificates } from '../tls/index.ts';
import { addConversionMetrics } from './conversion-metrics.ts';
import { examinerOf } from './examine.ts';
import { liveSessions } from './live-sessions.ts';
import { addLiveViewMetrics } from './live-view-metrics.ts';
import { addLowLatencyMetrics } from './low-latency-metrics.ts';
import { objectStoreOf, pictureStoreOf } from './object-store.ts';
import { probeInChild } from './probe.ts';
import { releaseVersion } from './release.ts';
import type { RoleContext } from './role-context.ts';
import { startRtspOut } from './rtsp-out.ts';
import { mainEntry, siteKeyPath } from './setting-paths.ts';
import { startNotice } from './start-notice.ts';
import { storageSessions } from './storage-sessions.ts';
import { readTurnServers } from './turn-servers.ts';
import { WebRtc } from './webrtc.ts';

/** A catalog that a person put back is looked for so often. */
const catalogLookMs = 2_000;
const catalogLooksMax = 30;

export async function startServe(context: RoleContext): Promise<Closable> {
  const lifetime = new Lifetime();
  try {
    await start(context, lifetime);
  } catch (error) {
    await lifetime.close();
    if (!isAppError(error, 'data_loss') && !isAppError(error, 'failed_precondition')) throw error;
    return showFault(context, error);
  }
  return lifetime;
}

/** Says on the port what is wrong with the catalog; when its file is another one, or after a minute, the process is started anew. */
async function showFault(context: RoleContext, error: AppError): Promise<Closable> {
  const { clock, log, config, paths } = context;
  const lifetime = new Lifetime();
  log.error('serve shows nothing but a fault', { error });
  const { address: host, port } = config.listen;
  const options = { host, port, isPlainAllowed: config.tls.allowPlainBeyondLoopback };
  const tls = await certificates(context, lifetime);
  const page = new FaultPage({ clock, log, tls }, { error, ...options, socketPath: join(paths.run, 'serve.sock') });
  lifetime.own(page);
  await page.start();
  const shown = await fileVersion(paths.catalog);
  lifetime.loop(async (signal) => {
    for (let looks = 0; looks < catalogLooksMax; looks++) {
      await clock.sleep(catalogLookMs, signal);
      if ((await fileVersion(paths.catalog)) !== shown) break;
    }
    log.info('serve starts anew');
    process.exit(1);
  });
  return lifetime;
}

async function fileVersion(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? 'none' : `${found.ino} ${found.mtimeMs} ${found.size}`;
}

async function start(context: RoleContext, lifetime: Lifetime): Promise<void> {
  const { clock, log, random, config, paths, link } = context;
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const kvsMeter = new KvsMeter({ registry });

  const lanes = Array.from({ length: config.ingest.processes }, (_, i) => lane(context, lifetime, `ingest-${i}`));
  const keeper = lane(context, lifetime, 'keeper').client;
  const index = lifetime.own(new IndexReader({ clock, log }, { path: paths.index }));
  await index.start();
  const storeOf = (key: string) => index.snapshot((queries) => queries.places.storeOf(key));
  const store = lifetime.own(await objectStoreOf({ clock, log }, { config, paths, environment: process.env, storeOf }));
  const readers: StreamReader[] = [];
  for (const { client } of lanes) {
    const reader = lifetime.own(new StreamReader({ clock, log, paths, index, store, watcher: client }));
    await reader.start();
    readers.push(reader);
  }
  // As the newest plan says; without one yet, or for streams that it names no more, their ids decide.
  const owners = { of: new Map() as ReadonlyMap<string, number> };
  const source = sourceOf(readers, owners, (streamId, range) =>
    absenceWithin(index, { ...range, streamId, nowMs: clock.wallMs() }),
  );
  const laneOf = (streamId: string) =>
    must(lanes[owners.of.get(streamId) ?? partIndexOf(streamId, lanes.length)], 'every part has an owner').client;
  const lowLatency = new LowLatency({ clock, log, source, laneOf });
  addLowLatencyMetrics(registry, lowLatency);
  const liveViews = new LiveSockets({ clock, log, laneOf });
  liveViews.start();
  addLiveViewMetrics(registry, liveViews);
  const cores = availableParallelism();
  const conversions = lifetime.own(
    new Conversions(
      { clock, log, source, ffmpeg: config.ffmpegPath },
      { conversionsMax: config.playback.conversionsMax ?? Math.max(1, Math.floor(cores / 2)), cores },
    ),
  );
  addConversionMetrics(registry, conversions);
  const decoders = lifetime.own(new PictureDecoders({ clock, log, ffmpeg: config.ffmpegPath }));

  const imports = lifetime.own(
    new Imports(
      {
        ...{ clock, log, footage: source },
        ownerOf: laneOf,
      },
      {
        directory: paths.imports,
        ffmpegPath: config.ffmpegPath,
        ffprobePath: ffprobeBeside(config.ffmpegPath),
      },
    ),
  );
  await imports.start();

  const clips = new Clips({ source, log });
  const fragmentPictures = new FragmentPictures({ clock, source, ffmpeg: config.ffmpegPath });
  const pictureStore = lifetime.own(
    await pictureStoreOf({ clock }, { config, environment: process.env, directory: join(paths.data, 'images') }),
  );
  const { quotaFactor } = config.kvs;
  const media = mediaReaders({ clock, log, source, meter: kvsMeter }, { quotaFactor });
  const webrtc = new WebRtc(context, { registry });
  const storage = config.webrtc.enabled
    ? storageSessions(context, { plane: webrtc.plane, laneOf, registry })
    : undefined;
  const signaling = new SignalingHub({ clock, log, meter: kvsMeter, storage }, { quotaFactor });
  const live = config.webrtc.enabled
    ? liveSessions(context, { plane: webrtc.plane, conversions, laneOf, registry })
    : undefined;
  const tls = await certificates(context, lifetime);
  const serve = lifetime.own(
    new Serve(
      {
        clock,
        log,
        random,
        secrets: await SiteKey.open(siteKeyPath(config), random),
        hasher: new Argon2Hasher(random),
        tls,
        index,
        newest: source,
        hls: new Hls({ clock, source, lowLatency }),
        clips,
        conversions,
        liveViews,
        mediaPlane: webrtc.plane,
        liveSessions: live,
        pictures: new Images({ source, decoders }),
        imports,
        probe: probeInChild(
          { clock },
          { entry: mainEntry, ffmpegPath: config.ffmpegPath, allowedNetworks: config.cameras.allowedNetworks },
        ),
        examiner: examinerOf({ clock }, { entry: mainEntry, config }),
        roles: link.roles,
        ingests: new Map(lanes.map(({ name, client }) => [name, client])),
        keeper,
        onvif: onvifPort(context, lifetime),
        tagged: { source, pictures: fragmentPictures, pictureStore },
        kvsMedia: new Map([
          ...media.operations,
          ...clipOperations({ source, clips, meter: kvsMeter }),
          ...imageOperations({
            source,
            meter: kvsMeter,
            pictures: fragmentPictures,
          }),
          ...putMediaOperations({
            clock,
            ownerOf: laneOf,
          }),
          ...signalingOperations({
            clock,
            hub: signaling,
            meter: kvsMeter,
            turnServers: () => readTurnServers(config.webrtc),
            stunPort: () => webrtc.stunPort,
          }),
        ]),
        signaling,
        kvsSource: source,
        kvsMeter,
        registry,
        onPlan: (plan) => {
          owners.of = partIndexes(plan, readers.length);
          media.streamsChanged();
        },
        onPlanChanged: link.planChanged,
      },
      {
        paths,
        version: releaseVersion(),
        host: config.listen.address,
        port: config.listen.port,
        isPlainAllowed: config.tls.allowPlainBeyondLoopback,
        storageBytesMax: config.storage.bytesMax,
        ports: {
          rtsp: config.rtsp.enabled ? config.rtsp.port : null,
          rtmp: config.rtmp.enabled ? config.rtmp.port : null,
        },
        arePlainRtspPasswordsAllowed: config.rtsp.allowPlainPasswords,
        publicUrl: config.publicUrl,
        kvsQuotaFactor: quotaFactor,
        credentialsPort: config.kvs.credentials.enabled ? config.kvs.credentials.port : undefined,
        kvs: {
          site: { region: config.kvs.region, accountId: config.kvs.accountId },
          acceptedRegion: config.kvs.acceptedRegion,
          storageTiers: config.objects.stores.length > 1 ? ['HOT', 'WARM'] : ['HOT'],
        },
        timeZone: config.timeZone ?? new Intl.DateTimeFormat().resolvedOptions().timeZone,
        pageDirectory: join(import.meta.dirname, '..', 'page', 'dist'),
      },
    ),
  );
  // Closed before `serve`: players that wait for a part are answered, and hold up nothing.
  lifetime.own(lowLatency);
  lifetime.own(liveViews);
  const firstAdmin = await serve.start();
  // Before the port, which waits for its answers to end: these have none.
  lifetime.own(media);
  signaling.start();
  lifetime.own(signaling);
  const sessions = [live, storage].filter((each) => each !== undefined);
  await webrtc.start(lifetime, sessions);
  await startRtspOut(context, lifetime, {
    ...{ gate: serve.rtspGate, source, tls, registry },
    laneOf,
  });
  const authorityPem = tls?.authorityPem();
  link.show(
    startNotice({
      firstAdmin,
      port: serve.port,
      config,
      fingerprint: authorityPem === undefined ? undefined : certificateFacts(authorityPem).fingerprint,
    }),
  );
}

function lane(
  { clock, log, paths }: RoleContext,
  lifetime: Lifetime,
  name: string,
): { name: string; client: LaneClient } {
  const client = lifetime.own(new LaneClient({ clock, log }, { path: join(paths.run, `${name}.sock`), name: 'serve' }));
  client.start();
  return { name, client };
}

/** The role at the other end runs when a camera wants it, or when somebody asks. */
function onvifPort({ clock, log, paths, link }: RoleContext, lifetime: Lifetime): OnvifPort {
  const client = lifetime.own(new LaneClient({ clock, log }, { path: join(paths.run, 'onvif.sock'), name: 'serve' }));
  const port = new OnvifPort({ lane: client, onWanted: link.wantOnvif });
  lifetime.defer(
    link.roles.onChange(() => {
      if (link.roles.list().some(({ role, state }) => role === 'onvif' && state === 'running')) port.connect();
    }),
  );
  return port;
}

/** Each stream belongs to one recording process, whose hints only its own reader hears. */
function sourceOf(
  readers: readonly StreamReader[],
  owners: { of: ReadonlyMap<string, number> },
  absence: NonNullable<FragmentSource['absence']>,
) {
  const ownerOf = (streamId: string) => {
    const index = owners.of.get(streamId) ?? partIndexOf(streamId, readers.length);
    return must(readers[index], 'every part has a reader');
  };
  return {
    absence,
    fragmentsBetween: (streamId, range) => ownerOf(streamId).fragmentsBetween(streamId, range),
    latest: (streamId) => ownerOf(streamId).latest(streamId),
    clusterBytes(reference: FragmentRef) {
      return ownerOf(reference.segment.streamId).clusterBytes(reference);
    },
    onNew: (streamId, callback) => ownerOf(streamId).onNew(streamId, callback),
    fragmentsAfter: (streamId, number, limit, options) =>
      ownerOf(streamId).fragmentsAfter(streamId, number, limit, options),
    fragmentsByTime: (streamId, range) => ownerOf(streamId).fragmentsByTime(streamId, range),
    fragmentsOfNumbers: (streamId, numbers) => ownerOf(streamId).fragmentsOfNumbers(streamId, numbers),
    fragmentBytes(reference: FragmentRef, bytesMax: number) {
      return ownerOf(reference.segment.streamId).fragmentBytes(reference, bytesMax);
    },
    openRange(segment: SegmentRef, offset: number, length: number) {
      return ownerOf(segment.streamId).openRange(segment, offset, length);
    },
    runHead(segment: SegmentRef) {
      return ownerOf(segment.streamId).runHead(segment);
    },
    persist(reference: FragmentRef) {
      return ownerOf(reference.segment.streamId).persist(reference);
    },
  } satisfies FragmentSource & MediaSource & Pick<StreamReader, 'persist'>;
}

async function certificates(context: RoleContext, lifetime: Lifetime): Promise<TlsMaterial | undefined> {
  const { clock, log, random, config, paths } = context;
  const { mode, names, certificateFile, keyFile } = config.tls;
  if (mode === 'plain') return undefined;
  const material =
    mode === 'own'
      ? new OwnCertificates({ clock, log, random }, { directory: paths.tls, names })
      : new SiteCertificates(
          { clock, log },
          { certificateFile: must(certificateFile, 'checked'), keyFile: must(keyFile, 'checked') },
        );
  lifetime.own(material);
  await material.start();
  return material;
}
