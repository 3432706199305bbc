/**
 * Gathers the facts: states as they are told, the rest asked for every few seconds or minutes. What does not answer is not
 * known, and nothing here waits for it when the facts are read.
 */

import { stat, statfs } from 'node:fs/promises';
import { z } from 'zod';
import type { Clock } from '../../storage/base/clock.ts';
import { toAppError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import type { Camera, Catalog } from '../../storage/catalog/index.ts';
import { type IndexReader, type RemovalReason, removalReasons } from '../../storage/index/index.ts';
import { isRing, type SourceState } from '../../storage/model/camera.ts';
import { type GapReason, gapReasons, isPublished } from '../../storage/model/run.ts';
import type { CameraFacts, Facts, GapFacts, KeeperFacts, RoleFacts, ShortFacts, SpaceFacts } from './facts.ts';
import { RestartCounter, restartNotes } from './restart-counter.ts';
import { readAlarmSettings } from './settings.ts';

export type FactSourceDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly catalog: Catalog;
  readonly board: {
    states(): readonly SourceState[];
    connections(): readonly { readonly name: string; readonly isConnected: boolean }[];
  };
  readonly keeper: { readonly isConnected: boolean; status(): Promise<unknown> };
  readonly roles: { list(): readonly (RoleFacts & { readonly restarts: number })[] };
  readonly index: Pick<IndexReader, 'snapshot'>;
  /** The server's certificate; undefined on plain HTTP. */
  readonly certificate: () => { readonly notAfterMs: number; readonly isOwn: boolean } | undefined;
  readonly planFailure: () => string | undefined;
  readonly webrtcTrouble: () => string | undefined;
};

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const cameraPeriodMs = 5_000;
const keeperPeriodMs = 3_000;
const spacePeriodMs = 30_000;
const gapPeriodMs = 30_000;
const shortPeriodMs = 5 * 60_000;
const restartSetting = 'alarms.restarts';
/** Reasons for which footage goes that should have stayed. */
const roomReasons: ReadonlySet<RemovalReason> = new Set(['camera-bytes', 'total-bytes', 'local-bytes', 'disk-full']);
/** Segments go as a whole, a minute or two before their last second is of age. */
const agedToleranceMs = 10 * 60_000;

const spaceShape = z.object({ freeBytes: z.number(), totalBytes: z.number(), device: z.number() });
const keeperShape = z.object({
  problems: z.array(z.object({ code: z.string(), message: z.string(), hint: z.string().nullish() })).max(1_000),
  journalSpace: spaceShape.nullish(),
  storeSpace: spaceShape.nullish(),
});

export class FactSource {
  readonly #deps: FactSourceDeps;
  readonly #dataDirectory: string;
  readonly #lifetime = new Lifetime();
  readonly #restarts: RestartCounter;
  #cameras: readonly CameraFacts[] = [];
  #camerasMs = Number.NEGATIVE_INFINITY;
  #keeper: KeeperFacts | undefined;
  #dataSpace: SpaceFacts | undefined;
  #gaps: ReadonlyMap<string, GapFacts> | undefined;
  #short: ReadonlyMap<string, ShortFacts> | undefined;

  constructor(deps: FactSourceDeps, options: { readonly dataDirectory: string }) {
    this.#deps = deps;
    this.#dataDirectory = options.dataDirectory;
    const notes = restartNotes.safeParse(deps.catalog.tables.settings.get(restartSetting));
    this.#restarts = new RestartCounter(notes.success ? notes.data : {});
  }

  start(): void {
    this.#every(keeperPeriodMs, async () => {
      this.#keeper = await this.#askKeeper();
    });
    this.#every(spacePeriodMs, async () => {
      this.#dataSpace = await spaceOf(this.#dataDirectory);
    });
    this.#every(gapPeriodMs, async () => {
      this.#gaps = this.#fromIndex(() => this.#readGaps());
    });
    this.#every(shortPeriodMs, async () => {
      this.#short = this.#fromIndex(() => this.#readShort());
    });
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /** As it is now, or was a moment ago. */
  now(): Facts {
    const { clock, board, keeper, roles, certificate, planFailure, webrtcTrouble, catalog } = this.#deps;
    const nowMs = clock.wallMs();
    this.#lookAtCameras();
    const listed = roles.list();
    if (this.#restarts.note(listed, nowMs)) this.#writeRestarts(nowMs);
    return {
      nowMs,
      cameras: this.#cameras,
      states: new Map(board.states().map((state) => [state.streamId, state])),
      connections: [...board.connections(), { name: 'keeper', isConnected: keeper.isConnected }],
      roles: listed,
      restarts: this.#restarts.looping(nowMs),
      keeper: keeper.isConnected ? this.#keeper : undefined,
      dataSpace: this.#dataSpace,
      certificate: certificate(),
      planFailure: planFailure(),
      webrtcTrouble: webrtcTrouble(),
      gaps: this.#gaps,
      short: this.#short,
      gapMsMax: readAlarmSettings(catalog).gapMinutesPerDay * 60_000,
    };
  }

  #every(periodMs: number, look: () => Promise<void>): void {
    const { clock, log } = this.#deps;
    this.#lifetime.loop(async (signal) => {
      for (;;) {
        await look().catch((error: unknown) =>
          log.counted('facts for alarms not read', 1, { error: toAppError(error) }),
        );
        await clock.sleep(periodMs, signal);
      }
    });
  }

  /** A disk that takes nothing must not keep anybody from being told of it. */
  #writeRestarts(nowMs: number): void {
    const { catalog, log } = this.#deps;
    try {
      catalog.tables.settings.put(restartSetting, this.#restarts.notes, nowMs);
    } catch (error) {
      log.counted('restarts of roles not noted', 1, { error });
    }
  }

  #lookAtCameras(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs - this.#camerasMs < cameraPeriodMs) return;
    this.#camerasMs = nowMs;
    this.#cameras = this.#deps.catalog.tables.cameras.list().map(cameraFacts);
  }

  async #askKeeper(): Promise<KeeperFacts | undefined> {
    const { keeper } = this.#deps;
    if (!keeper.isConnected) return undefined;
    const answer = await keeper.status().catch(() => undefined);
    const parsed = keeperShape.safeParse(answer);
    if (!parsed.success) return undefined;
    const { problems, journalSpace, storeSpace } = parsed.data;
    return {
      problems: problems.map(({ code, message, hint }) => ({ code, message, hint: hint ?? undefined })),
      journalSpace: journalSpace ?? undefined,
      storeSpace: storeSpace ?? undefined,
    };
  }

  /** Undefined while the index cannot be read. */
  #fromIndex<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      this.#deps.log.debug('index not read for alarms', { error });
      return undefined;
    }
  }

  #readGaps(): Map<string, GapFacts> {
    const endMs = this.#deps.clock.wallMs();
    const sums = this.#deps.index.snapshot(({ gaps }) => gaps.sums({ beginMs: endMs - dayMs, endMs }));
    const found = new Map<string, { missingMs: number; reason: GapReason; most: number }>();
    for (const { streamId, reason, missingMs } of sums) {
      if (!Object.hasOwn(gapReasons, reason)) continue;
      const known = found.get(streamId) ?? { missingMs: 0, reason: reason as GapReason, most: 0 };
      const isMost = missingMs > known.most;
      found.set(streamId, {
        missingMs: known.missingMs + missingMs,
        reason: isMost ? (reason as GapReason) : known.reason,
        most: Math.max(known.most, missingMs),
      });
    }
    return found;
  }

  /** What went for room within the last day and had not reached its age. */
  #readShort(): Map<string, ShortFacts> {
    const nowMs = this.#deps.clock.wallMs();
    this.#lookAtCameras();
    const streams = this.#cameras.flatMap((camera) => camera.streams).filter(({ keptHours }) => keptHours > 0);
    return this.#deps.index.snapshot((queries) => {
      const found = new Map<string, ShortFacts>();
      for (const { id, keptHours } of streams) {
        const span = { beginMs: nowMs - keptHours * hourMs - dayMs, endMs: nowMs };
        const early = queries.streams
          .removals(id, span, removalsMax)
          .filter(({ reason, lastAtMs }) => roomReasons.has(reason) && lastAtMs > nowMs - dayMs)
          .filter(({ endMs, lastAtMs }) => endMs > lastAtMs - keptHours * hourMs + agedToleranceMs)
          .sort((a, b) => b.endMs - a.endMs)[0];
        if (early === undefined) continue;
        const agedHours = Math.max(0, early.lastAtMs - early.endMs) / hourMs;
        found.set(id, { agedHours, text: removalReasons[early.reason] });
      }
      return found;
    });
  }
}

/** Rows of one stream: neighbours of a day and reason share one. */
const removalsMax = 5_000;

function cameraFacts({ id, name, isEnabled, streams, sources }: Camera): CameraFacts {
  return {
    ...{ id, name, isEnabled },
    streams: streams.map((stream) => {
      const { recording, source } = sources[stream.role] ?? {};
      const isKept = recording !== undefined && !isRing(recording);
      const keptHours = isKept ? Math.max(recording.retentionHours, recording.eventRetentionHours ?? 0) : 0;
      return {
        ...{ id: stream.id, role: stream.role, keptHours },
        ...{ isUnbidden: source?.kind === 'kvs', isPublished: isPublished(source) },
      };
    }),
  };
}

/** Undefined: it cannot be asked. */
async function spaceOf(directory: string): Promise<SpaceFacts | undefined> {
  try {
    const [room, { dev }] = await Promise.all([statfs(directory), stat(directory)]);
    return { freeBytes: room.bavail * room.bsize, totalBytes: room.blocks * room.bsize, device: dev };
  } catch {
    return undefined;
  }
}
