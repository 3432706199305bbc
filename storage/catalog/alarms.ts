/** Alarms, standing and past. `appliance/alarms` decides what is one; a person's acknowledgement is kept beside it. */

import { and, desc, eq, isNull, sql } from '../base/drizzle.ts';
import { appError } from '../base/errors.ts';
import { type CatalogDb, countRows } from './database.ts';
import { type AlarmSubject, alarms } from './schema.ts';

export type AlarmSeverity = 'warning' | 'error' | 'critical';

/** What the engine says of an alarm. */
export type Alarm = {
  readonly id: string;
  /** A page of the runbook. */
  readonly code: string;
  readonly family: string;
  /** The worst it was. */
  readonly severity: AlarmSeverity;
  readonly subjects: readonly AlarmSubject[];
  readonly sinceMs: number;
  readonly raisedMs: number;
  readonly lastSeenMs: number;
  readonly clearedMs: number | null;
  readonly count: number;
};

/** As it stands in the catalog. */
export type AlarmRow = Alarm & {
  readonly acknowledgedMs: number | null;
  readonly acknowledgedBy: string | null;
  readonly acknowledgedNote: string | null;
};

/** Past alarms that are kept: years of a quiet site, a month of a bad one; 10 MB at worst. */
export const pastAlarmsMax = 10_000;

export class AlarmTable {
  readonly #db: CatalogDb;

  constructor(db: CatalogDb) {
    this.#db = db;
  }

  /** Those that are not over, oldest first. */
  standing(): AlarmRow[] {
    return this.#db.select().from(alarms).where(isNull(alarms.clearedMs)).orderBy(alarms.raisedMs, alarms.id).all();
  }

  find(alarmId: string): AlarmRow | undefined {
    return this.#db.select().from(alarms).where(eq(alarms.id, alarmId)).get();
  }

  /** Newest first. `beforeId` continues a list behind that alarm. */
  list(options: {
    readonly limit: number;
    readonly state: 'standing' | 'past' | 'all';
    readonly beforeId?: string | undefined;
    readonly code?: string | undefined;
    readonly subject?: Pick<AlarmSubject, 'kind' | 'id'> | undefined;
  }): AlarmRow[] {
    const { limit, state, beforeId, code, subject } = options;
    const before = beforeId === undefined ? undefined : this.find(beforeId);
    if (beforeId !== undefined && before === undefined) return [];
    return this.#db
      .select()
      .from(alarms)
      .where(
        and(
          state === 'all' ? undefined : state === 'standing' ? isNull(alarms.clearedMs) : sql`cleared_ms is not null`,
          before === undefined ? undefined : sql`(raised_ms, id) < (${before.raisedMs}, ${before.id})`,
          code === undefined ? undefined : eq(alarms.code, code),
          subject === undefined
            ? undefined
            : sql`exists (select 1 from json_each(${alarms.subjects}) where json_extract(value, '$.kind') = ${subject.kind} and json_extract(value, '$.id') = ${subject.id})`,
        ),
      )
      .orderBy(desc(alarms.raisedMs), desc(alarms.id))
      .limit(limit)
      .all();
  }

  /** Writes what the engine says. An acknowledgement stays, unless the alarm became worse than what was acknowledged. */
  put(alarm: Alarm, { isWorse }: { readonly isWorse: boolean }): void {
    const { id: _, ...facts } = alarm;
    const forgotten = { acknowledgedMs: null, acknowledgedBy: null, acknowledgedNote: null };
    this.#db
      .insert(alarms)
      .values({ ...alarm, ...forgotten })
      .onConflictDoUpdate({ target: alarms.id, set: isWorse ? { ...facts, ...forgotten } : facts })
      .run();
    if (alarm.clearedMs !== null) this.#forgetOldest();
  }

  /**
   * A person says that they know of it.
   * @throws AppError not_found            no such alarm
   * @throws AppError failed_precondition  somebody did so before
   */
  acknowledge(alarmId: string, { by, note }: { readonly by: string; readonly note: string | null }, nowMs: number) {
    const found = this.find(alarmId);
    if (found === undefined) throw appError('not_found', 'no such alarm', { alarmId });
    if (found.acknowledgedMs !== null) {
      throw appError('failed_precondition', `${found.acknowledgedBy} acknowledged it already`, { alarmId });
    }
    const acknowledgement = { acknowledgedMs: nowMs, acknowledgedBy: by, acknowledgedNote: note };
    this.#db.update(alarms).set(acknowledgement).where(eq(alarms.id, alarmId)).run();
    return { ...found, ...acknowledgement };
  }

  #forgetOldest(): void {
    if (countRows(this.#db, alarms) <= pastAlarmsMax) return;
    this.#db
      .delete(alarms)
      .where(
        sql`id in (select id from alarms where cleared_ms is not null order by raised_ms desc limit -1 offset ${pastAlarmsMax})`,
      )
      .run();
  }
}
