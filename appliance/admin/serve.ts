/** `serve`: the public port and everything behind it, put together by hand in the order in which it starts. */

import { join } from 'node:path';
import { z } from 'zod';
import { controlOperations, Quotas } from '../../gateway/kvs/index.ts';
import type { RtspGate } from '../../gateway/rtsp-server/index.ts';
import { must } from '../../storage/base/assert.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import { Catalog } from '../../storage/catalog/index.ts';
import type { Paths } from '../../storage/model/paths.ts';
import { HealthBook } from '../health/index.ts';
import { cameraPurpose } from '../secrets/index.ts';
import type { Access } from './access.ts';
import { startAlarmParts } from './alarm-parts.ts';
import { Authentication } from './authentication.ts';
import { Caller } from './caller.ts';
import { CheckRunner } from './check-runner.ts';
import type { Context } from './context.ts';
import { DevicePort } from './device-port.ts';
import { Dispatcher, type RawRoute } from './dispatch.ts';
import { startEdgeCameras } from './edge-cameras.ts';
import { EventFeed } from './event-feed.ts';
import { createHttpApp } from './http-app.ts';
import { KeeperPort } from './keeper-port.ts';
import { KvsDoor, type KvsSettings, kvsQuotaFactorDefault, kvsSettingsDefault } from './kvs-door.ts';
import { KvsIdentities, sessionTokenPurpose } from './kvs-identities.ts';
import { kvsPlayback } from './kvs-playback-door.ts';
import { KvsSignalingDoor } from './kvs-signaling-door.ts';
import { adminLimits } from './limits.ts';
import { LocalDoor } from './local-door.ts';
import { refuseLostCatalog } from './lost-catalog.ts';
import type { ServeDeps } from './parts.ts';
import { Passwords } from './passwords.ts';
import { PlanWriter } from './plan-writer.ts';
import { PlaybackTokens } from './playback-token.ts';
import {
  accessKeyPurpose,
  playbackKeySetting,
  playbackPurpose,
  resealAll,
  secretPurpose,
  webhookPurpose,
} from './reseal.ts';
import { streamResource } from './resources.ts';
import { addRoutes } from './routes/all.ts';
import { rtspGate } from './rtsp-gate.ts';
import { SecretStore } from './secret-store.ts';
import { StateBoard } from './state-board.ts';
import { newStreamKey } from './stream-keys.ts';
import { StsDoor } from './sts-door.ts';
import { TagDeliveries } from './tag-deliveries.ts';
import { TemporaryKeys } from './temporary-keys.ts';
import { digestPurpose } from './token-digests.ts';
import { UsageBook } from './usage-book.ts';

export type ServeOptions = {
  readonly paths: Paths;
  readonly version: string;
  /** Undefined listens on all addresses. */
  readonly host?: string | undefined;
  /** 0 takes any free port. */
  readonly port: number;
  /** Takes plain HTTP from other machines too, instead of sending it to https. */
  readonly isPlainAllowed: boolean;
  /** How others reach us through a proxy: `https://cameras.example.org`. */
  readonly publicUrl?: string | undefined;
  /** The zone of days when a request names none. */
  readonly timeZone: string;
  /** Where the built page lies. */
  readonly pageDirectory: string;
  /** Ports of the other doors, as the page shows them; null is switched off. */
  readonly ports?: { readonly rtsp: number | null; readonly rtmp: number | null };
  /** What all recordings together may take; absent: what the disk holds. */
  readonly storageBytesMax?: number | undefined;
  /** Takes passwords of RTSP readers also where they cross a network without TLS. */
  readonly arePlainRtspPasswordsAllowed?: boolean;
  readonly kvs?: KvsSettings | undefined;
  /** How many times AWS's quotas; 0: none. */
  readonly kvsQuotaFactor?: number | undefined;
  /** Where devices change certificates for temporary keys; 0 takes any free port, absent is off. */
  readonly credentialsPort?: number | undefined;
  /** Connections that no HTTP server is to parse. */
  readonly rawRoutes?: readonly RawRoute[];
};

/** A route, and what it asks the authoriser. */
export type ServedRoute = { readonly method: string; readonly url: string; readonly access: Access };

/** What the first start made: to be printed once. */
export type FirstAdmin = { readonly name: string; readonly password: string };

export class Serve {
  readonly #deps: ServeDeps;
  readonly #options: ServeOptions;
  readonly #lifetime = new Lifetime();
  readonly #routes: ServedRoute[] = [];
  #dispatcher: Dispatcher | undefined;
  #rtspGate: RtspGate | undefined;
  #devices: DevicePort | undefined;

  constructor(deps: ServeDeps, options: ServeOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** The port that clients reach. */
  get port(): number {
    return must(this.#dispatcher, 'serve was started').port;
  }

  /** What RTSP readers are asked about: for the server of that protocol, which listens elsewhere. */
  get rtspGate(): RtspGate {
    return must(this.#rtspGate, 'serve was started');
  }

  /** Where devices get their temporary keys; undefined while that is off, or there is no device. */
  get credentialsPort(): number | undefined {
    return this.#devices?.port;
  }

  /** Every route there is: what the test of the one authoriser walks. */
  get routes(): readonly ServedRoute[] {
    return this.#routes;
  }

  /**
   * Opens the catalog, writes the plan and listens.
   *
   * @returns the first account with its one-time password, when it was made just now
   * @throws AppError failed_precondition  a newer release wrote the catalog
   * @throws AppError data_loss            the catalog is damaged or gone
   * @throws AppError unavailable          the port is taken
   */
  async start(): Promise<FirstAdmin | undefined> {
    try {
      return await this.#start();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  async #start(): Promise<FirstAdmin | undefined> {
    const { clock, log, random, hasher, keeper, roles, secrets, tls, ...deps } = this.#deps;
    const { paths, publicUrl } = this.#options;
    const catalog = this.#lifetime.own(new Catalog({ clock, random }, { path: paths.catalog }));
    catalog.start();
    await refuseLostCatalog(catalog, { planPath: paths.plan });
    // A new site key that nothing, or not everything, was sealed by when the last process ended.
    resealAll({ catalog, secrets, log });
    const plan = this.#lifetime.own(new PlanWriter({ clock, log, catalog, ...deps }, { path: paths.plan }));
    await plan.start();

    const passwords = new Passwords({ hasher, random });
    passwords.start();
    const authentication = new Authentication({ clock, log, random, catalog, passwords });
    const firstAdmin = await authentication.createFirstAdmin();

    const board = new StateBoard({ lanes: deps.ingests });
    board.start();
    this.#lifetime.defer(() => board.close());
    const health = this.#lifetime.own(
      new HealthBook({
        ...{ clock, log, ingests: deps.ingests },
        clockOf: (streamId) => {
          const state = board.state(streamId);
          return { offsetMs: state?.clockOffsetMs, driftPpm: state?.clockDriftPpm };
        },
      }),
    );
    health.start();
    const refresh = (caller: Caller) => refreshed(caller, { authentication, catalog });
    const feed = new EventFeed({
      clock,
      board,
      roles,
      refresh,
      resourceOf: (streamId) => streamResource(catalog, streamId),
      onChanged: () => deps.signaling.refresh(),
    });

    const keeperPort = new KeeperPort({ lane: keeper });
    const alarmParts = startAlarmParts(
      {
        ...{ clock, log, random, catalog, board, roles, plan, feed, tls },
        ...{ index: deps.index, keeper: keeperPort, webhookSecrets: secrets.box(webhookPurpose) },
        mediaPlane: deps.mediaPlane,
      },
      { lifetime: this.#lifetime, paths, publicUrl },
    );

    const usage = this.#lifetime.own(
      new UsageBook(
        { clock, log, catalog, index: deps.index, ingests: deps.ingests },
        { timeZone: this.#options.timeZone },
      ),
    );
    usage.start();

    const digests = secrets.box(digestPurpose);
    const { arePlainRtspPasswordsAllowed = false } = this.#options;
    const gateOptions = { arePlainPasswordsAllowed: arePlainRtspPasswordsAllowed };
    this.#rtspGate = rtspGate({ catalog, authentication, digests, usage }, gateOptions);

    const playbackKey = this.#playbackKey(catalog);
    const playbackTokens = new PlaybackTokens({ clock }, { key: playbackKey });
    const kvsSettings = this.#options.kvs ?? kvsSettingsDefault;
    const temporaryKeys = new TemporaryKeys({ clock, random, box: secrets.box(sessionTokenPurpose) });
    const identities = new KvsIdentities(
      { log, catalog, authentication, temporaryKeys, accessKeySecrets: secrets.box(accessKeyPurpose) },
      kvsSettings,
    );
    const secretStore = new SecretStore({ catalog, box: secrets.box(secretPurpose) }, kvsSettings);
    const edgeCameras = startEdgeCameras(
      {
        ...{ clock, catalog, board, secretStore, cameraSecrets: secrets.box(cameraPurpose) },
        newStreamKey: () => newStreamKey(random),
      },
      { lifetime: this.#lifetime, timeZone: this.#options.timeZone },
    );
    const sts = new StsDoor({ clock, log, random, identities, temporaryKeys }, { ...kvsSettings, publicUrl });
    const quotas = new Quotas({ clock }, { factor: this.#options.kvsQuotaFactor ?? kvsQuotaFactorDefault });
    const playback = kvsPlayback(
      {
        ...{ clock, log, random, catalog, identities, quotas, usage },
        ...{ source: deps.kvsSource, meter: deps.kvsMeter },
      },
      { ...kvsSettings, publicUrl, secret: playbackKey },
    );
    const tagDeliveries =
      deps.tagged === undefined
        ? undefined
        : this.#lifetime.own(
            new TagDeliveries(
              { clock, log, random, catalog, courier: alarmParts.courier, ...deps.tagged },
              kvsSettings,
            ),
          );
    tagDeliveries?.start();
    const kvs = new KvsDoor(
      {
        ...{ clock, log, random, catalog, identities },
        operations: new Map([...controlOperations, ...edgeCameras, ...playback.operations, ...deps.kvsMedia]),
        quotas,
        meter: deps.kvsMeter,
        usage,
        onChanged: async () => {
          feed.changed('cameras');
          await Promise.all([plan.write(), tagDeliveries?.refresh()]);
        },
      },
      { ...kvsSettings, publicUrl, portOf: () => this.port },
    );
    const signaling = new KvsSignalingDoor(
      { clock, log, random, catalog, identities, usage, meter: deps.kvsMeter, hub: deps.signaling },
      { ...kvsSettings, publicUrl },
    );
    const devices = this.#lifetime.own(
      new DevicePort(
        { clock, log, random, catalog, temporaryKeys, tls },
        { directory: paths.tls, host: this.#options.host, port: this.#options.credentialsPort },
      ),
    );
    this.#devices = devices;
    let localDoor: LocalDoor | undefined;
    const { app, server } = await createHttpApp({
      clock,
      log,
      random,
      authentication,
      playbackTokens,
      isLocal: (socket) => localDoor?.isLocal(socket) ?? false,
      kvs: {
        isUploading: (socket) => kvs.isUploading(socket),
        take: (request, response) => [sts, playback.door, signaling, kvs].some((door) => door.take(request, response)),
        takeUpgrade: (request, socket, head) => signaling.takeUpgrade(request, socket, head),
      },
      publicOrigin: publicUrl === undefined ? undefined : new URL(publicUrl).origin,
      onRoute: (route) => this.#routes.push(route),
    });
    const context: Context = {
      ...deps,
      clock,
      log,
      random,
      hasher,
      roles,
      tls,
      catalog,
      authentication,
      passwords,
      playbackTokens,
      cameraSecrets: secrets.box(cameraPurpose),
      siteSecrets: secrets.box('site'),
      secretStore,
      digests,
      accessKeySecrets: secrets.box(accessKeyPurpose),
      devices,
      board,
      health,
      plan,
      feed,
      refresh,
      rotateSiteKey: async (actor) => {
        const fingerprint = await secrets.rotate();
        const resealed = resealAll({ catalog, secrets, log }, actor);
        await plan.write();
        return { fingerprint, resealed };
      },
      checks: this.#lifetime.own(new CheckRunner({ clock, examiner: deps.examiner })),
      keeper: keeperPort,
      usage,
      tagDeliveries,
      ...alarmParts,
      facts: {
        version: this.#options.version,
        startedMs: clock.wallMs(),
        places: { data: paths.data, journal: paths.journalOpen, objects: paths.objects },
        timeZone: this.#options.timeZone,
        storageBytesMax: this.#options.storageBytesMax ?? null,
        ports: this.#options.ports ?? { rtsp: null, rtmp: null },
        kvs: {
          ...kvsSettings.site,
          publicUrl: publicUrl ?? null,
          acceptedRegion: kvsSettings.acceptedRegion ?? null,
          credentialsPort: (tls === undefined ? undefined : this.#options.credentialsPort) ?? null,
        },
        pageDirectory: this.#options.pageDirectory,
      },
    };
    await addRoutes(app, context);
    await app.ready();
    this.#lifetime.defer(async () => {
      await app.close();
      server.close();
    });
    feed.start();
    localDoor = this.#lifetime.own(new LocalDoor({ http: server }, { path: join(paths.run, 'serve.sock') }));
    await localDoor.start();
    await this.#listen(server);
    await devices.start();
    // Closed before the port, which waits for its connections to end.
    this.#lifetime.own(feed);
    this.#lifetime.own(kvs);
    this.#lifetime.defer(clock.every(sessionSweepMs, () => this.#sweep(catalog)));
    log.info('serve listens', { port: this.port, isEncrypted: tls !== undefined });
    return firstAdmin;
  }

  async #listen(http: ConstructorParameters<typeof Dispatcher>[0]['http']): Promise<void> {
    const { clock, log, tls } = this.#deps;
    const { host, port, isPlainAllowed, rawRoutes = [] } = this.#options;
    const dispatcher = new Dispatcher(
      { clock, log, http, identity: tls?.identity(), rawRoutes },
      { host, port, isPlainAllowed },
    );
    this.#dispatcher = this.#lifetime.own(dispatcher);
    await dispatcher.start();
    if (tls !== undefined) this.#lifetime.defer(tls.onRenewed(() => dispatcher.renew(tls.identity())));
  }

  /** What playback URLs are signed with: sealed, so that a copied catalog signs nothing. */
  #playbackKey(catalog: Catalog): Uint8Array {
    const { clock, log, random, secrets } = this.#deps;
    const box = secrets.box(playbackPurpose);
    const stored = z.string().safeParse(catalog.tables.settings.get(playbackKeySetting));
    if (stored.success) {
      try {
        return Buffer.from(box.unseal(stored.data), 'base64');
      } catch (error) {
        log.warn('playback key made anew: playback URLs given out before no longer work', { error });
      }
    }
    const key = random(32);
    catalog.tables.settings.put(playbackKeySetting, box.seal(Buffer.from(key).toString('base64')), clock.wallMs());
    return key;
  }

  #sweep(catalog: Catalog): void {
    try {
      this.#sweepSessions(catalog);
      this.#sweepStreams(catalog);
    } catch (error) {
      this.#deps.log.warn('what is over is not swept, tried again', { error });
    }
  }

  /** While the index can be read, which alone knows what was recorded. */
  #sweepStreams(catalog: Catalog): void {
    const { clock, index, log } = this.#deps;
    const recorded = new Set(index.totalsOfAll().map(({ streamId }) => streamId));
    const beforeMs = clock.wallMs() - adminLimits.removedStreamMs;
    const forgotten = catalog.tables.cameras.forgetRemoved(beforeMs, (streamId) => recorded.has(streamId));
    if (forgotten > 0) log.info('removed streams forgotten, of which nothing was recorded', { forgotten });
  }

  #sweepSessions(catalog: Catalog): void {
    const { clock, log } = this.#deps;
    const ended = catalog.tables.sessions.removeEnded({
      nowMs: clock.wallMs(),
      idleMsMax: adminLimits.sessionIdleMsMax,
    });
    if (ended > 0) log.debug('ended sessions forgotten', { ended });
  }
}

/** Ended sessions open nothing anyway: forgetting them is housekeeping. */
const sessionSweepMs = 60 * 60_000;

/** A caller with today's permissions; undefined when their session, token or account is gone. */
function refreshed(
  caller: Caller,
  { authentication, catalog }: { readonly authentication: Authentication; readonly catalog: Catalog },
): Caller | undefined {
  const { session } = caller;
  if (session !== undefined && catalog.tables.sessions.find(session.id) === undefined) return undefined;
  const subject = authentication.refreshed(caller.subject);
  if (subject.kind === 'anonymous') return undefined;
  return new Caller({ subject, session, address: caller.address, requestId: caller.requestId });
}
