/** Cameras and the streams they feed. A camera and its streams are made and removed together. */

import { assert, must } from '../base/assert.ts';
import { and, eq, isNull, ne, sql } from '../base/drizzle.ts';
import { appError } from '../base/errors.ts';
import type { RecordingPolicy, RtspTransport } from '../model/camera.ts';
import { type CatalogDb, countRows } from './database.ts';
import { newId } from './id.ts';
import { cameras, streams } from './schema.ts';
import { streamNameFor } from './stream-name.ts';

/** Sealed under the site key: opaque here. */
export type SealedCredentials = { readonly username: string; readonly password: string };

export type CatalogSource = {
  readonly kind: 'rtsp';
  readonly url: string;
  readonly transport: RtspTransport;
  readonly tls: 'verify' | 'any';
};

/** What people decide about a camera. */
export type CameraSettings = {
  readonly name: string;
  readonly source: CatalogSource;
  readonly credentials: SealedCredentials | undefined;
  readonly recording: RecordingPolicy;
  readonly isEnabled: boolean;
};

export type CatalogStream = {
  readonly id: string;
  readonly name: string;
  readonly role: 'main';
  readonly cameraId: string;
  readonly createdMs: number;
  /** When its camera was removed; undefined while it has one. */
  readonly removedMs: number | undefined;
};

export type Camera = CameraSettings & {
  readonly id: string;
  readonly revision: number;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly streams: readonly CatalogStream[];
};

/** A site of one owner: ten times what one `ingest` process carries. */
export const camerasMax = 1_000;

export class CameraTable {
  readonly #db: CatalogDb;
  readonly #random: (bytes: number) => Uint8Array;

  constructor(db: CatalogDb, random: (bytes: number) => Uint8Array) {
    this.#db = db;
    this.#random = random;
  }

  /** By name. */
  list(): Camera[] {
    const byCamera = new Map<string, CatalogStream[]>();
    for (const stream of this.streams()) {
      if (stream.removedMs !== undefined) continue;
      const siblings = byCamera.get(stream.cameraId);
      if (siblings === undefined) byCamera.set(stream.cameraId, [stream]);
      else siblings.push(stream);
    }
    const rows = this.#db.select().from(cameras).orderBy(sql`${cameras.name} collate nocase`).all();
    return rows.map((row) => rowToCamera(row, byCamera.get(row.id) ?? []));
  }

  find(cameraId: string): Camera | undefined {
    const row = this.#db.select().from(cameras).where(eq(cameras.id, cameraId)).get();
    if (row === undefined) return undefined;
    const own = this.#db
      .select()
      .from(streams)
      .where(and(eq(streams.cameraId, cameraId), isNull(streams.removedMs)))
      .all();
    return rowToCamera(row, own.map(rowToStream));
  }

  /** All streams, those of removed cameras too, by name. */
  streams(): CatalogStream[] {
    return this.#db.select().from(streams).orderBy(streams.name).all().map(rowToStream);
  }

  findStream(streamId: string): CatalogStream | undefined {
    const row = this.#db.select().from(streams).where(eq(streams.id, streamId)).get();
    return row === undefined ? undefined : rowToStream(row);
  }

  /**
   * Adds a camera with its main stream.
   * @throws AppError already_exists      another camera has the name
   * @throws AppError resource_exhausted  there are `camerasMax`
   */
  create(settings: CameraSettings, nowMs: number): Camera {
    this.#refuseTakenName(settings.name, undefined);
    if (countRows(this.#db, cameras) >= camerasMax) {
      throw appError('resource_exhausted', `there are ${camerasMax} cameras, which is the most`, {});
    }
    const id = newId(this.#random);
    this.#db
      .insert(cameras)
      .values({ id, ...settingsToRow(settings), revision: 1, createdMs: nowMs, updatedMs: nowMs })
      .run();
    const taken = new Set(this.streams().map((stream) => stream.name));
    const name = streamNameFor(settings.name, taken);
    this.#db
      .insert(streams)
      .values({ id: newId(this.#random), name, role: 'main', cameraId: id, createdMs: nowMs })
      .run();
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
    const row = settingsToRow(settings);
    const old: Readonly<Record<string, unknown>> = settingsToRow(before);
    const changed = Object.entries(row).flatMap(([field, value]) => (old[field] === value ? [] : [field]));
    if (changed.length === 0) return { camera: before, changed };
    this.#db
      .update(cameras)
      .set({ ...row, revision: before.revision + 1, updatedMs: options.nowMs })
      .where(eq(cameras.id, cameraId))
      .run();
    return { camera: must(this.find(cameraId), 'an updated camera is found'), changed };
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
    return camera;
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

type CameraRow = typeof cameras.$inferSelect;

function rowToCamera(row: CameraRow, own: readonly CatalogStream[]): Camera {
  const { sealedUsername, sealedPassword } = row;
  assert((sealedUsername === null) === (sealedPassword === null), 'user name and password are sealed together');
  return {
    id: row.id,
    name: row.name,
    source: { kind: row.sourceKind, url: row.url, transport: row.transport, tls: row.tls },
    credentials:
      sealedUsername === null || sealedPassword === null
        ? undefined
        : { username: sealedUsername, password: sealedPassword },
    recording: {
      isRecording: row.isRecording,
      retentionHours: row.retentionHours,
      bytesMax: row.bytesMax ?? undefined,
    },
    isEnabled: row.isEnabled,
    revision: row.revision,
    createdMs: row.createdMs,
    updatedMs: row.updatedMs,
    streams: own,
  };
}

function settingsToRow(settings: CameraSettings) {
  return {
    name: settings.name,
    sourceKind: settings.source.kind,
    url: settings.source.url,
    transport: settings.source.transport,
    tls: settings.source.tls,
    sealedUsername: settings.credentials?.username ?? null,
    sealedPassword: settings.credentials?.password ?? null,
    isRecording: settings.recording.isRecording,
    retentionHours: settings.recording.retentionHours,
    bytesMax: settings.recording.bytesMax ?? null,
    isEnabled: settings.isEnabled,
  };
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
