/** Signalling channels: where WebRTC peers find each other. Nothing of them is needed to record. */

import { eq } from '../base/drizzle.ts';
import { appError } from '../base/errors.ts';
import { type CatalogDb, countRows } from './database.ts';
import { newId } from './id.ts';
import { channels } from './schema.ts';

/** What people decide about a channel. */
export type ChannelSettings = {
  /** How long a message waits for its recipient, seconds. */
  readonly messageTtlS: number;
  readonly tags: Readonly<Record<string, string>>;
  /** Where its media is stored; null: peers send it to each other. */
  readonly storageStreamId: string | null;
};

export type Channel = ChannelSettings & {
  readonly id: string;
  readonly name: string;
  readonly revision: number;
  readonly createdMs: number;
  readonly updatedMs: number;
};

/** In a list: clients may tag ten thousand channels with 19 KB each. */
export type ListedChannel = Omit<Channel, 'tags'>;

/** As many as AWS gives an account. */
export const channelsMax = 10_000;

export class ChannelTable {
  readonly #db: CatalogDb;
  readonly #random: (bytes: number) => Uint8Array;

  constructor(db: CatalogDb, random: (bytes: number) => Uint8Array) {
    this.#db = db;
    this.#random = random;
  }

  /** By name, in the order of its bytes. */
  list(): ListedChannel[] {
    const { id, name, messageTtlS, storageStreamId, revision, createdMs, updatedMs } = channels;
    return this.#db
      .select({ id, name, messageTtlS, storageStreamId, revision, createdMs, updatedMs })
      .from(channels)
      .orderBy(channels.name)
      .all();
  }

  /** Letter for letter. */
  findByName(name: string): Channel | undefined {
    return this.#db.select().from(channels).where(eq(channels.name, name)).get();
  }

  /** The one whose media this stream gets. */
  findByStorage(streamId: string): Channel | undefined {
    return this.#db.select().from(channels).where(eq(channels.storageStreamId, streamId)).get();
  }

  /**
   * @throws AppError already_exists      another channel has the name
   * @throws AppError resource_exhausted  there are `channelsMax`
   */
  create(channel: Pick<Channel, 'name' | 'messageTtlS' | 'tags'>, nowMs: number): Channel {
    if (this.findByName(channel.name) !== undefined) {
      throw appError('already_exists', `another channel is called "${channel.name}"`, {});
    }
    if (countRows(this.#db, channels) >= channelsMax) {
      throw appError('resource_exhausted', `there are ${channelsMax} channels, which is the most`, {});
    }
    const facts = { id: newId(this.#random), revision: 1, createdMs: nowMs, updatedMs: nowMs };
    const row = { ...channel, ...facts, storageStreamId: null };
    this.#db.insert(channels).values(row).run();
    return row;
  }

  /**
   * Changes what is given and leaves the rest; nothing happens, not even to the revision, when everything is as it was.
   * @returns  names of the settings that changed
   */
  update(channel: Channel, change: Partial<ChannelSettings>, nowMs: number): readonly string[] {
    const old: Readonly<Record<string, unknown>> = channel;
    const changed = Object.entries(change).flatMap(([field, value]) =>
      JSON.stringify(old[field]) === JSON.stringify(value) ? [] : [field],
    );
    if (changed.length === 0) return changed;
    this.#db
      .update(channels)
      .set({ ...change, revision: channel.revision + 1, updatedMs: nowMs })
      .where(eq(channels.id, channel.id))
      .run();
    return changed;
  }

  remove(channelId: string): void {
    this.#db.delete(channels).where(eq(channels.id, channelId)).run();
  }
}
