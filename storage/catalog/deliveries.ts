/**
 * What webhooks are still to be told, and what became of what they were told. A row is written in the transaction that raises
 * the alarm and is over only when its target took it: whatever ends `serve`, nothing is lost, and little is told twice.
 */

import { and, count, desc, eq, lt, ne, sql } from '../base/drizzle.ts';
import type { CatalogDb } from './database.ts';
import { newId } from './id.ts';
import { deliveries } from './schema.ts';

/** What happened. */
export type DeliveryEvent =
  | 'alarm.raised'
  | 'alarm.changed'
  | 'alarm.cleared'
  | 'alarm.acknowledged'
  | 'kvs.notification'
  | 'test';

export type Delivery = {
  readonly sequence: number;
  /** The same for every attempt. */
  readonly id: string;
  readonly webhookId: string;
  readonly event: string;
  readonly alarmId: string | null;
  /** JSON; null once it is over. */
  readonly body: string | null;
  readonly createdMs: number;
  readonly state: 'waiting' | 'delivered' | 'given-up';
  readonly attempts: number;
  readonly nextAttemptMs: number;
  readonly status: number | null;
  readonly durationMs: number | null;
  readonly error: string | null;
  readonly endedMs: number | null;
};

/** How an attempt went. */
export type Attempt = {
  readonly status: number | null;
  readonly durationMs: number;
  /** Null: the target took it. */
  readonly error: string | null;
};

/** What one target may owe: with 10 KB each 100 MB, and far more alarms than a dead target of three days misses. */
export const waitingMax = 10_000;
/** Ended deliveries of one target that the log keeps: about 200 KB. */
export const endedMax = 1_000;

/** Of a tagged fragment: 1, of anything else: 0. */
const isNotification = sql<number>`${deliveries.event} = 'kvs.notification'`;

export class DeliveryTable {
  readonly #db: CatalogDb;
  readonly #random: (bytes: number) => Uint8Array;

  constructor(db: CatalogDb, random: (bytes: number) => Uint8Array) {
    this.#db = db;
    this.#random = random;
  }

  /** An id for a delivery, before its body is written. */
  newId(): string {
    return newId(this.#random);
  }

  /**
   * Adds something to be told. When the target owes `waitingMax` already the oldest is given up, an alarm only where nothing else
   * waits: of notifications producers make as many as they like.
   */
  add(
    delivery: Pick<Delivery, 'id' | 'webhookId' | 'alarmId'> & { readonly event: DeliveryEvent; readonly body: string },
    nowMs: number,
  ): void {
    this.#db
      .insert(deliveries)
      .values({ ...delivery, createdMs: nowMs, state: 'waiting', attempts: 0, nextAttemptMs: nowMs })
      .run();
    const isWaiting = and(eq(deliveries.webhookId, delivery.webhookId), eq(deliveries.state, 'waiting'));
    const surplus =
      (this.#db.select({ rows: count() }).from(deliveries).where(isWaiting).get()?.rows ?? 0) - waitingMax;
    if (surplus <= 0) return;
    const leaving = this.#db
      .select({ sequence: deliveries.sequence })
      .from(deliveries)
      .where(isWaiting)
      .orderBy(desc(isNotification), deliveries.sequence)
      .limit(surplus)
      .all();
    const error = `more than ${waitingMax} deliveries waited for this target`;
    const given = { state: 'given-up', body: null, error, endedMs: nowMs } as const;
    for (const { sequence } of leaving) {
      this.#db.update(deliveries).set(given).where(eq(deliveries.sequence, sequence)).run();
    }
  }

  /** Notes a delivery that is over already: a test. */
  addEnded(
    delivery: Pick<Delivery, 'id' | 'webhookId'> & { readonly event: DeliveryEvent },
    attempt: Attempt,
    nowMs: number,
  ): void {
    const state = attempt.error === null ? ('delivered' as const) : ('given-up' as const);
    const facts = { alarmId: null, body: null, attempts: 1, createdMs: nowMs, nextAttemptMs: nowMs, endedMs: nowMs };
    this.#db
      .insert(deliveries)
      .values({ ...delivery, ...facts, ...attempt, state })
      .run();
    this.#forgetOldest(delivery.webhookId);
  }

  /** What a target is to be told next, alarms first; undefined when it knows everything. */
  firstWaiting(webhookId: string): Delivery | undefined {
    // By its number alone first: sorting would read what all of them say.
    const first = this.#db
      .select({ sequence: deliveries.sequence })
      .from(deliveries)
      .where(and(eq(deliveries.webhookId, webhookId), eq(deliveries.state, 'waiting')))
      .orderBy(isNotification, deliveries.sequence)
      .limit(1)
      .get();
    if (first === undefined) return undefined;
    return this.#db.select().from(deliveries).where(eq(deliveries.sequence, first.sequence)).get();
  }

  /** How many wait for each target, and since when the oldest does. */
  waiting(): { readonly webhookId: string; readonly waiting: number; readonly oldestMs: number }[] {
    return this.#db
      .select({
        webhookId: deliveries.webhookId,
        waiting: sql<number>`count(*)`,
        oldestMs: sql<number>`min(${deliveries.createdMs})`,
      })
      .from(deliveries)
      .where(eq(deliveries.state, 'waiting'))
      .groupBy(deliveries.webhookId)
      .all();
  }

  /** True when the target was told of the alarm, or is about to be. */
  wasTold(webhookId: string, alarmId: string): boolean {
    const told = this.#db
      .select({ sequence: deliveries.sequence })
      .from(deliveries)
      .where(and(eq(deliveries.webhookId, webhookId), eq(deliveries.alarmId, alarmId)))
      .limit(1)
      .get();
    return told !== undefined;
  }

  /** The attempt failed; it is made again. */
  postpone(sequence: number, attempt: Attempt, nextAttemptMs: number): void {
    const attempts = sql`${deliveries.attempts} + 1`;
    this.#db
      .update(deliveries)
      .set({ ...attempt, attempts, nextAttemptMs })
      .where(eq(deliveries.sequence, sequence))
      .run();
  }

  /** The last attempt was made: the target took it, or it is given up. */
  end(sequence: number, attempt: Attempt, nowMs: number): void {
    const state = attempt.error === null ? ('delivered' as const) : ('given-up' as const);
    const attempts = sql`${deliveries.attempts} + 1`;
    const [row] = this.#db
      .update(deliveries)
      .set({ ...attempt, attempts, state, body: null, endedMs: nowMs })
      .where(eq(deliveries.sequence, sequence))
      .returning({ webhookId: deliveries.webhookId })
      .all();
    if (row !== undefined) this.#forgetOldest(row.webhookId);
  }

  /** Newest first. `before` continues a list. */
  list(webhookId: string, options: { readonly limit: number; readonly before?: number | undefined }): Delivery[] {
    const { limit, before } = options;
    return this.#db
      .select()
      .from(deliveries)
      .where(
        and(eq(deliveries.webhookId, webhookId), before === undefined ? undefined : lt(deliveries.sequence, before)),
      )
      .orderBy(desc(deliveries.sequence))
      .limit(limit)
      .all();
  }

  #forgetOldest(webhookId: string): void {
    const ended = and(eq(deliveries.webhookId, webhookId), ne(deliveries.state, 'waiting'));
    const oldest = this.#db
      .select({ sequence: deliveries.sequence })
      .from(deliveries)
      .where(ended)
      .orderBy(desc(deliveries.sequence))
      .limit(1)
      .offset(endedMax)
      .get();
    if (oldest === undefined) return;
    this.#db
      .delete(deliveries)
      .where(and(ended, sql`${deliveries.sequence} <= ${oldest.sequence}`))
      .run();
  }
}
