/**
 * Gives out the fragment numbers of one stream. Their counter increases for ever, across restarts and clock steps: blocks of
 * counters are reserved durably before any of them is used, and a restart goes on behind the last reserved block.
 *
 * The reservation is one small file in two generations. When neither can be read (a new stream, or a lost state directory)
 * counting begins at a floor that the wall clock and the names of the journal's files make certain to be higher. A reservation
 * that can be read may still be behind: the stream was another recording process's meanwhile, or the state directory came out
 * of a backup. So those of all processes count, and the wall clock's floor always.
 */

import { mkdir, readdir, readFile, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Clock } from '../base/clock.ts';
import { appError, errnoOf, toAppError } from '../base/errors.ts';
import { writeFileAtomic } from '../base/files.ts';
import type { Log } from '../base/log.ts';
import { type FragmentNumber, fragmentNumber } from '../model/fragment-number.ts';
import { limits } from '../model/limits.ts';

export type NumberAllocatorOptions = {
  /** `state/<ingest>/numbers`. */
  readonly directory: string;
  readonly streamId: string;
  /** The highest counter that is known from elsewhere (`highestJournalCounter`), asked for only without a reservation. */
  readonly knownCounter?: () => Promise<number>;
};

/**
 * Counters a second that the floor grows by, since `floorEpochMs`. Cameras use 0.5, PutMedia 5, a process that restarts every
 * four seconds 250; 2^40 counters last until the year 2160.
 */
const floorCountersPerSecond = 256;
const floorEpochMs = Date.UTC(2024, 0, 1);
/** A clock in a far future takes no more than half of the counters: whoever sets it right can go on from there for ever. */
const wallFloorMax = 2 ** 39;
/** Fragments that may lie behind the last known file name: one segment's. */
const knownCounterMargin = limits.segmentFragmentsMax;
/** After a failed reservation the next one waits so long; `next` drives it, so an idle stream tries nothing. */
const retryDelayMs = 1_000;

export class NumberAllocator {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #random: () => number;
  readonly #options: NumberAllocatorOptions;
  readonly #path: string;
  /** Next counter to give out, and the first one that is not reserved. */
  #next = 0;
  #reservedEnd = 0;
  #reserving: Promise<void> | undefined;
  #failure: unknown;
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  /** @param deps.random  0 <= value < 1 */
  constructor(deps: { clock: Clock; log: Log; random: () => number }, options: NumberAllocatorOptions) {
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#random = deps.random;
    this.#options = options;
    this.#path = join(options.directory, `${options.streamId}.json`);
  }

  /** Reserves the first block. @throws AppError  the state directory cannot be written */
  async start(): Promise<void> {
    await mkdir(this.#options.directory, { recursive: true });
    const newest = await readReservation(this.#path, this.#options.streamId);
    const own = typeof newest === 'number' ? newest : await this.#floor(newest);
    this.#next = Math.max(own, this.#wallFloor(), await this.#reservedElsewhere());
    this.#reservedEnd = this.#next;
    // From now on the older generation is exactly one block behind, whatever was lost before.
    if (newest !== this.#next) await this.#write(this.#next);
    await this.#reserve();
  }

  /**
   * The next number of the stream. Reserves the following block in the background when half of this one is used.
   *
   * @param serverTimestampMs  our time at the fragment's beginning, milliseconds since 1970 UTC
   * @throws AppError unavailable  all reserved numbers are used and the next block could not be made durable
   */
  next(serverTimestampMs: number): { number: FragmentNumber; counter: number } {
    if (this.#reservedEnd - this.#next <= limits.numberBlock / 2) this.#reserveAhead();
    if (this.#isClosed || this.#next >= this.#reservedEnd) {
      throw appError('unavailable', 'no fragment number is reserved', {
        streamId: this.#options.streamId,
        cause: this.#failure,
        hint: 'is the state directory on a full or read-only file system?',
      });
    }
    const counter = this.#next++;
    const random = Math.floor(this.#random() * 2 ** 28);
    return { number: fragmentNumber(counter, serverTimestampMs, random), counter };
  }

  /**
   * True while many numbers are left; otherwise the next block is being reserved. Whoever takes numbers faster than a camera does
   * waits for it, so that no camera ever has to.
   */
  hasAhead(): boolean {
    const left = this.#reservedEnd - this.#next;
    if (left <= limits.numberBlock / 2) this.#reserveAhead();
    return left > limits.numberBlock / 4;
  }

  /** Waits for a reservation that is being written. Nothing else is held. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#reserving;
  }

  #reserveAhead(): void {
    if (this.#reserving !== undefined || this.#isClosed || this.#clock.monotonicMs() < this.#retryAtMs) return;
    this.#reserving = this.#reserve()
      .then(
        () => {
          this.#failure = undefined;
        },
        (error: unknown) => {
          this.#failure = error;
          this.#retryAtMs = this.#clock.monotonicMs() + retryDelayMs;
          this.#log.counted('fragment numbers could not be reserved', 1, { error: toAppError(error).message });
        },
      )
      .finally(() => {
        this.#reserving = undefined;
      });
  }

  async #reserve(): Promise<void> {
    const end = this.#reservedEnd + limits.numberBlock;
    // The newest generation becomes the older one first: a crash between the two leaves one that is readable.
    await rename(this.#path, previousPath(this.#path)).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
    });
    await this.#write(end);
    this.#reservedEnd = end;
  }

  #write(end: number): Promise<void> {
    const { streamId } = this.#options;
    const reservation = { version: 1, streamId, end, check: checksum(streamId, end) };
    return writeFileAtomic(this.#path, `${JSON.stringify(reservation)}\n`);
  }

  /** Behind everything that was ever reserved, as far as the older generation and the world can tell. */
  async #floor(newest: 'missing' | 'corrupt'): Promise<number> {
    const { streamId } = this.#options;
    const older = await readReservation(previousPath(this.#path), streamId);
    // Whatever the lost generation said, it was one block more; the second block is for the doubt.
    if (typeof older === 'number') {
      this.#log.warn('newest fragment number reservation lost, skipping two blocks', { state: newest });
      return older + 2 * limits.numberBlock;
    }
    const known = (await this.#options.knownCounter?.()) ?? 0;
    const floor = Math.max(1, this.#wallFloor(), known === 0 ? 0 : known + knownCounterMargin);
    const isNew = newest === 'missing' && older === 'missing';
    const fields = { floor, known };
    if (isNew) this.#log.info('no fragment number reservation, counting from the floor', fields);
    else this.#log.error('fragment number reservation is corrupt, counting from the floor', fields);
    return floor;
  }

  #wallFloor(): number {
    const seconds = (this.#clock.wallMs() - floorEpochMs) / 1_000;
    return Math.min(Math.floor(seconds * floorCountersPerSecond), wallFloorMax);
  }

  /** Behind everything that other recording processes reserved for this stream: it was theirs before their number changed. */
  async #reservedElsewhere(): Promise<number> {
    const { directory, streamId } = this.#options;
    const stateDirectory = dirname(dirname(directory));
    let highest = 0;
    // What cannot be read here stops no recording: the wall clock's floor is very likely higher anyway.
    const entries = await readdir(stateDirectory, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (!entry.isDirectory() || entry.name === basename(dirname(directory))) continue;
      const path = join(stateDirectory, entry.name, basename(directory), `${streamId}.json`);
      for (const generation of [path, previousPath(path)]) {
        // Two blocks of doubt, as after the loss of our own newest generation.
        const end = await readReservation(generation, streamId).catch(() => 'corrupt' as const);
        if (typeof end === 'number')
          highest = Math.max(highest, generation === path ? end : end + 2 * limits.numberBlock);
        if (end === 'corrupt') this.#log.warn('reservation of another process is not readable', { path: generation });
      }
    }
    return highest;
  }
}

function previousPath(path: string): string {
  return `${path}.previous`;
}

function checksum(streamId: string, end: number): number {
  return crc32(`${streamId} ${end}`);
}

async function readReservation(path: string, streamId: string): Promise<number | 'missing' | 'corrupt'> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof value !== 'object' || value === null || !('end' in value) || !('check' in value)) return 'corrupt';
    const { end, check } = value;
    const isValid =
      typeof end === 'number' && Number.isSafeInteger(end) && end > 0 && check === checksum(streamId, end);
    return isValid ? end : 'corrupt';
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 'missing';
    // Text that is no JSON is corrupt; a file that cannot be read may be fine, and guessing its content is not.
    if (error instanceof SyntaxError) return 'corrupt';
    throw toAppError(error);
  }
}
