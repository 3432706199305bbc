/**
 * Tells webhooks what the catalog says they are still to be told: each target its own, in order, one at a time, again and again
 * until it takes it or it is too old. The rows are the queue: a process that is killed goes on where it was, and what was on its
 * way then is sent twice under the same id.
 */

import type { Clock } from '../../storage/base/clock.ts';
import { toAppError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import type { Attempt, Catalog, Delivery, Webhook } from '../../storage/catalog/index.ts';
import type { SecretBox } from '../secrets/index.ts';
import type { AddressPolicy } from './address-policy.ts';
import { webhookLimits } from './limits.ts';
import { send } from './send.ts';
import { signedHeaders } from './signature.ts';

type Headers = Readonly<Record<string, string>>;

export type CourierDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly catalog: Catalog;
  /** Opens addresses and secrets. */
  readonly box: SecretBox;
  readonly addresses: () => AddressPolicy;
  /** What a delivery says in its head beside the signature. */
  readonly headersOf?: (delivery: Delivery) => Headers | undefined;
  /** 0..1, jitter of delays. */
  readonly random: () => number;
};

/** Rows of a disabled target that was enabled, or of a clock that was set, are found by looking. */
const lookPeriodMs = 5_000;

export class Courier {
  readonly #deps: CourierDeps;
  readonly #lifetime = new Lifetime();
  readonly #busy = new Map<string, Promise<void>>();
  readonly #outcomes = new Map<string, number>();
  /** What became of an attempt that the catalog did not take yet: nothing else is sent to that target before it does. */
  readonly #unwritten = new Map<string, { readonly delivery: Delivery; readonly attempt: Attempt }>();

  constructor(deps: CourierDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { clock } = this.#deps;
    this.#lifetime.defer(async () => {
      await Promise.all(this.#busy.values());
    });
    this.#lifetime.defer(clock.every(lookPeriodMs, () => this.look()));
    this.look();
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /** Attempts so far, by `<webhook id> <delivered | failed | given-up>`. */
  get outcomes(): ReadonlyMap<string, number> {
    return this.#outcomes;
  }

  /** Something is to be told: begins with every target that has nothing on its way. */
  look(): void {
    if (this.#lifetime.signal.aborted) return;
    for (const { id } of this.#deps.catalog.tables.webhooks.list()) {
      if (this.#busy.has(id)) continue;
      const work = this.#tellAll(id)
        .catch((error: unknown) => this.#deps.log.counted('webhook not told', 1, { webhookId: id, error }))
        .finally(() => this.#busy.delete(id));
      this.#busy.set(id, work);
    }
  }

  /** Sends a signed message that says nothing, once, and notes it in the log of deliveries. */
  async test(webhook: Webhook, options: { readonly signal: AbortSignal }): Promise<Attempt & { readonly id: string }> {
    const { catalog, clock } = this.#deps;
    const { deliveries } = catalog.tables;
    const id = deliveries.newId();
    const body = JSON.stringify({ version: 1, event: 'test', id, atMs: clock.wallMs(), alarm: null });
    const attempt = await this.#attempt(
      webhook,
      { id, body },
      AbortSignal.any([options.signal, this.#lifetime.signal]),
    );
    deliveries.addEnded({ id, webhookId: webhook.id, event: 'test' }, attempt, clock.wallMs());
    return { ...attempt, id };
  }

  /** Until nothing is due. */
  async #tellAll(webhookId: string): Promise<void> {
    const { catalog, clock } = this.#deps;
    const { signal } = this.#lifetime;
    for (;;) {
      const webhook = catalog.tables.webhooks.find(webhookId);
      const unwritten = this.#unwritten.get(webhookId);
      if (webhook !== undefined && unwritten !== undefined) this.#note(webhook, unwritten.delivery, unwritten.attempt);
      const delivery = catalog.tables.deliveries.firstWaiting(webhookId);
      if (webhook?.isEnabled !== true || delivery?.body == null || signal.aborted) return;
      const waitMs = delivery.nextAttemptMs - clock.wallMs();
      // A longer wait than the longest is of a clock that was set back.
      if (waitMs > 0 && waitMs <= longestDelayMs) return this.#lookIn(waitMs);
      const message = { id: delivery.id, body: delivery.body, headers: this.#deps.headersOf?.(delivery) };
      const attempt = await this.#attempt(webhook, message, signal);
      if (signal.aborted && attempt.error !== null) return;
      this.#unwritten.set(webhookId, { delivery, attempt });
      this.#note(webhook, delivery, attempt);
    }
  }

  #lookIn(waitMs: number): void {
    if (waitMs < lookPeriodMs) this.#deps.clock.after(waitMs, () => this.look());
  }

  async #attempt(
    { sealedUrl, sealedSecret, tls }: Webhook,
    message: { readonly id: string; readonly body: string; readonly headers?: Headers | undefined },
    signal: AbortSignal,
  ): Promise<Attempt> {
    const { addresses, box, clock } = this.#deps;
    try {
      const signed = signedHeaders(message, { secret: box.unseal(sealedSecret), nowMs: clock.wallMs() });
      const headers = { ...signed, ...message.headers };
      const outgoing = { url: box.unseal(sealedUrl), headers, body: message.body, tls, addresses: addresses() };
      return await send({ clock }, { ...outgoing, method: 'POST' }, { signal });
    } catch (error) {
      return { status: null, durationMs: 0, error: toAppError(error).message };
    }
  }

  #note(webhook: Webhook, delivery: Delivery, attempt: Attempt): void {
    const { catalog, clock, log } = this.#deps;
    const { deliveries } = catalog.tables;
    const nowMs = clock.wallMs();
    const facts = { webhook: webhook.name, webhookId: webhook.id, deliveryId: delivery.id, told: delivery.event };
    const attempts = delivery.attempts + 1;
    if (attempt.error === null) {
      deliveries.end(delivery.sequence, attempt, nowMs);
      log.info('webhook told', { ...facts, attempts, durationMs: attempt.durationMs });
      this.#count(webhook.id, 'delivered');
    } else if (nowMs - delivery.createdMs > webhookLimits.ageMsMax && attempts >= webhookLimits.attemptsMin) {
      deliveries.end(delivery.sequence, attempt, nowMs);
      log.error('webhook given up', { ...facts, attempts, reason: attempt.error });
      this.#count(webhook.id, 'given-up');
    } else {
      deliveries.postpone(delivery.sequence, attempt, nowMs + this.#delayMs(attempts));
      if (attempts === 1) log.warn('webhook not told yet', { ...facts, reason: attempt.error });
      this.#count(webhook.id, 'failed');
    }
    this.#unwritten.delete(webhook.id);
  }

  #delayMs(attempts: number): number {
    const { firstDelayMs, delayMsMax } = webhookLimits;
    const nominalMs = Math.min(delayMsMax, firstDelayMs * 2 ** Math.min(attempts - 1, 30));
    return Math.round(nominalMs * (0.8 + 0.4 * this.#deps.random()));
  }

  #count(webhookId: string, outcome: 'delivered' | 'failed' | 'given-up'): void {
    const key = `${webhookId} ${outcome}`;
    this.#outcomes.set(key, (this.#outcomes.get(key) ?? 0) + 1);
  }
}

/** With its jitter. */
const longestDelayMs = 1.2 * webhookLimits.delayMsMax;
