/**
 * The object store port: where finished segments live for as long as their policy says. `storage/keeper` is the only writer;
 * readers call `getRange`. Implementations: `DirectoryStore` here, S3 beside it; one contract suite for all
 * (`test/contract/object-store.test.ts`).
 */

import { appError } from '../base/errors.ts';

/** One stored object. */
export type ObjectInfo = { readonly key: string; readonly byteLength: number };

/** Room of the place that holds the objects, bytes. */
export type ObjectSpace = {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** The file system's device number: two places with the same one share their room. */
  readonly device: number;
  /** When it was looked at, on the monotonic clock, where that was not just now. */
  readonly measuredMs?: number;
};

/** Room of one of several stores, as it was last looked at. */
export type NamedSpace = ObjectSpace & {
  readonly store: string;
  readonly measuredMs: number;
  /** Nothing moves on from here. */
  readonly isLast: boolean;
};

/** How a change is made that others of one batch follow. */
export type ChangeOptions = {
  /** The caller relies on the change only after `sync`: a store that has it need not make each change durable by itself. */
  readonly isSyncedLater?: boolean;
};

export type ObjectStore = {
  /** Reaches the store, or makes it where there was none. Called by its writer before all else, again after a failure. */
  start(): Promise<void>;
  close(): Promise<void>;
  /**
   * Identifies the store itself, so that an unmounted disk or another bucket is told from the store that was filled before.
   * Made at the first start and kept among the objects.
   * @throws AppError unavailable  the store cannot be reached
   */
  identity(): Promise<string>;
  /**
   * Makes the file's bytes the object's, durably: they survive power loss once this resolves. Replaces an object of that key;
   * readers see the old or the new bytes and nothing between. The file stays where it is and must not be changed afterwards.
   *
   * @param path  a file whose bytes are already durable
   * @throws AppError invalid_argument    not a key of ours
   * @throws AppError not_found           no such file
   * @throws AppError resource_exhausted  no place is left
   * @throws AppError unavailable         the store cannot be reached
   */
  putFile(key: string, path: string, options?: ChangeOptions): Promise<void>;
  /**
   * Bytes `offset` up to `offset + length` of an object, or fewer where it ends. The caller owns the result.
   * @throws AppError not_found           no such object
   * @throws AppError resource_exhausted  `length` is above `limits.objectRangeBytesMax`
   */
  getRange(key: string, offset: number, length: number): Promise<Uint8Array>;
  /** A file of this machine that has the object's bytes, or undefined for stores that are elsewhere. Never to be written. */
  localPath(key: string): string | undefined;
  /** Removes an object durably; an object that is not there is no error. */
  delete(key: string, options?: ChangeOptions): Promise<void>;
  /**
   * Makes everything durable that was put or deleted with `isSyncedLater`, at once. Absent where each change is durable when it
   * resolves. For one caller at a time; after a failure everything since the last sync is to be done again.
   */
  sync?(): Promise<void>;
  /** All objects whose key begins with `prefix`, in key order (by code unit), listed as they are reached and not as of one moment. */
  list(prefix: string): AsyncIterable<ObjectInfo>;
  /** The object, or undefined when there is none. @throws AppError unavailable  the store cannot be reached */
  stat(key: string): Promise<ObjectInfo | undefined>;
  /** How much room there is, or undefined where the store has no bound of its own. */
  space(): Promise<ObjectSpace | undefined>;
  /** Of several stores, those whose room is known. Absent in a store that is one. */
  spaces?(): readonly NamedSpace[];
};

const objectKeyBytesMax = 512;
const keyForm = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/;

/**
 * Returns the key when every store can hold it: parts of letters, digits, `.`, `_` and `-` that don't begin with a dot,
 * joined by `/`. So no key leaves its directory and none meets a store's own files, which begin with a dot.
 * @throws AppError invalid_argument  it is not of that form
 */
export function parseObjectKey(key: string): string {
  if (key.length > objectKeyBytesMax || !keyForm.test(key)) {
    throw appError('invalid_argument', 'object key is not of our form', { objectKey: key.slice(0, 80) });
  }
  return key;
}
