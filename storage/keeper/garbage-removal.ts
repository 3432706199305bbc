/**
 * Deletes what no row shows any more: `limits.garbageDelayMs` after its removal, so that readers in flight finish, or at once for a
 * full disk. Local file and object first, then the garbage row: what was begun is found again.
 */

import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Garbage, IndexWriter } from '../index/index.ts';
import { limits } from '../model/limits.ts';
import type { LocalFiles } from './local-files.ts';
import { Refusals } from './refusals.ts';
import type { StoreGate } from './store-gate.ts';

/** A look at a disk that room is planned by is never older: one is taken between any two batches. */
const rememberedMs = 3_600_000;
/** Rows of one page, and of one transaction. */
const garbageAtOnce = 100;

export class GarbageRemoval {
  readonly #clock: Clock;
  readonly #index: IndexWriter;
  readonly #gate: StoreGate;
  readonly #files: LocalFiles;
  /** Garbage that cannot be deleted, by its row. */
  readonly refused: Refusals<number>;
  /** When each garbage row was first seen, on the monotonic clock: a step of the wall clock shortens no reader's time. */
  readonly #seenMs = new Map<number, number>();
  readonly #refusedBytes = new Map<number, number>();
  #deleted: readonly { readonly atMs: number; readonly bytes: number }[] = [];

  constructor(dependencies: {
    readonly clock: Clock;
    readonly log: Log;
    readonly index: IndexWriter;
    readonly gate: StoreGate;
    readonly files: LocalFiles;
  }) {
    this.#clock = dependencies.clock;
    this.#index = dependencies.index;
    this.#gate = dependencies.gate;
    this.#files = dependencies.files;
    this.refused = new Refusals<number>(dependencies, {
      code: 'bytes-undeletable',
      what: 'removed segments cannot be deleted',
      hint: 'Look at the rights and locks of the file or object. Other footage is removed for room meanwhile.',
    });
  }

  /** Bytes that are on their way out; what cannot be deleted gives no room. */
  get leavingBytes(): number {
    const stayingBytes = [...this.#refusedBytes.values()].reduce((sum, bytes) => sum + bytes, 0);
    return this.#index.garbage.garbageTotals().bytes - stayingBytes;
  }

  /** As `leavingBytes`, of what is deleted at once; the rest may take long, or be nowhere near. */
  get urgentBytes(): number {
    const stayingBytes = [...this.#refusedBytes.values()].reduce((sum, bytes) => sum + bytes, 0);
    return Math.max(0, this.#index.garbage.urgentGarbageBytes() - stayingBytes);
  }

  /** Bytes that were on their way out at a moment of the monotonic clock, or came later, and are gone. */
  deletedBytesSince(monotonicMs: number): number {
    return this.#deleted.filter(({ atMs }) => atMs >= monotonicMs).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  forgetAll(): void {
    this.#seenMs.clear();
    this.refused.clear();
    this.#refusedBytes.clear();
  }

  /** Deletes the bytes of garbage that is due, as far as it can be. Returns how many. @throws AppError  the store is away */
  async deleteDue(): Promise<number> {
    let deleted = 0;
    for (let last = 0; ; ) {
      const page = this.#index.garbage.garbageAfter(last, garbageAtOnce);
      const due = page.filter((garbage) => this.#isDue(garbage));
      const gone: Garbage[] = [];
      try {
        for (const garbage of due) if (await this.#isDeleted(garbage)) gone.push(garbage);
      } finally {
        await this.#forgetGarbage(gone);
      }
      deleted += gone.length;
      last = page.at(-1)?.garbageId ?? last;
      if (page.length < garbageAtOnce) return deleted;
    }
  }

  /** Local files of due garbage go even while the store is away: they may be what fills the disk. */
  async deleteDueLocal(): Promise<void> {
    for (let last = 0; ; ) {
      const page = this.#index.garbage.garbageAfter(last, garbageAtOnce);
      for (const garbage of page) {
        if (!this.#isDue(garbage)) continue;
        await this.#deleteLocal(garbage).catch((error: unknown) => this.#refuse(garbage, error));
      }
      last = page.at(-1)?.garbageId ?? last;
      if (page.length < garbageAtOnce) return;
    }
  }

  #isDue(garbage: Garbage): boolean {
    if (!this.refused.isDue(garbage.garbageId)) return false;
    if (garbage.isUrgent) return true;
    const nowMs = this.#clock.monotonicMs();
    const seenMs = this.#seenMs.get(garbage.garbageId);
    if (seenMs === undefined) this.#seenMs.set(garbage.garbageId, nowMs);
    return nowMs - (seenMs ?? nowMs) >= limits.garbageDelayMs;
  }

  /** False when only this one cannot be deleted. @throws AppError  the store is away */
  async #isDeleted(garbage: Garbage): Promise<boolean> {
    try {
      await this.#gate.ask((store) => store.delete(garbage.objectKey, { isSyncedLater: true }));
      await this.#deleteLocal(garbage);
      return true;
    } catch (error) {
      await this.#gate.ask((store) => store.identity());
      this.#refuse(garbage, error);
      return false;
    }
  }

  #refuse(garbage: Garbage, error: unknown): void {
    this.refused.add(garbage.garbageId, garbage.objectKey, error);
    // Of several stores one may have let its copy go.
    if (!this.#refusedBytes.has(garbage.garbageId)) this.#noteDeleted(garbage.byteLength);
    this.#refusedBytes.set(garbage.garbageId, garbage.byteLength);
  }

  #noteDeleted(bytes: number): void {
    const atMs = this.#clock.monotonicMs();
    this.#deleted = [...this.#deleted.filter((each) => each.atMs > atMs - rememberedMs), { atMs, bytes }];
  }

  /** What is forgotten must not come back with a power loss. */
  async #forgetGarbage(gone: readonly Garbage[]): Promise<void> {
    if (gone.length === 0) return;
    await this.#gate.ask(async (store) => store.sync?.());
    this.#index.transaction((change) => {
      for (const { garbageId } of gone) change.segments.forgetGarbage(garbageId);
    });
    this.#noteDeleted(gone.reduce((sum, { byteLength }) => sum + byteLength, 0));
    for (const { garbageId } of gone) {
      this.#seenMs.delete(garbageId);
      this.refused.delete(garbageId);
      this.#refusedBytes.delete(garbageId);
    }
  }

  async #deleteLocal(garbage: Garbage): Promise<void> {
    const { streamId, fileName: name } = garbage;
    await this.#files.remove({ streamId, name });
  }
}
