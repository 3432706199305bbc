/** What the KVS API knows of streams beyond their cameras: kept by the stream, whatever becomes of its camera. */

import { eq, isNull } from '../base/drizzle.ts';
import type { CatalogDb } from './database.ts';
import { type StreamTags, streamSettings, streams } from './schema.ts';

/** What KVS calls the storage of a stream: at hand at once, or cheaper and a little later. */
export type StorageTier = 'HOT' | 'WARM';

export type StreamSettings = {
  readonly deviceName: string | undefined;
  readonly mediaType: string | undefined;
  readonly storageTier: StorageTier;
  readonly tags: StreamTags;
  /** KVS clients may read nothing older, however long the retention is by now. */
  readonly hiddenBeforeMs: number | undefined;
  /** As who makes pictures has it; undefined when none are made. */
  readonly imageGeneration: unknown;
  /** As who tells of tagged fragments has it; undefined when nobody is told. */
  readonly notification: unknown;
  /** Rises with every change, from 0; not with tags, which are no part of what a version is of. */
  readonly revision: number;
};

/** In a list: clients may tag each stream with 19 KB. */
export type ListedStreamSettings = Omit<StreamSettings, 'tags'>;

/** Of a stream that nobody said anything of. */
export const plainStreamSettings: StreamSettings = {
  deviceName: undefined,
  mediaType: undefined,
  storageTier: 'HOT',
  tags: {},
  hiddenBeforeMs: undefined,
  imageGeneration: undefined,
  notification: undefined,
  revision: 0,
};

export class StreamSettingsTable {
  readonly #db: CatalogDb;

  constructor(db: CatalogDb) {
    this.#db = db;
  }

  find(streamId: string): StreamSettings {
    const row = this.#db.select().from(streamSettings).where(eq(streamSettings.streamId, streamId)).get();
    return row === undefined ? plainStreamSettings : rowToSettings(row);
  }

  /** Of all streams that somebody said something of, by their ids; without those of removed ones, of which there is no end. */
  all(): ReadonlyMap<string, ListedStreamSettings> {
    const { streamId, deviceName, mediaType, storageTier, hiddenBeforeMs, imageGeneration, notification, revision } =
      streamSettings;
    const columns = { streamId, deviceName, mediaType, storageTier, hiddenBeforeMs, imageGeneration, notification };
    const rows = this.#db
      .select({ ...columns, revision })
      .from(streamSettings)
      .innerJoin(streams, eq(streams.id, streamId))
      .where(isNull(streams.removedMs))
      .all();
    return new Map(rows.map((row) => [row.streamId, rowToListed(row)]));
  }

  /**
   * Changes what is given and leaves the rest; `undefined` takes a fact away. Nothing happens, not even to the revision, when
   * everything is as it was.
   *
   * @returns  names of the settings that changed
   */
  put(streamId: string, change: Partial<Omit<StreamSettings, 'revision'>>, nowMs: number): readonly string[] {
    const before = this.find(streamId);
    const after = { ...before, ...change };
    const rows = { before: settingsToRow(before), after: settingsToRow(after) };
    const old: Readonly<Record<string, unknown>> = rows.before;
    const changed = Object.entries(rows.after).flatMap(([field, value]) =>
      JSON.stringify(old[field]) === JSON.stringify(value) ? [] : [field],
    );
    if (changed.length === 0) return changed;
    const revision = before.revision + (changed.some((field) => field !== 'tags') ? 1 : 0);
    this.#write({ streamId, ...rows.after, revision, updatedMs: nowMs });
    return changed;
  }

  /** As `put`, but the revision rises even if everything is as it was: an update that was asked for makes another version. */
  update(streamId: string, change: Partial<Omit<StreamSettings, 'revision'>>, nowMs: number): readonly string[] {
    const { revision } = this.find(streamId);
    const changed = this.put(streamId, change, nowMs);
    const after = this.find(streamId);
    this.#write({ streamId, ...settingsToRow(after), revision: revision + 1, updatedMs: nowMs });
    return changed;
  }

  #write(row: typeof streamSettings.$inferInsert): void {
    this.#db.insert(streamSettings).values(row).onConflictDoUpdate({ target: streamSettings.streamId, set: row }).run();
  }
}

function settingsToRow(settings: StreamSettings) {
  const { deviceName, mediaType, storageTier, tags, hiddenBeforeMs, imageGeneration, notification } = settings;
  return {
    deviceName: deviceName ?? null,
    mediaType: mediaType ?? null,
    storageTier,
    tags,
    hiddenBeforeMs: hiddenBeforeMs ?? null,
    imageGeneration: imageGeneration ?? null,
    notification: notification ?? null,
  };
}

type SettingsRow = typeof streamSettings.$inferSelect;

function rowToSettings(row: SettingsRow): StreamSettings {
  return { ...rowToListed(row), tags: row.tags };
}

function rowToListed(row: Omit<SettingsRow, 'tags' | 'updatedMs'>): ListedStreamSettings {
  return {
    deviceName: row.deviceName ?? undefined,
    mediaType: row.mediaType ?? undefined,
    storageTier: row.storageTier,
    hiddenBeforeMs: row.hiddenBeforeMs ?? undefined,
    imageGeneration: row.imageGeneration ?? undefined,
    notification: row.notification ?? undefined,
    revision: row.revision,
  };
}
