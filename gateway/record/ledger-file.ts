/**
 * The raw material of the gap ledger: lines appended to `state/<ingest>/ledger/<epoch>-<n>.jsonl`, which the keeper reads. It
 * never holds up a recorder: lines wait in memory while the disk does not take them, and are bounded there.
 */

import { appendFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../storage/base/clock.ts';
import { toAppError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import type { LedgerLine } from '../../storage/model/ledger.ts';
import { limits } from '../../storage/model/limits.ts';

/** What recorders and sources need of it. */
export type Ledger = { add(line: LedgerLine): void };

const retryMs = 2_000;

/**
 * The epoch of a process's ledger: that of its preferred journal directory, where the keeper looks for the dead; a new one of
 * its own where that directory could not be opened, since no two processes may write one file.
 */
export async function ledgerEpoch(directory: string, journalEpoch: number): Promise<number> {
  const names = await readdir(directory).catch(() => []);
  const used = names.map((name) => Number.parseInt(name, 10)).filter((epoch) => Number.isSafeInteger(epoch));
  return Math.max(journalEpoch, ...used.map((epoch) => epoch + 1));
}

export class LedgerFile implements Ledger {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #directory: string;
  readonly #epoch: number;
  #waiting: string[] = [];
  #number = 0;
  #fileBytes = 0;
  #writing: Promise<void> | undefined;
  #cancelRetry: (() => void) | undefined;
  #isClosed = false;

  constructor(
    dependencies: { readonly clock: Clock; readonly log: Log },
    options: { readonly directory: string; readonly epoch: number },
  ) {
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#directory = options.directory;
    this.#epoch = options.epoch;
  }

  add(line: LedgerLine): void {
    if (this.#waiting.length >= limits.ledgerLinesMax) {
      this.#log.counted('ledger lines lost: their file cannot be written');
      return;
    }
    this.#waiting.push(`${JSON.stringify(line)}\n`);
    if (this.#cancelRetry === undefined) this.#writeSoon();
  }

  /** Writes what waits, once more; what the disk refuses then is lost with the process. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#writeSoon();
    await this.#writing;
  }

  #writeSoon(): void {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  async #writeAll(): Promise<void> {
    // Lines of one turn of the event loop go in one write.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      const text = lines.join('');
      try {
        if (this.#fileBytes === 0) await mkdir(this.#directory, { recursive: true });
        await appendFile(join(this.#directory, `${this.#epoch}-${this.#number}.jsonl`), text);
      } catch (error) {
        this.#log.counted('ledger could not be written', 1, { error: toAppError(error).message });
        this.#waiting = [...lines, ...this.#waiting];
        // A partly written line is passed over by the reader; what follows must begin a line of its own.
        this.#number++;
        this.#fileBytes = 0;
        if (!this.#isClosed) this.#retryLater();
        return;
      }
      this.#fileBytes += Buffer.byteLength(text);
      if (this.#fileBytes >= limits.ledgerFileBytes) {
        this.#number++;
        this.#fileBytes = 0;
      }
    }
  }

  #retryLater(): void {
    this.#cancelRetry = this.#clock.after(retryMs, () => {
      this.#cancelRetry = undefined;
      this.#writeSoon();
    });
  }
}
