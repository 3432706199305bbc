/**
 * Room on the index's disk that nobody else can take: a file of zeros beside it. Without it a full disk would lock the keeper
 * out: SQLite needs room to open a database, and footage is removed to make room only by way of the index.
 */

import { existsSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { limits } from '../model/limits.ts';

/** The file is made only where so many times its size stays free. */
const plentyTimes = 4;

export class SpareRoom {
  readonly #path: string;

  /** @param path  of the file of zeros, on the disk of the index */
  constructor(path: string) {
    this.#path = path;
  }

  /** Takes the room, if it is not taken and the disk has plenty. Never throws: without it all goes on as well. */
  keep(): void {
    if (existsSync(this.#path) || freeBytes(this.#path) < plentyTimes * limits.indexSpareBytes) return;
    try {
      writeFileSync(this.#path, new Uint8Array(limits.indexSpareBytes), { mode: 0o600 });
    } catch {
      rmSync(this.#path, { force: true });
    }
  }

  /** Gives the room back when the disk is full. True when that was so: whatever failed for want of room may be tried again. */
  give(): boolean {
    if (!existsSync(this.#path) || freeBytes(this.#path) >= limits.indexSpareBytes) return false;
    rmSync(this.#path, { force: true });
    return true;
  }
}

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(dirname(path));
  return bavail * bsize;
}
