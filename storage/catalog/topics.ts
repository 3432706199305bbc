/** Where messages to topics go, and how far the fragments of each stream were looked at for them. */

import { and, eq } from '../base/drizzle.ts';
import { appError } from '../base/errors.ts';
import type { FragmentNumber } from '../model/fragment-number.ts';
import { type CatalogDb, countRows } from './database.ts';
import { tagCursors, topics } from './schema.ts';

/** A topic as ARNs name it, and the webhook that is told. */
export type Topic = { readonly name: string; readonly webhookId: string; readonly createdMs: number };

export type TagPurpose = 'notification' | 'images';

/** One for each camera of a large site. */
export const topicsMax = 1_000;

export class TopicTable {
  readonly #db: CatalogDb;

  constructor(db: CatalogDb) {
    this.#db = db;
  }

  /** By name. */
  list(): Topic[] {
    return this.#db.select().from(topics).orderBy(topics.name).all();
  }

  find(name: string): Topic | undefined {
    return this.#db.select().from(topics).where(eq(topics.name, name)).get();
  }

  /** Maps a topic, or maps it elsewhere. @throws AppError resource_exhausted  there are `topicsMax` */
  put(topic: Pick<Topic, 'name' | 'webhookId'>, nowMs: number): Topic {
    const known = this.find(topic.name);
    if (known === undefined && countRows(this.#db, topics) >= topicsMax) {
      throw appError('resource_exhausted', `there are ${topicsMax} topics, which is the most`, {});
    }
    const row = { ...topic, createdMs: known?.createdMs ?? nowMs };
    this.#db.insert(topics).values(row).onConflictDoUpdate({ target: topics.name, set: row }).run();
    return row;
  }

  /** @throws AppError not_found  no such topic */
  remove(name: string): void {
    const removed = this.#db.delete(topics).where(eq(topics.name, name)).run();
    if (removed.changes === 0) throw appError('not_found', 'no such topic', { topic: name });
  }

  /** How far all streams were looked at. */
  cursors(): { readonly streamId: string; readonly purpose: TagPurpose }[] {
    return this.#db.select({ streamId: tagCursors.streamId, purpose: tagCursors.purpose }).from(tagCursors).all();
  }

  /** The newest fragment for which everything was done; undefined before the first look. */
  cursorOf(streamId: string, purpose: TagPurpose): FragmentNumber | undefined {
    const row = this.#db.select().from(tagCursors).where(cursorIs(streamId, purpose)).get();
    return row === undefined ? undefined : (row.number as FragmentNumber);
  }

  setCursor(streamId: string, purpose: TagPurpose, number: FragmentNumber): void {
    this.#db
      .insert(tagCursors)
      .values({ streamId, purpose, number })
      .onConflictDoUpdate({ target: [tagCursors.streamId, tagCursors.purpose], set: { number } })
      .run();
  }

  /** What is switched off and on again begins anew. */
  forgetCursor(streamId: string, purpose: TagPurpose): void {
    this.#db.delete(tagCursors).where(cursorIs(streamId, purpose)).run();
  }
}

function cursorIs(streamId: string, purpose: TagPurpose) {
  return and(eq(tagCursors.streamId, streamId), eq(tagCursors.purpose, purpose));
}
