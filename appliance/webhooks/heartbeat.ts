/**
 * A dead man's switch: while the appliance is well a URL is asked for every so often, and somebody else's alarm goes off when
 * it is not. Silence is the message: nothing is sent while something is wrong, and nothing is made up for afterwards.
 */

import { z } from 'zod';
import type { Clock } from '../../storage/base/clock.ts';
import { toAppError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import type { Attempt, Catalog } from '../../storage/catalog/index.ts';
import type { SecretBox } from '../secrets/index.ts';
import type { AddressPolicy } from './address-policy.ts';
import { send } from './send.ts';

const setting = 'heartbeat';

const heartbeatSetting = z.object({
  sealedUrl: z.string(),
  /** Scheme, host and port, for lists. */
  origin: z.string(),
  method: z.enum(['GET', 'POST']),
  periodS: z.number().int().min(10).max(3_600),
  tls: z.enum(['verify', 'any']),
});

/** What people decide about it. */
export type HeartbeatSettings = z.infer<typeof heartbeatSetting>;

export type HeartbeatDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly catalog: Catalog;
  readonly box: SecretBox;
  readonly addresses: () => AddressPolicy;
  /** Why the appliance is not well; undefined when it is. */
  readonly illness: () => string | undefined;
};

/** A failed beat is tried again after this, or after the period when that is shorter. */
const retryMs = 10_000;

export class Heartbeat {
  readonly #deps: HeartbeatDeps;
  readonly #lifetime = new Lifetime();
  /** Ends the wait for the next beat. */
  #wake: (() => void) | undefined;
  /** The settings were changed since they were read. */
  #isStale = false;
  #last: (Attempt & { readonly atMs: number }) | undefined;
  #beats = 0;

  constructor(deps: HeartbeatDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#lifetime.loop((signal) => this.#run(signal));
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /** Undefined: there is none. */
  get settings(): HeartbeatSettings | undefined {
    const stored = heartbeatSetting.safeParse(this.#deps.catalog.tables.settings.get(setting));
    return stored.success ? stored.data : undefined;
  }

  /** The last attempt since the start of this process. */
  get last(): (Attempt & { readonly atMs: number }) | undefined {
    return this.#last;
  }

  /** Beats that arrived. */
  get beats(): number {
    return this.#beats;
  }

  /** Why nothing is sent; undefined when it is. */
  get illness(): string | undefined {
    return this.#deps.illness();
  }

  /** Inside of a `Catalog.change`. Undefined removes it. */
  write(settings: HeartbeatSettings | undefined, nowMs: number): void {
    this.#deps.catalog.tables.settings.put(setting, settings ?? {}, nowMs);
  }

  /** The settings were changed: begins anew with them. */
  restart(): void {
    this.#last = undefined;
    this.#isStale = true;
    this.#wake?.();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#isStale = false;
      const { settings } = this;
      const attempt =
        settings === undefined || this.illness !== undefined ? undefined : await this.#beat(settings, signal);
      const periodMs = (settings?.periodS ?? 60) * 1_000;
      const isSoon = settings !== undefined && attempt?.error !== null;
      await this.#wait(isSoon ? Math.min(retryMs, periodMs) : periodMs, signal);
    }
  }

  async #beat({ sealedUrl, method, tls }: HeartbeatSettings, signal: AbortSignal): Promise<Attempt> {
    const { addresses, box, clock, log } = this.#deps;
    const attempt = await this.#attempt({ sealedUrl, method, tls, box, addresses: addresses(), signal });
    const atMs = clock.wallMs();
    if (attempt.error === null) this.#beats++;
    else if (!signal.aborted) log.counted('heartbeat not sent', 1, { reason: attempt.error });
    this.#last = { ...attempt, atMs };
    return attempt;
  }

  async #attempt(given: {
    readonly sealedUrl: string;
    readonly method: 'GET' | 'POST';
    readonly tls: 'verify' | 'any';
    readonly box: SecretBox;
    readonly addresses: AddressPolicy;
    readonly signal: AbortSignal;
  }): Promise<Attempt> {
    const { sealedUrl, box, signal, method, ...options } = given;
    try {
      const body = method === 'POST' ? '{"version":1,"event":"heartbeat"}' : undefined;
      return await send(this.#deps, { ...options, url: box.unseal(sealedUrl), method, body, headers: {} }, { signal });
    } catch (error) {
      return { status: null, durationMs: 0, error: toAppError(error).message };
    }
  }

  async #wait(durationMs: number, signal: AbortSignal): Promise<void> {
    if (this.#isStale) return;
    const waiting = new AbortController();
    this.#wake = () => waiting.abort();
    await this.#deps.clock.sleep(durationMs, AbortSignal.any([signal, waiting.signal])).catch(() => {});
    this.#wake = undefined;
  }
}
