/** Asks the thread that reads the databases; it is left behind when it takes too long. */

import { Worker } from 'node:worker_threads';
import type { Clock } from '../../storage/base/clock.ts';
import { within } from './within.ts';

export type DatabaseQuestion = {
  readonly path: string;
  readonly name: 'catalog' | 'index';
  /** Whether it is read through for damage. */
  readonly isChecked: boolean;
};

export type DatabaseAnswer = {
  readonly version: number;
  /** By table. */
  readonly rows: Readonly<Record<string, number>>;
  /** End of the newest footage; of the index. */
  readonly newestFootageMs: number | undefined;
  /** Schemes, hosts and ports of webhooks; of the catalog. */
  readonly webhookOrigins: readonly string[];
  /** Addresses and secrets of webhooks and heartbeat, sealed; of the catalog. */
  readonly sealedTargets: readonly string[];
  readonly byteLength: number;
  /** As `quick_check` says; undefined when it was not asked for. */
  readonly check: string | undefined;
};

/** @throws Error  it does not open; AppError deadline_exceeded */
export function readDatabase(clock: Clock, question: DatabaseQuestion, timeoutMs: number): Promise<DatabaseAnswer> {
  return within(
    clock,
    timeoutMs,
    () =>
      new Promise((resolve, reject) => {
        const worker = new Worker(new URL('./database-thread.ts', import.meta.url), { workerData: question });
        // What is still read when all else is done must not keep the process alive.
        worker.unref();
        worker.once('message', (answer: DatabaseAnswer | { readonly error: string }) => {
          if ('error' in answer) reject(new Error(answer.error));
          else resolve(answer);
        });
        worker.once('error', reject);
      }),
  );
}
