/**
 * Who did what when: created, changed, removed, logged in, exported. Append-only: triggers refuse to change rows and to delete
 * any but those beyond the newest million, which is what bounds the table.
 */

import { and, desc, eq, lt, lte } from '../base/drizzle.ts';
import type { CatalogDb } from './database.ts';
import { type AuditDetail, audit } from './schema.ts';

/** Who asked, as rows tell it for ever, whatever becomes of the account. */
export type Actor = {
  readonly kind: 'user' | 'token' | 'access-key' | 'device' | 'role' | 'stream-key' | 'local' | 'anonymous' | 'system';
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly requestId: string;
};

export type AuditNote = {
  readonly action: string;
  readonly resource: string;
  readonly outcome?: 'done' | 'refused';
  readonly detail?: AuditDetail;
};

export type AuditEntry = {
  readonly id: number;
  readonly atMs: number;
  readonly subject: { readonly kind: string; readonly id: string; readonly name: string };
  readonly action: string;
  readonly resource: string;
  readonly outcome: 'done' | 'refused';
  readonly address: string;
  readonly requestId: string;
  readonly detail: AuditDetail;
};

/** About 150 MB, or years of a busy site. The trigger in the first migration has the same number. */
export const auditRowsMax = 1_000_000;

export class AuditTable {
  readonly #db: CatalogDb;

  constructor(db: CatalogDb) {
    this.#db = db;
  }

  append(actor: Actor, note: AuditNote, nowMs: number): void {
    const row = this.#db
      .insert(audit)
      .values({
        atMs: nowMs,
        subjectKind: actor.kind,
        subjectId: actor.id,
        subjectName: actor.name.slice(0, 64),
        action: note.action,
        resource: note.resource,
        outcome: note.outcome ?? 'done',
        address: actor.address,
        requestId: actor.requestId,
        detail: note.detail ?? {},
      })
      .run();
    const oldest = Number(row.lastInsertRowid) - auditRowsMax;
    if (oldest > 0) this.#db.delete(audit).where(lte(audit.id, oldest)).run();
  }

  /** Newest first. `beforeId` continues a list. */
  list(options: {
    readonly limit: number;
    readonly beforeId?: number | undefined;
    readonly action?: string | undefined;
    readonly subjectId?: string | undefined;
  }): AuditEntry[] {
    const rows = this.#db
      .select()
      .from(audit)
      .where(
        and(
          options.beforeId === undefined ? undefined : lt(audit.id, options.beforeId),
          options.action === undefined ? undefined : eq(audit.action, options.action),
          options.subjectId === undefined ? undefined : eq(audit.subjectId, options.subjectId),
        ),
      )
      .orderBy(desc(audit.id))
      .limit(options.limit)
      .all();
    return rows.map(({ subjectKind, subjectId, subjectName, ...rest }) => ({
      ...rest,
      subject: { kind: subjectKind, id: subjectId, name: subjectName },
    }));
  }
}
