/** Writing legal holds. Released ones stay as a record of who held what. */

import type { Database } from 'better-sqlite3';
import { and, drizzle, eq, isNull } from '../base/drizzle.ts';
import { holds } from './schema.ts';
import type { Hold } from './stored-segment.ts';

export type HoldRows = ReturnType<typeof holdRows>;

export function holdRows(database: Database) {
  const orm = drizzle(database);
  return {
    /** Adds a hold; one that is there already stays as it is. */
    add(hold: Hold): void {
      orm.insert(holds).values(hold).onConflictDoNothing().run();
    },
    /** True when an unreleased hold of that id was there. */
    release(holdId: string, release: { readonly who: string; readonly atMs: number }): boolean {
      const released = orm
        .update(holds)
        .set({ releasedMs: Math.floor(release.atMs), releasedBy: release.who })
        .where(and(eq(holds.holdId, holdId), isNull(holds.releasedMs)))
        .run();
      return released.changes > 0;
    },
  };
}
