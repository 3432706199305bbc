/**
 * Finished files in the journal: those that the index does not tell of yet, or all while there is no index. A directory is
 * listed again only when it changed, and a table is read again only when its file did.
 */

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { errnoOf, isAppError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { readSegment } from '../journal/index.ts';
import { type Fragment, fragmentEndMs } from '../model/fragment.ts';
import type { FragmentNumber } from '../model/fragment-number.ts';
import { limits } from '../model/limits.ts';
import { type LoadedSegment, refOf } from './references.ts';

type Listing = { readonly names: readonly string[]; readonly changedMs: number; readonly listedMs: number };
/** What is remembered of a file without its fragments. */
export type SegmentSpan = {
  readonly beginMs: number;
  readonly endMs: number;
  /** The same in producer time. */
  readonly beginProducerMs: number;
  readonly endProducerMs: number;
  readonly lastNumber: FragmentNumber;
};

type CachedTable = { readonly size: number; readonly changedMs: number; readonly loaded: LoadedSegment };

const namePattern = /^\d{12,}-[0-9a-f]{32}-v1\.mkv$/;
/** A change within the same tick of the file system's clock as a listing may not show in the directory's time. */
const tickMs = 100;

export class FinishedSegments {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #directories: readonly string[];
  /** By directory of a stream. */
  readonly #listings = new Map<string, Listing>();
  /** Least recently used first. */
  readonly #tables = new Map<string, CachedTable>();
  #fragmentsCached = 0;
  /** By stream, then name: of every file that was read and is still there. */
  readonly #spans = new Map<string, Map<string, SegmentSpan>>();

  /** @param directories  `finished` of each journal root */
  constructor(deps: { clock: Clock; log: Log }, directories: readonly string[]) {
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#directories = directories;
  }

  /** Names of a stream's finished files, by first counter. */
  async names(streamId: string): Promise<readonly string[]> {
    const listings: Listing[] = [];
    let isChanged = false;
    for (const finished of this.#directories) {
      const directory = join(finished, streamId);
      const known = this.#listings.get(directory);
      const listing = await this.#list(directory);
      if (listing !== known) isChanged = true;
      if (listing !== undefined) listings.push(listing);
    }
    const [first] = listings;
    const names = listings.length > 1 ? listings.flatMap((listing) => listing.names).sort() : (first?.names ?? []);
    if (isChanged) this.#keepSpans(streamId, names);
    return names;
  }

  async #list(directory: string): Promise<Listing | undefined> {
    const listedMs = this.#clock.wallMs();
    const changedMs = await changeTime(directory);
    if (changedMs === undefined) {
      this.#listings.delete(directory);
      return undefined;
    }
    const known = this.#listings.get(directory);
    const isFresh = known !== undefined && known.changedMs === changedMs && known.listedMs > changedMs + tickMs;
    if (isFresh) return known;
    const names = (await readdir(directory)).filter((name) => namePattern.test(name)).sort();
    const listing = { names, changedMs, listedMs };
    this.#listings.set(directory, listing);
    return listing;
  }

  /** Which server times and numbers a finished file holds; undefined as `load`. */
  async span(streamId: string, name: string): Promise<SegmentSpan | undefined> {
    const known = this.#spans.get(streamId)?.get(name);
    if (known !== undefined) return known;
    const loaded = await this.load(streamId, name);
    const first = loaded?.fragments[0];
    const last = loaded?.fragments.at(-1);
    if (first === undefined || last === undefined) return undefined;
    const span = spanOf(first, last);
    this.#spans.get(streamId)?.set(name, span);
    return span;
  }

  /** A finished file with its table; undefined when it is gone, or damaged (said in the log: `check` finds it too). */
  async load(streamId: string, name: string): Promise<LoadedSegment | undefined> {
    for (const directory of this.#directories) {
      const loaded = await this.#load(join(directory, streamId, name));
      if (loaded !== undefined) return loaded;
    }
    return undefined;
  }

  async #load(path: string): Promise<LoadedSegment | undefined> {
    try {
      const { size, mtimeMs } = await stat(path);
      const cached = this.#tables.get(path);
      if (cached?.size === size && cached.changedMs === mtimeMs) {
        this.#tables.delete(path);
        this.#tables.set(path, cached);
        return cached.loaded;
      }
      const { fragments, ...head } = await readSegment(path);
      const [first] = fragments;
      if (first === undefined) return undefined;
      const loaded = { segment: refOf(head, first, undefined), fragments };
      this.#remember(path, { size, changedMs: mtimeMs, loaded });
      return loaded;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || isAppError(error, 'not_found')) return undefined;
      if (!isAppError(error)) throw error;
      this.#log.counted('finished segment cannot be read', 1, { path, error: error.message });
      return undefined;
    }
  }

  #keepSpans(streamId: string, names: readonly string[]): void {
    const before = this.#spans.get(streamId);
    const now = new Map<string, SegmentSpan>();
    for (const name of names) {
      const span = before?.get(name);
      if (span !== undefined) now.set(name, span);
    }
    this.#spans.set(streamId, now);
  }

  #remember(path: string, table: CachedTable): void {
    this.#forget(path);
    this.#tables.set(path, table);
    this.#fragmentsCached += table.loaded.fragments.length;
    for (const oldest of this.#tables.keys()) {
      if (this.#fragmentsCached <= limits.readerFragmentsCached) break;
      this.#forget(oldest);
    }
  }

  #forget(path: string): void {
    const table = this.#tables.get(path);
    if (table === undefined) return;
    this.#tables.delete(path);
    this.#fragmentsCached -= table.loaded.fragments.length;
  }
}

/** The span of a segment by its first and its last fragment: inside of one, both times only increase. */
export function spanOf(first: Fragment, last: Fragment): SegmentSpan {
  return {
    beginMs: first.serverTimestampMs,
    endMs: fragmentEndMs(last),
    beginProducerMs: first.producerTimestampMs,
    endProducerMs: last.producerTimestampMs + last.durationMs,
    lastNumber: last.number,
  };
}

async function changeTime(directory: string): Promise<number | undefined> {
  try {
    return (await stat(directory)).mtimeMs;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw error;
  }
}
