/** Whom alarms are told over HTTP. Addresses and signing secrets come sealed and stay so: this room cannot open them. */

import { eq, sql } from '../base/drizzle.ts';
import { appError } from '../base/errors.ts';
import type { AlarmSeverity } from './alarms.ts';
import { type CatalogDb, countRows } from './database.ts';
import { newId } from './id.ts';
import { forgetManaged } from './managed.ts';
import { webhooks } from './schema.ts';

/** What people decide about a webhook. */
export type WebhookSettings = {
  readonly name: string;
  readonly sealedUrl: string;
  /** Scheme, host and port. */
  readonly origin: string;
  readonly tls: 'verify' | 'any';
  readonly severityMin: AlarmSeverity;
  /** Null: alarms of all codes. */
  readonly codes: readonly string[] | null;
  readonly isEnabled: boolean;
};

export type Webhook = WebhookSettings & {
  readonly id: string;
  readonly sealedSecret: string;
  readonly createdMs: number;
  readonly updatedMs: number;
};

/** A site's chat, its ticket system, its guard's screen, with room; each may keep `waitingMax` deliveries. */
export const webhooksMax = 20;

export class WebhookTable {
  readonly #db: CatalogDb;
  readonly #random: (bytes: number) => Uint8Array;

  constructor(db: CatalogDb, random: (bytes: number) => Uint8Array) {
    this.#db = db;
    this.#random = random;
  }

  /** By name. */
  list(): Webhook[] {
    return this.#db.select().from(webhooks).orderBy(sql`${webhooks.name} collate nocase`).all();
  }

  find(webhookId: string): Webhook | undefined {
    return this.#db.select().from(webhooks).where(eq(webhooks.id, webhookId)).get();
  }

  /** @throws AppError not_found  no such webhook */
  require(webhookId: string): Webhook {
    const found = this.find(webhookId);
    if (found === undefined) throw appError('not_found', 'no such webhook', { webhookId });
    return found;
  }

  /**
   * @throws AppError already_exists      another webhook has the name
   * @throws AppError resource_exhausted  there are `webhooksMax`
   */
  create(settings: WebhookSettings & Pick<Webhook, 'sealedSecret'>, nowMs: number): Webhook {
    this.#refuseTakenName(settings.name, undefined);
    if (countRows(this.#db, webhooks) >= webhooksMax) {
      throw appError('resource_exhausted', `there are ${webhooksMax} webhooks, which is the most`, {});
    }
    const row = { ...settings, id: newId(this.#random), createdMs: nowMs, updatedMs: nowMs };
    this.#db.insert(webhooks).values(row).run();
    return row;
  }

  /**
   * @throws AppError not_found       no such webhook
   * @throws AppError already_exists  another webhook has the name
   */
  update(webhookId: string, change: Partial<WebhookSettings & Pick<Webhook, 'sealedSecret'>>, nowMs: number): Webhook {
    const found = this.require(webhookId);
    if (change.name !== undefined) this.#refuseTakenName(change.name, webhookId);
    const row = { ...found, ...change, updatedMs: nowMs };
    this.#db.update(webhooks).set(row).where(eq(webhooks.id, webhookId)).run();
    return row;
  }

  /** Removes it with everything that was still to be told. @throws AppError not_found  no such webhook */
  remove(webhookId: string): Webhook {
    const found = this.require(webhookId);
    this.#db.delete(webhooks).where(eq(webhooks.id, webhookId)).run();
    forgetManaged(this.#db, 'webhook', webhookId);
    return found;
  }

  #refuseTakenName(name: string, ownId: string | undefined): void {
    const taken = this.#db
      .select({ id: webhooks.id })
      .from(webhooks)
      .where(sql`${webhooks.name} = ${name} collate nocase`)
      .get();
    if (taken === undefined || taken.id === ownId) return;
    throw appError('already_exists', `another webhook is called "${name}"`, { field: 'name' });
  }
}
