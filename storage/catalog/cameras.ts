/** Cameras and the streams they feed. A camera and its streams are made and removed together. */

import { must } from '../base/assert.ts';
import { and, desc, eq, isNull, lt, ne, sql } from '../base/drizzle.ts';
import { appError } from '../base/errors.ts';
import { isPublisher, type SourceRole } from '../model/camera.ts';
import { type CameraRow, rowsToSettings, type SourceRow, settingsToRows } from './camera-rows.ts';
import type { CameraSettings } from './camera-settings.ts';
import { type CatalogDb, countRows } from './database.ts';
import { newId } from './id.ts';
import { forgetManaged } from './managed.ts';
import { cameras, edgeConfigurations, managed, sources, streamSettings, streams } from './schema.ts';
import { streamNameFor } from './stream-name.ts';

export type CatalogStream = {
  readonly id: string;
  readonly name: string;
  readonly role: SourceRole;
  readonly cameraId: string;
  readonly createdMs: number;
  /** When its camera or source was removed; undefined while it has one. */
  readonly removedMs: number | undefined;
};

export type Camera = CameraSettings & {
  readonly id: string;
  readonly revision: number;
  readonly createdMs: number;
  readonly updatedMs: number;
  /** The main source's first. */
  readonly streams: readonly CatalogStream[];
  /** The site file that manages it; undefined when it was made by hand. */
  readonly managedBy?: string | undefined;
};

/** A site of one owner: ten times what one `ingest` process carries. */
export const camerasMax = 1_000;
/** With those that were removed and are still names of what was recorded, or may be: a client that makes and deletes fills no disk. */
export const streamsEverMax = 20_000;

export class CameraTable {
  readonly #db: CatalogDb;
  readonly #random: (bytes: number) => Uint8Array;

  constructor(db: CatalogDb, random: (bytes: number) => Uint8Array) {
    this.#db = db;
    this.#random = random;
  }

  /** By name. */
  list(): Camera[] {
    const streamsOf = grouped(this.streams().filter((stream) => stream.removedMs === undefined));
    const sourcesOf = grouped(this.#db.select().from(sources).all());
    const sites = new Map(this.#marks().map(({ itemId, site }) => [itemId, site]));
    const rows = this.#db.select().from(cameras).orderBy(sql`${cameras.name} collate nocase`).all();
    return rows.map((row) => ({
      ...rowsToCamera(row, sourcesOf.get(row.id) ?? [], streamsOf.get(row.id) ?? []),
      managedBy: sites.get(row.id),
    }));
  }

  find(cameraId: string): Camera | undefined {
    const row = this.#db.select().from(cameras).where(eq(cameras.id, cameraId)).get();
    if (row === undefined) return undefined;
    const own = this.#db
      .select()
      .from(streams)
      .where(and(eq(streams.cameraId, cameraId), isNull(streams.removedMs)))
      .all();
    const ownSources = this.#db.select().from(sources).where(eq(sources.cameraId, cameraId)).all();
    const managedBy = this.#marks(cameraId)[0]?.site;
    return { ...rowsToCamera(row, ownSources, own.map(rowToStream)), managedBy };
  }

  /** The publisher whose stream key has this SHA-256, as 64 hexadecimal digits. */
  findByKey(keySha256: string): { readonly cameraId: string; readonly role: SourceRole } | undefined {
    return this.#db
      .select({ cameraId: sources.cameraId, role: sources.role })
      .from(sources)
      .where(eq(sources.keySha256, keySha256))
      .get();
  }

  /** All streams, those of removed cameras too, by name. */
  streams(): CatalogStream[] {
    return this.#db.select().from(streams).orderBy(streams.name).all().map(rowToStream);
  }

  /** The stream that has this name now, letter for letter: those of removed cameras do not have theirs any more. */
  findStreamByName(name: string): CatalogStream | undefined {
    const row = this.#db
      .select()
      .from(streams)
      .where(and(eq(streams.name, name), isNull(streams.removedMs)))
      .get();
    return row === undefined ? undefined : rowToStream(row);
  }

  findStream(streamId: string): CatalogStream | undefined {
    const row = this.#db.select().from(streams).where(eq(streams.id, streamId)).get();
    return row === undefined ? undefined : rowToStream(row);
  }

  /**
   * Adds a camera with the streams of its sources.
   *
   * @param options.streamName  what its main stream is called exactly; one that resembles the camera's name when absent
   * @throws AppError already_exists      another camera has the name, or another stream that name
   * @throws AppError resource_exhausted  there are `camerasMax`
   */
  create(settings: CameraSettings, nowMs: number, options: { readonly streamName?: string } = {}): Camera {
    const { streamName } = options;
    this.#refuseTakenName(settings.name, undefined);
    if (streamName !== undefined && this.findStreamByName(streamName) !== undefined) {
      throw appError('already_exists', `another stream is called "${streamName}"`, {});
    }
    if (countRows(this.#db, cameras) >= camerasMax) {
      throw appError('resource_exhausted', `there are ${camerasMax} cameras, which is the most`, {});
    }
    const id = newId(this.#random);
    const { camera, main, sub } = settingsToRows(settings);
    this.#db
      .insert(cameras)
      .values({ id, ...camera, revision: 1, createdMs: nowMs, updatedMs: nowMs })
      .run();
    this.#db
      .insert(sources)
      .values({ cameraId: id, role: 'main', ...main })
      .run();
    this.#addStream(id, 'main', { cameraName: settings.name, streamName, nowMs });
    this.#putSub(id, sub, { cameraName: settings.name, nowMs });
    return must(this.find(id), 'a camera just inserted is found');
  }

  /**
   * Replaces a camera's settings; nothing happens, not even to the revision, when they are what they were.
   *
   * @param revision  the revision the change was made from; undefined overwrites whatever is there
   * @returns         the camera, and the names of the settings that changed
   * @throws AppError not_found            no such camera
   * @throws AppError failed_precondition  it has another revision by now
   * @throws AppError already_exists       another camera has the name
   */
  update(
    cameraId: string,
    settings: CameraSettings,
    options: { readonly revision: number | undefined; readonly nowMs: number },
  ): { readonly camera: Camera; readonly changed: readonly string[] } {
    const before = this.#existing(cameraId);
    if (options.revision !== undefined && options.revision !== before.revision) {
      throw appError('failed_precondition', `the camera has revision ${before.revision}, not ${options.revision}`, {
        cameraId,
        hint: 'somebody else changed it meanwhile: read it again',
      });
    }
    this.#refuseTakenName(settings.name, cameraId);
    const rows = settingsToRows(settings);
    const changed = changedFields(settingsToRows(before), rows);
    if (changed.length === 0) return { camera: before, changed };
    const { nowMs } = options;
    this.#db
      .update(cameras)
      .set({ ...rows.camera, revision: before.revision + 1, updatedMs: nowMs })
      .where(eq(cameras.id, cameraId))
      .run();
    this.#db
      .update(sources)
      .set(rows.main)
      .where(and(eq(sources.cameraId, cameraId), eq(sources.role, 'main')))
      .run();
    this.#putSub(cameraId, rows.sub, { cameraName: settings.name, nowMs });
    // Its address is another one than an edge agent was told, whoever gave it: until the agent says that it is its own.
    if (changed.includes('url') || changed.includes('kind')) {
      const isCameras = eq(edgeConfigurations.cameraId, cameraId);
      this.#db.update(edgeConfigurations).set({ isApplied: false }).where(isCameras).run();
    }
    return { camera: must(this.find(cameraId), 'an updated camera is found'), changed };
  }

  /**
   * Gives a publisher another stream key.
   * @throws AppError not_found            no such camera, or it has no such source
   * @throws AppError failed_precondition  the source does not publish with a stream key
   */
  setStreamKey(
    cameraId: string,
    role: SourceRole,
    options: { readonly keySha256: string; readonly nowMs: number },
  ): Camera {
    const settings = this.#existing(cameraId);
    const own = settings.sources[role];
    if (own === undefined) throw appError('not_found', `the camera has no ${role} source`, { cameraId });
    if (!isPublisher(own.source)) {
      throw appError('failed_precondition', 'only what publishes by RTMP or WHIP has a stream key', {
        cameraId,
      });
    }
    const source = { kind: own.source.kind, keySha256: options.keySha256 };
    const changed = { ...settings, sources: { ...settings.sources, [role]: { ...own, source } } };
    return this.update(cameraId, changed, { revision: undefined, nowMs: options.nowMs }).camera;
  }

  /**
   * Removes a camera. Its streams stay as names of what was recorded; the keeper remembers their retention.
   * @throws AppError not_found  no such camera
   */
  remove(cameraId: string, nowMs: number): Camera {
    const camera = this.#existing(cameraId);
    this.#db
      .update(streams)
      .set({ removedMs: nowMs })
      .where(and(eq(streams.cameraId, cameraId), isNull(streams.removedMs)))
      .run();
    this.#db.delete(cameras).where(eq(cameras.id, cameraId)).run();
    forgetManaged(this.#db, 'camera', cameraId);
    return camera;
  }

  #marks(cameraId?: string) {
    const isCamera = eq(managed.kind, 'camera');
    const where = cameraId === undefined ? isCamera : and(isCamera, eq(managed.itemId, cameraId));
    return this.#db.select({ itemId: managed.itemId, site: managed.site }).from(managed).where(where).all();
  }

  /** Adds, replaces or removes the sub source. Its stream stays as the name of what was recorded, and comes back with it. */
  #putSub(
    cameraId: string,
    row: SourceRow | undefined,
    { cameraName, nowMs }: { readonly cameraName: string; readonly nowMs: number },
  ): void {
    const isSub = and(eq(sources.cameraId, cameraId), eq(sources.role, 'sub'));
    const ofSub = and(eq(streams.cameraId, cameraId), eq(streams.role, 'sub'));
    if (row === undefined) {
      this.#db.delete(sources).where(isSub).run();
      this.#db
        .update(streams)
        .set({ removedMs: nowMs })
        .where(and(ofSub, isNull(streams.removedMs)))
        .run();
      return;
    }
    this.#db
      .insert(sources)
      .values({ cameraId, role: 'sub', ...row })
      .onConflictDoUpdate({ target: [sources.cameraId, sources.role], set: row })
      .run();
    const stream = this.#db.select().from(streams).where(ofSub).orderBy(desc(streams.createdMs)).get();
    if (stream === undefined) this.#addStream(cameraId, 'sub', { cameraName: `${cameraName}-sub`, nowMs });
    else if (stream.removedMs !== null) {
      // Somebody may have taken the name meanwhile.
      const name = this.findStreamByName(stream.name) === undefined ? stream.name : this.#freeName(stream.name);
      this.#db.update(streams).set({ removedMs: null, name }).where(eq(streams.id, stream.id)).run();
    }
  }

  /**
   * Forgets streams that were removed before a time and of which nothing was recorded: their names say nothing to anybody.
   *
   * @param isRecorded  whether something is, or was, stored of it
   * @returns           how many
   */
  forgetRemoved(beforeMs: number, isRecorded: (streamId: string) => boolean): number {
    const removed = this.#db
      .select({ id: streams.id })
      .from(streams)
      .where(lt(streams.removedMs, beforeMs))
      .all()
      .filter(({ id }) => !isRecorded(id));
    for (const { id } of removed) {
      this.#db.delete(streamSettings).where(eq(streamSettings.streamId, id)).run();
      this.#db.delete(streams).where(eq(streams.id, id)).run();
    }
    return removed.length;
  }

  #addStream(
    cameraId: string,
    role: SourceRole,
    options: { readonly cameraName: string; readonly streamName?: string | undefined; readonly nowMs: number },
  ): void {
    if (countRows(this.#db, streams) >= streamsEverMax) {
      throw appError('resource_exhausted', `there are ${streamsEverMax} streams with those that were removed`, {
        hint: 'removed streams that nothing was recorded of are forgotten after a week',
      });
    }
    const { cameraName, streamName = this.#freeName(cameraName), nowMs } = options;
    const namesake = this.#db
      .select({ createdMs: streams.createdMs })
      .from(streams)
      .where(eq(streams.name, streamName))
      .orderBy(desc(streams.createdMs))
      .get();
    // Name and time are its ARN, which no other stream ever had.
    const createdMs = Math.max(nowMs, (namesake?.createdMs ?? 0) + 1);
    this.#db
      .insert(streams)
      .values({ id: newId(this.#random), name: streamName, role, cameraId, createdMs })
      .run();
  }

  /** Resembles the camera's name and is that of no stream, not even of one that was removed: people would mistake them. */
  #freeName(cameraName: string): string {
    return streamNameFor(cameraName, new Set(this.streams().map((stream) => stream.name)));
  }

  #existing(cameraId: string): Camera {
    const camera = this.find(cameraId);
    if (camera === undefined) throw appError('not_found', 'no such camera', { cameraId });
    return camera;
  }

  #refuseTakenName(name: string, exceptId: string | undefined): void {
    const taken = this.#db
      .select({ id: cameras.id })
      .from(cameras)
      .where(
        and(
          sql`${cameras.name} = ${name} collate nocase`,
          exceptId === undefined ? undefined : ne(cameras.id, exceptId),
        ),
      )
      .get();
    if (taken !== undefined) throw appError('already_exists', `another camera is called "${name}"`, {});
  }
}

function rowsToCamera(
  row: typeof cameras.$inferSelect,
  ownSources: readonly (typeof sources.$inferSelect)[],
  ownStreams: readonly CatalogStream[],
): Camera {
  return {
    id: row.id,
    ...rowsToSettings(row, ownSources),
    revision: row.revision,
    createdMs: row.createdMs,
    updatedMs: row.updatedMs,
    streams: [...ownStreams].sort((a, b) => (a.role < b.role ? -1 : 1)),
  };
}

function grouped<T extends { readonly cameraId: string }>(rows: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(row.cameraId);
    if (group === undefined) groups.set(row.cameraId, [row]);
    else group.push(row);
  }
  return groups;
}

/**
 * Names of what another set of settings would change: `name`, `url` (of the main source), `sub.url`, or `sub` when there was none
 * or is none. None: they are the same.
 */
export function changedSettings(before: CameraSettings, after: CameraSettings): string[] {
  return changedFields(settingsToRows(before), settingsToRows(after));
}

type SettingsRows = ReturnType<typeof settingsToRows>;

/** Names of what changed: `name`, `url` (of the main source), `sub.url`, or `sub` when there was none or is none. */
function changedFields(before: SettingsRows, after: SettingsRows): string[] {
  const changed = [...changedIn(before.camera, after.camera), ...changedIn(before.main, after.main)];
  if ((before.sub === undefined) !== (after.sub === undefined)) return [...changed, 'sub'];
  if (before.sub === undefined || after.sub === undefined) return changed;
  return [...changed, ...changedIn(before.sub, after.sub).map((field) => `sub.${field}`)];
}

function changedIn<Row extends CameraRow | SourceRow>(before: Row, after: Row): string[] {
  const old: Readonly<Record<string, unknown>> = before;
  return Object.entries(after).flatMap(([field, value]) =>
    JSON.stringify(old[field]) === JSON.stringify(value) ? [] : [field],
  );
}

function rowToStream(row: typeof streams.$inferSelect): CatalogStream {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    cameraId: row.cameraId,
    createdMs: row.createdMs,
    removedMs: row.removedMs ?? undefined,
  };
}
