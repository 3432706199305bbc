/**
 * Objects as files under one directory: the default store, no server needed. On the journal's own file system an object is
 * a hard link to the finished segment file, so no byte is written twice; elsewhere it is a copy that appears by a rename.
 * It never follows a key out of its directory and never writes into a directory that lost its mark (an unmounted disk).
 */

import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { copyFile, link, mkdir, open, readdir, readFile, rename, rmdir, stat, statfs, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { appError, errnoOf, toAppError } from '../base/errors.ts';
import { syncDirectory, writeFileAtomic } from '../base/files.ts';
import type { Log } from '../base/log.ts';
import { limits } from '../model/limits.ts';
import {
  type ChangeOptions,
  type ObjectInfo,
  type ObjectSpace,
  type ObjectStore,
  parseObjectKey,
} from './object-store.ts';

/** Kept in the root; begins with a dot, so no key names it. Files on their way begin with one too. */
const markFile = '.weir-store';
const putAttemptsMax = 5;

export class DirectoryStore implements ObjectStore {
  readonly #log: Log;
  readonly #root: string;
  #identity: string | undefined;
  readonly #syncDirectory: (path: string) => Promise<void>;
  /** Directories whose entries changed and wait for `sync`. */
  readonly #unsynced = new Set<string>();

  /** @param dependencies.syncDirectory  makes a directory's entries durable; absent: as the system does */
  constructor(
    dependencies: { readonly log: Log; readonly syncDirectory?: (path: string) => Promise<void> },
    options: { readonly directory: string },
  ) {
    this.#log = dependencies.log;
    this.#syncDirectory = dependencies.syncDirectory ?? syncDirectory;
    this.#root = options.directory;
  }

  /** Makes the directory and its mark when they are not there. Readers need no start. */
  async start(): Promise<void> {
    await mkdir(this.#root, { recursive: true }).catch(refuse);
    this.#identity = await this.#readMark();
    if (this.#identity !== undefined) return;
    const identity = randomBytes(16).toString('hex');
    await writeFileAtomic(join(this.#root, markFile), `${identity}\n`).catch(refuse);
    this.#identity = identity;
    this.#log.info('object store created', { directory: this.#root, storeId: identity });
  }

  async close(): Promise<void> {
    this.#identity = undefined;
  }

  async identity(): Promise<string> {
    const mark = await this.#readMark();
    if (mark === undefined) {
      throw appError('unavailable', 'the object directory has lost its mark', {
        directory: this.#root,
        hint: 'Is the disk mounted? Restart Weir if the directory is meant to be empty.',
      });
    }
    return mark;
  }

  async putFile(key: string, path: string, options: ChangeOptions = {}): Promise<void> {
    const target = this.#pathOf(key);
    await this.#assertSame();
    for (let attempts = 1; ; attempts++) {
      try {
        await this.#makeDirectory(dirname(target));
        if (!(await linkInto(path, target))) await copyInto(path, target);
        const parents = upwards(dirname(dirname(target)), this.#root).filter((parent) => this.#unsynced.has(parent));
        return await this.#settle([dirname(target), ...parents], options);
      } catch (error) {
        // A delete at the same time may have removed the directory while it was still empty.
        const isRace =
          errnoOf(error) === 'ENOENT' && attempts < putAttemptsMax && (await statOrMissing(path)) !== undefined;
        if (!isRace) refuse(error, { objectKey: key });
      }
    }
  }

  async getRange(key: string, offset: number, length: number): Promise<Uint8Array> {
    if (length > limits.objectRangeBytesMax) {
      throw appError('resource_exhausted', 'object range is too long', { length, objectKey: key });
    }
    try {
      const file = await open(this.#pathOf(key), 'r');
      try {
        const { size } = await file.stat();
        const wanted = Math.max(0, Math.min(length, size - offset));
        const bytes = Buffer.allocUnsafeSlow(wanted);
        let filled = 0;
        while (filled < wanted) {
          const { bytesRead } = await file.read(bytes, filled, wanted - filled, offset + filled);
          if (bytesRead === 0) break;
          filled += bytesRead;
        }
        return bytes.subarray(0, filled);
      } finally {
        await file.close();
      }
    } catch (error) {
      return refuse(error, { objectKey: key });
    }
  }

  localPath(key: string): string {
    return this.#pathOf(key);
  }

  async delete(key: string, options: ChangeOptions = {}): Promise<void> {
    const target = this.#pathOf(key);
    try {
      await this.#assertSame();
      await unlink(target).catch(unlessMissing);
      await this.#settle([await this.#removeEmptyParents(dirname(target))], options);
    } catch (error) {
      refuse(error, { objectKey: key });
    }
  }

  async sync(): Promise<void> {
    const directories = [...this.#unsynced];
    this.#unsynced.clear();
    try {
      // At the same time: a file system with a journal then writes them in one go. A missing one was emptied and removed, ...
      await Promise.all(directories.map((directory) => this.#syncDirectory(directory).catch(unlessMissing)));
      // ... or all of them are, with their disk.
      await this.#assertSame();
    } catch (error) {
      // Who puts again finds its directories made, and does not know that nobody made them durable.
      for (const directory of directories) this.#unsynced.add(directory);
      refuse(error);
    }
  }

  list(prefix: string): AsyncIterable<ObjectInfo> {
    return this.#walk('', prefix);
  }

  async stat(key: string): Promise<ObjectInfo | undefined> {
    try {
      const found = await statOrMissing(this.#pathOf(key));
      if (found?.isFile()) return { key, byteLength: found.size };
      await this.#assertSame();
      return undefined;
    } catch (error) {
      return refuse(error, { objectKey: key });
    }
  }

  async space(): Promise<ObjectSpace> {
    try {
      const [room, root] = await Promise.all([statfs(this.#root), stat(this.#root)]);
      return { freeBytes: room.bavail * room.bsize, totalBytes: room.blocks * room.bsize, device: root.dev };
    } catch (error) {
      return refuse(error);
    }
  }

  #pathOf(key: string): string {
    return join(this.#root, parseObjectKey(key));
  }

  async #readMark(): Promise<string | undefined> {
    try {
      return (await readFile(join(this.#root, markFile), 'utf8')).trim();
    } catch (error) {
      return errnoOf(error) === 'ENOENT' ? undefined : refuse(error);
    }
  }

  /** An unmounted disk leaves an empty directory on the wrong one: what is written there would be lost from sight. */
  async #assertSame(): Promise<void> {
    const mark = await this.identity();
    if (this.#identity !== undefined && mark !== this.#identity) {
      throw appError('unavailable', 'the object directory is another one than at the start', {
        directory: this.#root,
        hint: 'Mount the disk that was there before, or restart Weir.',
      });
    }
  }

  /** Depth first, names sorted so that keys come out in order: a directory sorts as its name with `/` at the end. */
  async *#walk(within: string, prefix: string): AsyncGenerator<ObjectInfo> {
    if (within === '') await this.#assertSame();
    const entries = await readdir(join(this.#root, within), { withFileTypes: true }).catch((error: unknown) =>
      errnoOf(error) === 'ENOENT' ? [] : refuse(error),
    );
    const named = entries
      .filter((entry) => !entry.name.startsWith('.'))
      .map((entry) => ({ path: `${within}${entry.name}${entry.isDirectory() ? '/' : ''}`, entry }))
      .sort((a, b) => (a.path < b.path ? -1 : 1));
    for (const { path, entry } of named) {
      if (entry.isDirectory()) {
        if (path.startsWith(prefix) || prefix.startsWith(path)) yield* this.#walk(path, prefix);
      } else if (path.startsWith(prefix)) {
        const found = await statOrMissing(join(this.#root, path));
        if (found?.isFile()) yield { key: path, byteLength: found.size };
      }
    }
  }

  /** Which entries it made is noted before anything else may fail: the next attempt finds them there and makes none. */
  async #makeDirectory(directory: string): Promise<void> {
    const note = (last: string) => {
      for (const parent of upwards(dirname(directory), last)) this.#unsynced.add(parent);
    };
    try {
      const made = await mkdir(directory, { recursive: true });
      if (made !== undefined) note(dirname(made));
    } catch (error) {
      // Some of them may have been made.
      note(this.#root);
      throw error;
    }
  }

  /** Makes changed entries of directories durable, or leaves that to `sync`. */
  async #settle(directories: readonly string[], { isSyncedLater = false }: ChangeOptions): Promise<void> {
    for (const directory of directories) {
      if (isSyncedLater) this.#unsynced.add(directory);
      else await this.#syncNow(directory);
    }
  }

  async #syncNow(directory: string): Promise<void> {
    // Before the sync: what changes meanwhile is noted anew.
    const wasNoted = this.#unsynced.delete(directory);
    try {
      await this.#syncDirectory(directory);
    } catch (error) {
      if (wasNoted) this.#unsynced.add(directory);
      throw error;
    }
  }

  /** Returns the lowest directory that stays: it lost an entry. */
  async #removeEmptyParents(directory: string): Promise<string> {
    for (
      let current = directory;
      current !== this.#root && current.startsWith(this.#root);
      current = dirname(current)
    ) {
      try {
        await rmdir(current);
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') continue;
        if (errnoOf(error) !== 'ENOTEMPTY' && errnoOf(error) !== 'EEXIST') throw error;
        return current;
      }
    }
    return this.#root;
  }
}

/** True when the target is now a hard link to the file; false when this place takes no link to it. */
async function linkInto(path: string, target: string): Promise<boolean> {
  const first = await tryLink(path, target);
  if (first !== 'exists') return first === 'linked';
  const [source, existing] = await Promise.all([stat(path), stat(target)]);
  if (source.dev !== existing.dev) return false;
  if (source.ino === existing.ino) return true;
  const beside = besideOf(target);
  await unlink(beside).catch(unlessMissing);
  if ((await tryLink(path, beside)) !== 'linked') return false;
  await rename(beside, target);
  return true;
}

async function tryLink(path: string, target: string): Promise<'linked' | 'exists' | 'impossible'> {
  try {
    await link(path, target);
    return 'linked';
  } catch (error) {
    switch (errnoOf(error)) {
      case 'EEXIST':
        return 'exists';
      // EXDEV: another file system; EPERM: one without hard links, or protected_hardlinks; EMLINK: too many of them.
      case 'EXDEV':
      case 'EPERM':
      case 'EMLINK':
      case 'ENOTSUP':
      case 'EOPNOTSUPP':
      case 'ENOSYS':
        return 'impossible';
      default:
        throw error;
    }
  }
}

function besideOf(target: string): string {
  return join(dirname(target), `.${basename(target)}.new`);
}

async function copyInto(path: string, target: string): Promise<void> {
  const beside = besideOf(target);
  try {
    await copyFile(path, beside, constants.COPYFILE_FICLONE);
    const file = await open(beside, 'r+');
    try {
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(beside, target);
  } catch (error) {
    await unlink(beside).catch(unlessMissing);
    throw error;
  }
}

/** `first` and its parents up to and including `last`: each holds a directory entry that was just made. */
function upwards(first: string, last: string): string[] {
  const directories: string[] = [];
  for (let current = first; current.length >= last.length; current = dirname(current)) {
    directories.push(current);
    if (current === dirname(current)) break;
  }
  return directories;
}

async function statOrMissing(path: string): Promise<Stats | undefined> {
  return stat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  });
}

function unlessMissing(error: unknown): void {
  if (errnoOf(error) !== 'ENOENT') throw error;
}

function refuse(error: unknown, facts: Readonly<Record<string, unknown>> = {}): never {
  const refused = toAppError(error);
  throw appError(refused.code, refused.message, {
    ...refused.context,
    ...facts,
    ...(refused.hint === undefined ? {} : { hint: refused.hint }),
    ...(refused.cause === undefined ? {} : { cause: refused.cause }),
  });
}
