/**
 * Legal holds are kept twice: as rows, and in a file that survives the loss of the index, since a lost hold would be lost
 * footage. The file is written first when a hold begins and last when it ends.
 */

import { randomUUID } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { type AppError, appError, errnoOf, toAppError } from '../base/errors.ts';
import { writeFileAtomic } from '../base/files.ts';
import type { Log } from '../base/log.ts';
import { type Hold, type IndexWriter, isHoldActive } from '../index/index.ts';
import { limits } from '../model/limits.ts';

export type NewHold = Pick<Hold, 'streamId' | 'beginMs' | 'endMs' | 'who' | 'why' | 'untilMs'>;

const optionalMs = z.number().optional();
const holdShape = z.object({
  holdId: z.string(),
  streamId: z.string().optional(),
  beginMs: z.number(),
  endMs: optionalMs,
  who: z.string(),
  why: z.string(),
  untilMs: optionalMs,
  createdMs: z.number(),
});
const fileShape = z.object({ version: z.literal(1), holds: z.array(holdShape) });

export class Holds {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #index: IndexWriter;
  readonly #path: string;
  readonly #isClockTrusted: () => boolean;
  /** Why the file cannot be read: then it says what we don't know, and must not be written. */
  #unreadable: AppError | undefined;
  /** Changes follow each other, of file and rows as one: a file that is written between the two of another change lacks that one. */
  #changing: Promise<unknown> = Promise.resolve();

  constructor(
    dependencies: {
      readonly clock: Clock;
      readonly log: Log;
      readonly index: IndexWriter;
      readonly isClockTrusted: () => boolean;
    },
    options: { readonly path: string },
  ) {
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#index = dependencies.index;
    this.#isClockTrusted = dependencies.isClockTrusted;
    this.#path = options.path;
  }

  /**
   * Brings rows back that the file has: after the index was lost, or a crash between file and row.
   * @throws AppError data_loss  the file cannot be read: nothing may be removed before a person has looked
   */
  async restore(): Promise<void> {
    const kept = await this.#readFile().catch((error: unknown) => {
      this.#unreadable = toAppError(error);
      throw this.#unreadable;
    });
    this.#index.transaction((change) => {
      for (const hold of kept) change.holds.add(hold);
    });
    // Not before they are known: who asks while the file is read again must not go without them.
    this.#unreadable = undefined;
  }

  /** @throws AppError failed_precondition  the file cannot be read: holds that only it knows must not be lost */
  assertReadable(): void {
    if (this.#unreadable === undefined) return;
    throw appError('failed_precondition', 'the file of legal holds cannot be read', {
      path: this.#path,
      reason: this.#unreadable.message,
      hint: 'Mend the file or move it away. Nothing is removed until then.',
    });
  }

  /**
   * Begins a hold; durable when this resolves.
   * @throws AppError resource_exhausted   there are too many
   * @throws AppError failed_precondition  the file cannot be read
   */
  add(hold: NewHold): Promise<Hold> {
    return this.#change(() => this.#add(hold));
  }

  /**
   * Ends a hold.
   * @throws AppError not_found            there is no such hold, or it is released already
   * @throws AppError failed_precondition  the file cannot be read
   */
  release(holdId: string, who: string): Promise<void> {
    return this.#change(() => this.#release(holdId, who));
  }

  async #change<T>(change: () => Promise<T>): Promise<T> {
    const changed = this.#changing.then(() => {
      this.assertReadable();
      return change();
    });
    this.#changing = changed.catch(() => {});
    return changed;
  }

  async #add(hold: NewHold): Promise<Hold> {
    const added: Hold = {
      ...hold,
      holdId: randomUUID(),
      createdMs: this.#clock.wallMs(),
      releasedMs: undefined,
      releasedBy: undefined,
    };
    const active = this.#active();
    if (active.length >= limits.holdsMax)
      throw appError('resource_exhausted', 'too many legal holds', { holdsMax: limits.holdsMax });
    await this.#write([...active, added]);
    this.#index.transaction((change) => change.holds.add(added));
    this.#log.info('legal hold begun', {
      holdId: added.holdId,
      streamId: added.streamId,
      who: added.who,
      why: added.why,
    });
    return added;
  }

  async #release(holdId: string, who: string): Promise<void> {
    const isReleased = this.#index.transaction((change) =>
      change.holds.release(holdId, { who, atMs: this.#clock.wallMs() }),
    );
    if (!isReleased) throw appError('not_found', 'no such legal hold', { holdId });
    this.#log.info('legal hold released', { holdId, who });
    await this.#write(this.#active());
  }

  #active(): Hold[] {
    const nowMs = this.#isClockTrusted() ? this.#clock.wallMs() : undefined;
    return this.#index.queries.streams.holds(undefined).filter((hold) => isHoldActive(hold, nowMs));
  }

  async #write(holds: readonly Hold[]): Promise<void> {
    const text = `${JSON.stringify({ version: 1, holds }, undefined, 2)}\n`;
    await mkdir(dirname(this.#path), { recursive: true });
    await writeFileAtomic(this.#path, text);
  }

  async #readFile(): Promise<Hold[]> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    }
    try {
      return fileShape.parse(JSON.parse(text)).holds.map((hold) => ({
        ...hold,
        streamId: hold.streamId,
        endMs: hold.endMs,
        untilMs: hold.untilMs,
        releasedMs: undefined,
        releasedBy: undefined,
      }));
    } catch (cause) {
      throw appError('data_loss', 'the file of legal holds is damaged', {
        path: this.#path,
        hint: 'Nothing is removed until it is mended or moved away.',
        cause,
      });
    }
  }
}
