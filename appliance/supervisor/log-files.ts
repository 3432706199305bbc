/**
 * The newest log lines of every role as files, for `weir support`: `logs/<role>.log` and one file before it. Bounded in bytes on
 * disk and in memory, and in patience: one write is under way at a time, whatever else comes meanwhile is kept up to a bound
 * and then left out. So a full or hanging disk costs lines of these files and nothing else; the lines also go to the
 * standard output of each role, which is the log.
 */

import { appendFile, mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../storage/base/clock.ts';

export type LogFilesOptions = {
  readonly directory: string;
  readonly fileBytesMax?: number;
};

type Pending = { text: string[]; bytes: number; left: number };

/** Two files of a role: days at info, hours of a role that is in trouble. */
const fileBytesMax = 2 * 1024 * 1024;
/** Of one role, while the disk takes nothing. */
const pendingBytesMax = 256 * 1024;
/** After a refusal; the disk is asked no more often. */
const retryMs = 5_000;
/** At the end, for what is under way: a disk that hangs is not waited for. */
const closeMs = 500;
/** Ingest processes, keeper, serve, onvif, demo and the supervisor itself. */
const rolesMax = 24;
const roleName = /^[a-z]+(-\d{1,2})?$/;

export class LogFiles {
  readonly #clock: Clock;
  readonly #directory: string;
  readonly #bytesMax: number;
  readonly #pending = new Map<string, Pending>();
  readonly #sizes = new Map<string, number>();
  #writing: Promise<void> | undefined;
  #cancelRetry: (() => void) | undefined;
  #isClosed = false;

  constructor(deps: { readonly clock: Clock }, options: LogFilesOptions) {
    this.#clock = deps.clock;
    this.#directory = options.directory;
    this.#bytesMax = options.fileBytesMax ?? fileBytesMax;
  }

  /**
   * Takes lines of a role, each with its line end. Never waits and never fails.
   *
   * @param left  so many lines were left out before these
   */
  append(role: string, lines: readonly string[], left = 0): void {
    if (this.#isClosed || !roleName.test(role)) return;
    const pending = this.#pendingOf(role);
    if (pending === undefined) return;
    pending.left += left;
    for (const line of lines) {
      const bytes = Buffer.byteLength(line);
      if (pending.bytes + bytes > pendingBytesMax) pending.left++;
      else {
        pending.text.push(line);
        pending.bytes += bytes;
      }
    }
    if (this.#cancelRetry === undefined) this.#write();
  }

  /** Writes what waits, for a moment at most. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRetry?.();
    const enough = Promise.withResolvers<void>();
    const cancel = this.#clock.after(closeMs, () => enough.resolve());
    await Promise.race([this.#writing, enough.promise]);
    cancel();
  }

  #pendingOf(role: string): Pending | undefined {
    const known = this.#pending.get(role);
    if (known !== undefined || this.#pending.size >= rolesMax) return known;
    const pending = { text: [], bytes: 0, left: 0 };
    this.#pending.set(role, pending);
    return pending;
  }

  #write(): void {
    this.#writing ??= this.#writeAll().then(
      () => {
        this.#writing = undefined;
      },
      () => {
        this.#writing = undefined;
        if (this.#isClosed) return;
        this.#cancelRetry = this.#clock.after(retryMs, () => {
          this.#cancelRetry = undefined;
          this.#write();
        });
      },
    );
  }

  async #writeAll(): Promise<void> {
    for (let role = this.#waiting(); role !== undefined; role = this.#waiting()) {
      const pending = this.#pending.get(role);
      if (pending === undefined) return;
      const { text, left } = pending;
      this.#pending.set(role, { text: [], bytes: 0, left: 0 });
      try {
        await this.#writeOne(role, left === 0 ? text.join('') : `${text.join('')}${gap(left)}`);
      } catch (error) {
        const later = this.#pendingOf(role);
        if (later !== undefined) later.left += left + text.length;
        throw error;
      }
    }
  }

  async #writeOne(role: string, text: string): Promise<void> {
    const path = join(this.#directory, `${role}.log`);
    const bytes = Buffer.byteLength(text);
    let size = this.#sizes.get(role);
    if (size === undefined) {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      size = await stat(path).then(
        (found) => found.size,
        () => 0,
      );
    }
    if (size > 0 && size + bytes > this.#bytesMax) {
      await rename(path, join(this.#directory, `${role}.1.log`));
      size = 0;
    }
    // Not known until it is written: a disk that refuses half of it is asked again.
    this.#sizes.delete(role);
    await appendFile(path, text, { mode: 0o600 });
    this.#sizes.set(role, size + bytes);
  }

  #waiting(): string | undefined {
    for (const [role, { text, left }] of this.#pending) if (text.length > 0 || left > 0) return role;
    return undefined;
  }
}

function gap(lines: number): string {
  return `${JSON.stringify({ level: 'warn', event: 'log lines left out of this file', lines })}\n`;
}
