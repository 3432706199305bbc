/**
 * The directories that recorders may write to: the first that takes writes is used, spares after it. A place that failed is
 * tried again after a bounded wait, by whoever begins the next run.
 */

import { mkdir, open, statfs, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../storage/base/clock.ts';
import { type AppError, appError, toAppError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { Backoff } from '../../storage/base/retry.ts';
import { Durability, openEpoch } from '../../storage/journal/index.ts';
import { limits } from '../../storage/model/limits.ts';
import type { GapReason } from '../../storage/model/run.ts';

/** Where a run's files go. */
export type JournalPlace = {
  readonly root: string;
  /** `<root>/open/<ingest>.<epoch>` */
  readonly openDirectory: string;
  readonly finishedDirectory: string;
  /** There are others: what went away is not made anew (`SegmentWriterOptions`). */
  readonly isPlaceExpected: boolean;
  readonly durability: Durability;
};

/** What is wrong with a place, for people. */
export type PlaceFault = { readonly root: string; readonly reason: GapReason; readonly message: string };

export type JournalPlacesOptions = {
  /** Directories with `open` and `finished` in them, most preferred first. */
  readonly roots: readonly string[];
  /** `state` of the data directory. */
  readonly state: string;
  readonly ingestName: string;
  readonly syncPeriodMs: number;
};

type Entry = {
  readonly root: string;
  readonly ingestName: string;
  readonly backoff: Backoff;
  place: JournalPlace | undefined;
  epoch: number | undefined;
  fault: PlaceFault | undefined;
  failedMs: number;
  retryAtMs: number;
};

/**
 * Where another place takes writes, one that failed is left alone for so long: a full disk takes a small fragment now and then,
 * and each attempt that fails costs seconds.
 */
const patienceMs = 10_000;
/** What a place that failed must take, durably, before runs go back to it: as much as a recorder flushes at once. */
const probeBytes = limits.flushBytes;
/** And what must be free there then: a segment, or a tenth of a small disk. */
const probeFreeBytes = limits.segmentBytes;
const probeFreePart = 0.1;

export class JournalPlaces {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: JournalPlacesOptions;
  readonly #entries: readonly Entry[];
  readonly #lifetime = new Lifetime();
  readonly #opening = new Set<Entry>();
  readonly #probing = new Set<Entry>();

  constructor(
    dependencies: { readonly clock: Clock; readonly log: Log; readonly random: () => number },
    options: JournalPlacesOptions,
  ) {
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#options = options;
    this.#entries = options.roots.map((root, i) => ({
      root,
      // An ingest process has one epoch for each name: spares are other names, so that none outdates another.
      ingestName: i === 0 ? options.ingestName : `${options.ingestName}-spare-${i}`,
      backoff: new Backoff({ firstDelayMs: 1_000, delayMsMax: 10_000, random: dependencies.random }),
      place: undefined,
      epoch: undefined,
      fault: undefined,
      failedMs: Number.NEGATIVE_INFINITY,
      retryAtMs: Number.NEGATIVE_INFINITY,
    }));
  }

  /**
   * Opens an epoch in every place that can be written.
   *
   * @throws AppError failed_precondition  another living process records into this data directory
   */
  async start(): Promise<void> {
    for (const entry of this.#entries) await this.#open(entry, { isFirst: true });
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /** The epoch of the preferred place; 0 while it could not be opened. */
  get epoch(): number {
    return this.#entries[0]?.epoch ?? 0;
  }

  get faults(): readonly PlaceFault[] {
    return this.#entries.flatMap((entry) => (entry.fault === undefined ? [] : [entry.fault]));
  }

  get syncCount(): number {
    return this.#entries.reduce((sum, entry) => sum + (entry.place?.durability.syncCount ?? 0), 0);
  }

  /** The best place whose turn it is, or undefined while all of them wait. */
  pick(): JournalPlace | undefined {
    const nowMs = this.#clock.monotonicMs();
    const due = this.#entries.filter((entry) => nowMs >= entry.retryAtMs);
    for (const entry of due) if (entry.place === undefined) void this.#open(entry, { isFirst: false });
    const open = due.filter((entry) => entry.place !== undefined);
    return (open.find((entry) => !this.#isSuspect(entry)) ?? open[0])?.place;
  }

  /**
   * True when a more preferred place takes writes again: a run may go back there. One that failed is tried with a file of our own
   * first, since each attempt of a run would cost seconds of footage.
   */
  hasBetterThan(place: JournalPlace): boolean {
    const nowMs = this.#clock.monotonicMs();
    const better = this.#entries.slice(
      0,
      this.#entries.findIndex((entry) => entry.place === place),
    );
    const due = better.filter((entry) => nowMs >= entry.retryAtMs && !this.#isSuspect(entry));
    for (const entry of due) if (entry.fault !== undefined || entry.place === undefined) void this.#probe(entry);
    return due.some((entry) => entry.fault === undefined && entry.place !== undefined);
  }

  async #probe(entry: Entry): Promise<void> {
    if (this.#probing.has(entry)) return;
    this.#probing.add(entry);
    try {
      if (entry.place === undefined) await this.#open(entry, { isFirst: false });
      if (entry.place === undefined) return;
      await assertTakesWrites(entry.place, `.probe-${entry.ingestName}`);
      this.#setWell(entry);
    } catch (error) {
      this.#wait(entry, { root: entry.root, reason: 'write-failed', message: toAppError(error).message });
    } finally {
      this.#probing.delete(entry);
    }
  }

  /** It failed a short while ago, and there are others. */
  #isSuspect(entry: Entry): boolean {
    return this.#entries.length > 1 && this.#clock.monotonicMs() - entry.failedMs < patienceMs;
  }

  /** Nothing is written there for a while. */
  failed(place: JournalPlace, reason: GapReason, error: AppError): void {
    const entry = this.#entries.find((each) => each.place === place);
    if (entry === undefined || this.#clock.monotonicMs() < entry.retryAtMs) return;
    this.#wait(entry, { root: entry.root, reason, message: error.message });
  }

  /** A fragment was written there. */
  succeeded(place: JournalPlace): void {
    const entry = this.#entries.find((each) => each.place === place);
    // A hundred runs fail one after the other: one that still got through says nothing while the place waits.
    if (entry?.fault === undefined || this.#clock.monotonicMs() < entry.retryAtMs || this.#isSuspect(entry)) return;
    this.#setWell(entry);
  }

  #setWell(entry: Entry): void {
    entry.fault = undefined;
    entry.backoff.reset();
    this.#log.info('journal takes writes again', { root: entry.root });
  }

  #wait(entry: Entry, fault: PlaceFault): void {
    const delayMs = entry.backoff.nextDelayMs();
    if (entry.fault === undefined) this.#log.error('journal cannot be written', { ...fault, retryInMs: delayMs });
    entry.fault = fault;
    entry.failedMs = this.#clock.monotonicMs();
    entry.retryAtMs = entry.failedMs + delayMs;
  }

  async #open(entry: Entry, { isFirst }: { readonly isFirst: boolean }): Promise<void> {
    if (this.#opening.has(entry) || this.#lifetime.signal.aborted) return;
    this.#opening.add(entry);
    try {
      const { root, ingestName } = entry;
      const finishedDirectory = join(root, 'finished');
      await mkdir(finishedDirectory, { recursive: true });
      const stateDirectory = join(this.#options.state, ingestName);
      const { epoch, directory } = await openEpoch({ stateDirectory, journalOpen: join(root, 'open'), ingestName });
      const dependencies = { clock: this.#clock, log: this.#log };
      const durability = new Durability(dependencies, { directory: root, periodMs: this.#options.syncPeriodMs });
      // A first sync may take a minute on a busy disk, and no camera waits for it.
      void durability.start();
      this.#lifetime.own(durability);
      entry.epoch = epoch;
      const isPlaceExpected = this.#entries.length > 1;
      entry.place = { root, openDirectory: directory, finishedDirectory, isPlaceExpected, durability };
    } catch (error) {
      const failure = toAppError(error);
      if (isFirst && failure.code === 'failed_precondition') throw failure;
      this.#wait(entry, { root: entry.root, reason: 'write-failed', message: failure.message });
    } finally {
      this.#opening.delete(entry);
    }
  }
}

/** @throws  what the disk says, or that it has little room */
async function assertTakesWrites(place: JournalPlace, name: string): Promise<void> {
  const { bavail, blocks, bsize } = await statfs(place.openDirectory);
  const freeBytes = bavail * bsize;
  const wantedBytes = Math.min(probeFreeBytes, Math.floor(blocks * bsize * probeFreePart));
  if (freeBytes < wantedBytes) throw appError('resource_exhausted', 'journal has little room', { freeBytes });
  const path = join(place.root, name);
  const file = await open(path, 'w', 0o640);
  try {
    await file.writeFile(new Uint8Array(probeBytes));
    await file.datasync();
  } finally {
    await file.close();
    await unlink(path).catch(() => {});
  }
}
