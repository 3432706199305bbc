/**
 * Finished files of this machine, in all journal directories: which there are, which have rows, and where one lies. A file
 * may be moved from one directory to another at any time, its name stays.
 */

import { join } from 'node:path';
import { type FinishedFile, listFinished, removeFile, statFile } from './finished-files.ts';

type FileOfStream = { readonly streamId: string; readonly name: string };

export class LocalFiles {
  readonly #directories: readonly string[];
  /** Names of files that have a row; they stay as long as the hot budget lets them. */
  readonly #taken = new Set<string>();
  #inSpares: ReadonlySet<string> = new Set();

  /** @param options.directories  `finished` of each journal root, most preferred first */
  constructor(options: { readonly directories: readonly string[] }) {
    this.#directories = options.directories;
  }

  /** Every file, and why a directory could not be listed: what the others have counts all the same. */
  async list(): Promise<{ readonly files: readonly FinishedFile[]; readonly failures: readonly unknown[] }> {
    const outcomes = await Promise.allSettled(this.#directories.map((directory) => listFinished(directory)));
    const listings = outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []));
    this.#inSpares = new Set(listings.slice(1).flatMap((listing) => listing.map((file) => file.name)));
    const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    return { files: listings.flat(), failures };
  }

  /** True when the file lay in a spare journal directory at the last look. */
  isInSpare(name: string): boolean {
    return this.#inSpares.has(name);
  }

  isTaken(name: string): boolean {
    return this.#taken.has(name);
  }

  /** The file has a row now. */
  setTaken(name: string): void {
    this.#taken.add(name);
  }

  /** It is looked at again when it is still there. */
  forget(name: string): void {
    this.#taken.delete(name);
  }

  /** The index was replaced: no file has a row. */
  forgetAll(): void {
    this.#taken.clear();
  }

  /** Where a file lies, or undefined when it is in none of the directories. */
  async find(file: FileOfStream): Promise<string | undefined> {
    for (const directory of this.#directories) {
      const path = join(directory, file.streamId, file.name);
      if ((await statFile(path)) !== undefined) return path;
    }
    return undefined;
  }

  /** Removes a file wherever it lies; one that is gone is no error. */
  async remove(file: FileOfStream): Promise<void> {
    this.forget(file.name);
    for (const directory of this.#directories) await removeFile(join(directory, file.streamId, file.name));
  }

  /** Directories that are not there: a disk may be unmounted, and its files come back with it. */
  async missing(): Promise<readonly string[]> {
    const found = await Promise.all(this.#directories.map((directory) => statFile(directory)));
    return this.#directories.filter((_, i) => found[i] === undefined);
  }
}
