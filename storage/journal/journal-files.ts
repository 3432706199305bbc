/**
 * The file system calls that writing takes, by descriptor and callback: a `FileHandle` costs twice the time a call, and there
 * is one a second and camera. A type, so that a test can have a disk that is slow, full or broken.
 */

import fs from 'node:fs';
import { rename, unlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { appError } from '../base/errors.ts';
import { syncDirectory } from '../base/files.ts';

export type JournalFiles = {
  /** Creates a file that must not exist and returns its descriptor. */
  create(path: string): Promise<number>;
  /** Writes all bytes at a place; a part of them may be in the file when it fails. */
  write(descriptor: number, views: readonly Uint8Array[], position: number): Promise<void>;
  truncate(descriptor: number, byteLength: number): Promise<void>;
  /** fdatasync: content and length. */
  sync(descriptor: number): Promise<void>;
  close(descriptor: number): Promise<void>;
  rename(source: string, target: string): Promise<void>;
  remove(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
};

const open = promisify(fs.open);

export const systemFiles: JournalFiles = {
  create: (path) => open(path, 'wx', 0o640),
  write: writeAll,
  truncate: promisify(fs.ftruncate),
  sync: promisify(fs.fdatasync),
  close: promisify(fs.close),
  rename,
  remove: unlink,
  syncDirectory,
};

function writeAll(descriptor: number, views: readonly Uint8Array[], position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const writeFrom = (left: readonly Uint8Array[], at: number) => {
      fs.writev(descriptor, left, at, (error, written) => {
        if (error !== null) return reject(error);
        const rest = without(left, written);
        if (rest.length === 0) return resolve();
        // A full disk takes a part first and refuses the rest with the next call; taking nothing would loop for ever.
        if (written === 0) return reject(appError('unavailable', 'file took no bytes', { at }));
        writeFrom(rest, at + written);
      });
    };
    writeFrom(views, position);
  });
}

/** The views without the first `written` bytes. */
function without(views: readonly Uint8Array[], written: number): readonly Uint8Array[] {
  let left = written;
  for (const [index, view] of views.entries()) {
    if (left < view.byteLength) return [view.subarray(left), ...views.slice(index + 1)];
    left -= view.byteLength;
  }
  return [];
}
