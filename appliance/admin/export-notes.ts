/** Notes exports in the audit list: a player that reads a clip in a hundred ranges exported it once. */

import type { Clock } from '../../storage/base/clock.ts';
import type { Catalog } from '../../storage/catalog/index.ts';
import type { Caller } from './caller.ts';

/** Remembered exports; each is about 100 bytes. */
const keysMax = 1_000;
/** The same export by the same subject within this is one. */
const sameMs = 10 * 60_000;

export class ExportNotes {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #catalog: Catalog;
  /** When each was noted, oldest first. */
  readonly #noted = new Map<string, number>();

  constructor(deps: { readonly clock: Pick<Clock, 'monotonicMs'>; readonly catalog: Catalog }) {
    this.#clock = deps.clock;
    this.#catalog = deps.catalog;
  }

  note(caller: Caller, resource: string, span: { readonly beginMs: number; readonly endMs: number }): void {
    const nowMs = this.#clock.monotonicMs();
    const key = `${caller.subject.kind} ${caller.subject.id} ${resource} ${span.beginMs} ${span.endMs}`;
    const notedMs = this.#noted.get(key);
    if (notedMs !== undefined && nowMs - notedMs < sameMs) return;
    this.#noted.delete(key);
    this.#noted.set(key, nowMs);
    const oldest = this.#noted.keys().next();
    if (this.#noted.size > keysMax && !oldest.done) this.#noted.delete(oldest.value);
    this.#catalog.change(caller.actor, ({ note }) =>
      note({ action: 'streams:export', resource, detail: { beginMs: span.beginMs, endMs: span.endMs } }),
    );
  }
}
