/** How much of each stream came, lay and went by day: for people who share the costs, not for billing to the byte. */

import { and, asc, eq, gte, lt, lte, sql } from '../base/drizzle.ts';
import type { CatalogDb } from './database.ts';
import { usage } from './schema.ts';

/** What came in, what lay in the stores at the end of the day, what went out. */
export type UsageDirection = 'in' | 'stored' | 'out';

export type UsageRow = {
  /** `yyyy-mm-dd` in the site's time zone. */
  readonly day: string;
  readonly streamId: string;
  readonly direction: UsageDirection;
  /** How it travelled: `rtsp`, `put-media`, `hls`; empty of what is stored. */
  readonly protocol: string;
  /** Whose doing it was, as audit rows name subjects; empty where it was nobody's. */
  readonly subjectKind: string;
  readonly subjectId: string;
  readonly bytes: number;
  /** Requests, connections or messages. */
  readonly requests: number;
};

/** A year and a bit. */
export const usageDaysMax = 400;

export class UsageTable {
  readonly #db: CatalogDb;

  constructor(db: CatalogDb) {
    this.#db = db;
  }

  /** Adds to what the day has; of what is stored the last word counts. In one transaction. */
  add(rows: readonly UsageRow[]): void {
    this.#db.transaction((tx) => {
      for (const row of rows) {
        const isStored = row.direction === 'stored';
        tx.insert(usage)
          .values(row)
          .onConflictDoUpdate({
            target: [usage.day, usage.streamId, usage.direction, usage.protocol, usage.subjectKind, usage.subjectId],
            set: isStored
              ? { bytes: row.bytes }
              : { bytes: sql`${usage.bytes} + ${row.bytes}`, requests: sql`${usage.requests} + ${row.requests}` },
          })
          .run();
      }
    });
  }

  /** Days and streams in order; both days inclusive. */
  between(range: {
    readonly firstDay: string;
    readonly lastDay: string;
    readonly streamId?: string | undefined;
    readonly limit: number;
  }): UsageRow[] {
    return this.#db
      .select()
      .from(usage)
      .where(
        and(
          gte(usage.day, range.firstDay),
          lte(usage.day, range.lastDay),
          range.streamId === undefined ? undefined : eq(usage.streamId, range.streamId),
        ),
      )
      .orderBy(asc(usage.day), asc(usage.streamId), asc(usage.direction), asc(usage.protocol), asc(usage.subjectId))
      .limit(range.limit)
      .all();
  }

  /** Removes what is older than a day. */
  forget(beforeDay: string): void {
    this.#db.delete(usage).where(lt(usage.day, beforeDay)).run();
  }
}
