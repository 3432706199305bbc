/**
 * The index for its one writer, the keeper. `transaction` is the only way to change rows; what it runs contains no `await`,
 * so what held at its first line holds at its last, and it is durable when it returns.
 */

import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Database } from 'better-sqlite3';
import { must } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { isAppError } from '../base/errors.ts';
import { syncDirectory, writeFileAtomic } from '../base/files.ts';
import type { Log } from '../base/log.ts';
import { databaseError, openForWriting, quickCheck } from './database.ts';
import { type EventRows, eventRows } from './event-rows.ts';
import { type GapRows, gapRows } from './gap-rows.ts';
import { type HoldRows, holdRows } from './hold-rows.ts';
import { type IndexQueries, indexQueries } from './index-queries.ts';
import { type LedgerRows, ledgerRows } from './ledger-rows.ts';
import { type PlaceRows, placeRows } from './place-rows.ts';
import { removalRows } from './removal-rows.ts';
import { salvageRows } from './salvage.ts';
import { type SegmentRows, segmentRows } from './segment-rows.ts';
import { SpareRoom } from './spare-room.ts';
import { type StateRows, stateRows } from './state-rows.ts';

/** What a transaction can do. */
export type IndexChange = {
  readonly segments: SegmentRows;
  readonly gaps: GapRows;
  readonly holds: HoldRows;
  readonly events: EventRows;
  readonly places: PlaceRows;
  readonly ledger: LedgerRows;
  readonly state: StateRows;
  readonly queries: IndexQueries;
};

/** How the index was found at the start. */
export type IndexStart =
  | { readonly kind: 'opened' }
  /** There was none: a first start, or somebody removed it. */
  | { readonly kind: 'created' }
  /** It was damaged: moved to `movedTo`, an empty one is in its place and has to be filled from files and objects. */
  | { readonly kind: 'replaced'; readonly movedTo: string; readonly reason: string };

export class IndexWriter {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #path: string;
  readonly #spareRoom: SpareRoom;
  #database: Database | undefined;
  #change: IndexChange | undefined;

  constructor(dependencies: { readonly clock: Clock; readonly log: Log }, options: { readonly path: string }) {
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#path = options.path;
    this.#spareRoom = new SpareRoom(`${options.path}.spare`);
  }

  /**
   * Opens or makes the index. After an unclean end it is looked through; a damaged one is moved aside, loudly.
   * @throws AppError unavailable  it is locked, or of a newer release
   */
  async start(): Promise<IndexStart> {
    await mkdir(dirname(this.#path), { recursive: true });
    const isNew = !existsSync(this.#path);
    // A removed index with its log left behind would give the old pages to the new file.
    if (isNew) await this.#removeSideFiles();
    try {
      this.#openOnFullDisk({ isChecked: !isNew && !existsSync(this.#cleanMark) });
      await rm(this.#cleanMark, { force: true });
      return { kind: isNew ? 'created' : 'opened' };
    } catch (error) {
      this.#forget();
      if (!isAppError(error, 'data_loss')) throw error;
      return this.replace(error.message);
    }
  }

  /** Closes the file so that the next start needs no look through it. */
  async close(): Promise<void> {
    if (this.#database === undefined) return;
    this.#forget();
    await writeFileAtomic(this.#cleanMark, '');
  }

  /** Moves the file aside, with the date in its name, and begins an empty one. */
  async replace(reason: string): Promise<IndexStart> {
    this.#forget();
    const date = new Date(this.#clock.wallMs()).toISOString().replaceAll(':', '').slice(0, 17);
    const movedTo = `${this.#path}.damaged-${date}`;
    await rename(this.#path, movedTo);
    for (const suffix of ['-wal', '-shm']) {
      if (existsSync(`${this.#path}${suffix}`)) await rename(`${this.#path}${suffix}`, `${movedTo}${suffix}`);
    }
    await rm(this.#cleanMark, { force: true });
    await syncDirectory(dirname(this.#path));
    this.#log.error('index is damaged and was moved aside', {
      reason,
      movedTo,
      hint: 'It is rebuilt from the stored files; recording goes on meanwhile. Look at the disk.',
    });
    this.#open({ isChecked: false });
    return { kind: 'replaced', movedTo, reason };
  }

  /** Takes over what a damaged index still tells and files don't: rows by table. */
  salvage(damagedPath: string): Readonly<Record<string, number>> {
    return salvageRows({ log: this.#log }, { damagedPath, target: must(this.#database, 'the index is open') });
  }

  /** All questions, on the writer's own connection. */
  get queries(): IndexQueries {
    return this.#opened.queries;
  }

  /** Reading of what only the keeper asks. */
  get state(): Pick<StateRows, 'get' | 'policies'> {
    return this.#opened.state;
  }

  get ledger(): Pick<LedgerRows, 'cursorOf' | 'filesWithCursor' | 'linesOf' | 'streams'> {
    return this.#opened.ledger;
  }

  get garbage(): Pick<SegmentRows, 'garbageAfter' | 'garbageTotals' | 'urgentGarbageBytes' | 'isGarbage'> {
    return this.#opened.segments;
  }

  /**
   * Runs the changes as one transaction, durable when this returns. The callback must not be async.
   *
   * @throws AppError data_loss           the file is damaged: the keeper replaces it
   * @throws AppError unavailable         it is locked: try again
   * @throws AppError resource_exhausted  the disk is full: nothing was changed
   */
  transaction<T>(changes: (change: IndexChange) => T): T {
    const change = this.#opened;
    const database = must(this.#database, 'the index is open');
    try {
      return database.transaction(() => changes(change)).immediate();
    } catch (error) {
      const failure = databaseError(error);
      // What needs room now is tried again by its caller.
      if (isAppError(failure, 'resource_exhausted')) this.#giveSpareRoom();
      throw failure;
    }
  }

  /** Folds the write-ahead log into the file, so that it does not grow behind long readers. */
  checkpoint(): void {
    this.#spareRoom.keep();
    try {
      this.#database?.pragma('wal_checkpoint(PASSIVE)');
    } catch (error) {
      throw databaseError(error);
    }
  }

  get #cleanMark(): string {
    return `${this.#path}.clean`;
  }

  get #opened(): IndexChange {
    return must(this.#change, 'the index writer is started');
  }

  #openOnFullDisk(options: { readonly isChecked: boolean }): void {
    try {
      this.#open(options);
    } catch (error) {
      this.#forget();
      if (isAppError(error, 'data_loss') || !this.#giveSpareRoom()) throw error;
      this.#open(options);
    }
    this.#spareRoom.keep();
  }

  #giveSpareRoom(): boolean {
    const isGiven = this.#spareRoom.give();
    if (isGiven) this.#log.warn('disk of the index is full, its spare room is used', { path: this.#path });
    return isGiven;
  }

  #open({ isChecked }: { readonly isChecked: boolean }): void {
    const database = openForWriting(this.#path);
    this.#database = database;
    if (isChecked) quickCheck(database);
    this.#change = {
      segments: segmentRows(database, removalRows(database)),
      gaps: gapRows(database),
      holds: holdRows(database),
      events: eventRows(database),
      places: placeRows(database),
      ledger: ledgerRows(database),
      state: stateRows(database),
      queries: indexQueries(database),
    };
  }

  #forget(): void {
    const database = this.#database;
    this.#database = undefined;
    this.#change = undefined;
    database?.close();
  }

  async #removeSideFiles(): Promise<void> {
    for (const suffix of ['-wal', '-shm', '.clean']) await rm(`${this.#path}${suffix}`, { force: true });
  }
}
