/** Finishes what dead writers left in `journal/open`, and what living ones gave up, so that it can be taken in. */

import { join } from 'node:path';
import { toAppError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { IndexWriter } from '../index/index.ts';
import { listStreams, namesIn, type OpenDirectory, openDirectories, recoverOpenDirectory } from '../journal/index.ts';
import { type JournalPaths, type JournalRoot, journalRoots } from '../model/paths.ts';
import type { GapLedger } from './gap-ledger.ts';

export type RecoveryOptions = JournalPaths & { readonly state: string };

export class Recovery {
  readonly #log: Log;
  readonly #index: IndexWriter;
  readonly #ledger: GapLedger;
  readonly #options: RecoveryOptions;
  /** Processes whose end the ledger knows already. */
  readonly #ended = new Set<string>();
  #openFiles: ReadonlyMap<string, number> = new Map();

  constructor(
    dependencies: { readonly log: Log; readonly index: IndexWriter; readonly ledger: GapLedger },
    options: RecoveryOptions,
  ) {
    this.#log = dependencies.log;
    this.#index = dependencies.index;
    this.#ledger = dependencies.ledger;
    this.#options = options;
  }

  /** Files being written, by stream, as of the last look. */
  get openFiles(): ReadonlyMap<string, number> {
    return this.#openFiles;
  }

  /** Recovers everything that may be. A directory that cannot be recovered now (a full disk) is tried again next time. */
  async tick(): Promise<void> {
    const living: OpenDirectory[] = [];
    for (const [i, root] of journalRoots(this.#options).entries()) {
      try {
        living.push(...(await this.#recoverRoot(root, { isSpare: i > 0 })));
      } catch (error) {
        // The other roots may lie on disks that are well.
        this.#log.counted('journal directory cannot be looked at', 1, { root: root.root, error: toAppError(error) });
      }
    }
    this.#openFiles = await countOpenFiles(living);
  }

  /** Returns the directories whose writers live. */
  async #recoverRoot(root: JournalRoot, { isSpare }: { readonly isSpare: boolean }): Promise<OpenDirectory[]> {
    const directories = await openDirectories({ state: this.#options.state, journalOpen: root.open });
    for (const directory of directories) {
      await this.#recover(directory, { root, isSpare }).catch((error: unknown) => {
        if (toAppError(error).code !== 'not_found') {
          this.#log.warn('open files cannot be recovered yet', {
            directory: directory.directory,
            error: toAppError(error),
          });
        }
      });
    }
    await this.#recoverSalvage(root).catch((error: unknown) => {
      this.#log.counted('damaged file cannot be salvaged yet', 1, { root: root.root, error: toAppError(error) });
    });
    return directories.filter((directory) => !directory.isDead);
  }

  async #recover(
    directory: OpenDirectory,
    { root, isSpare }: { readonly root: JournalRoot; readonly isSpare: boolean },
  ): Promise<void> {
    const recovered = await recoverOpenDirectory(
      { log: this.#log },
      {
        directory: directory.directory,
        finishedDirectory: root.finished,
        files: directory.isDead ? 'all' : 'abandoned',
      },
    );
    if (recovered.length > 0) {
      this.#index.transaction((change) => {
        for (const { streamId, runId, torn } of recovered) {
          if (torn !== undefined) this.#ledger.onTorn(change, { streamId, runId, ...torn });
        }
      });
    }
    const process = `${directory.ingestName}.${directory.epoch}`;
    // The ledger knows a process by its epoch in the preferred journal directory.
    if (!directory.isDead || isSpare || this.#ended.has(process)) return;
    this.#ledger.onProcessEnded(process);
    this.#ended.add(process);
  }

  /** A salvage of a damaged finished file was interrupted. */
  async #recoverSalvage({ finished: finishedDirectory }: JournalRoot): Promise<void> {
    const directory = join(finishedDirectory, '..', 'salvage');
    const streams = await namesIn(directory);
    if (streams.length === 0) return;
    await recoverOpenDirectory(
      { log: this.#log },
      { directory, finishedDirectory, files: 'all', verifyLast: Number.POSITIVE_INFINITY },
    );
  }
}

async function countOpenFiles(directories: readonly OpenDirectory[]): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const { directory } of directories) {
    for (const { streamId } of await listStreams(directory)) counts.set(streamId, (counts.get(streamId) ?? 0) + 1);
  }
  return counts;
}
