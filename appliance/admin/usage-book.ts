/**
 * How much of each stream came and went: gathered in memory by whoever sends or receives, and written once a minute and at the end.
 * Exchanges that go on are asked each time for what was added, so that they stand on the days on which they were. What this process did in the minute before it was killed is missing, and so is what recording took in while it was away.
 */

import { z } from 'zod';
import type { Clock } from '../../storage/base/clock.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { type Catalog, type UsageDirection, type UsageRow, usageDaysMax } from '../../storage/catalog/index.ts';
import { Calendar, type IndexReader } from '../../storage/index/index.ts';
import type { LaneClient } from '../../storage/lane/index.ts';

export type UsageNote = {
  readonly streamId: string;
  readonly direction: UsageDirection;
  readonly protocol: string;
  readonly subject?: { readonly kind: string; readonly id: string };
  readonly bytes: number;
  /** More of what was counted as a request before. */
  readonly isContinued?: boolean;
};

/** Something that goes on, by somebody who does not tell of it by himself. */
export type UsageExchange = Omit<UsageNote, 'bytes' | 'isContinued'> & {
  /** Since it began. */
  readonly totalBytes: () => number;
};

export type UsageBookDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly catalog: Pick<Catalog, 'tables'>;
  readonly index: Pick<IndexReader, 'totalsOfAll'>;
  readonly ingests: ReadonlyMap<string, Pick<LaneClient, 'request'>>;
};

const writeMs = 60_000;
const askMs = 5_000;
/** Between two writes; above it new ones are left out, old ones go on being counted. */
const rowsMax = 50_000;
const dayMs = 86_400_000;

const figuresShape = z.array(z.object({ streamId: z.string(), bytes: z.number() }));

export class UsageBook {
  readonly #deps: UsageBookDeps;
  readonly #calendar: Calendar;
  readonly #lifetime = new Lifetime();
  readonly #rows = new Map<string, UsageRow>();
  /** Exchanges that go on, each with what it was counted for; as many as there are connections. */
  readonly #open = new Map<UsageExchange, number>();
  /** What recording had counted when it was asked last. */
  readonly #received = new Map<string, number>();

  constructor(deps: UsageBookDeps, options: { readonly timeZone: string }) {
    this.#deps = deps;
    this.#calendar = new Calendar(options.timeZone);
  }

  start(): void {
    const { clock } = this.#deps;
    this.#lifetime.loop(async (signal) => {
      await this.#receive();
      while (!signal.aborted) {
        await clock.sleep(writeMs, signal);
        await this.write();
      }
    });
  }

  async close(): Promise<void> {
    await this.#lifetime.close();
    this.#save();
  }

  /**
   * Counts an exchange until it is over: one request with its first byte, and its bytes at every look.
   *
   * @returns to be called when it is over
   */
  open(exchange: UsageExchange): () => void {
    this.#open.set(exchange, 0);
    return () => {
      this.#look(exchange);
      this.#open.delete(exchange);
    };
  }

  /** For one reader that tells now and then what it was sent since the last time: all of it is one request. */
  counter(about: Omit<UsageNote, 'bytes' | 'isContinued'>): (bytes: number) => void {
    let isContinued = false;
    return (bytes) => {
      this.note({ ...about, bytes, isContinued });
      isContinued = true;
    };
  }

  note({ streamId, direction, protocol, subject, bytes, isContinued = false }: UsageNote): void {
    const { kind: subjectKind, id: subjectId } = subject ?? { kind: '', id: '' };
    const day = this.#calendar.dayOf(this.#deps.clock.wallMs());
    const key = [day, streamId, direction, protocol, subjectKind, subjectId].join(' ');
    const known = this.#rows.get(key);
    if (known === undefined && this.#rows.size >= rowsMax) return;
    const isStored = direction === 'stored';
    const isCounted = !isContinued && (direction === 'out' || protocol === 'signaling');
    this.#rows.set(key, {
      ...{ day, streamId, direction, protocol, subjectKind, subjectId },
      bytes: isStored ? bytes : (known?.bytes ?? 0) + bytes,
      requests: (known?.requests ?? 0) + (isCounted ? 1 : 0),
    });
  }

  /** Writes what was gathered, with what lies in the stores now. */
  async write(): Promise<void> {
    await this.#receive();
    const { index, log } = this.#deps;
    try {
      for (const { streamId, bytes } of index.totalsOfAll()) {
        this.note({ streamId, direction: 'stored', protocol: '', bytes });
      }
    } catch (error) {
      log.debug('what is stored could not be counted', { error });
    }
    this.#save();
  }

  #look(exchange: UsageExchange): void {
    const counted = this.#open.get(exchange);
    const total = exchange.totalBytes();
    if (counted === undefined || total <= counted) return;
    this.#open.set(exchange, total);
    this.note({ ...exchange, bytes: total - counted, isContinued: counted > 0 });
  }

  #save(): void {
    const { catalog, clock, log } = this.#deps;
    for (const exchange of this.#open.keys()) this.#look(exchange);
    if (this.#rows.size === 0) return;
    try {
      catalog.tables.usage.add([...this.#rows.values()]);
      catalog.tables.usage.forget(this.#calendar.dayOf(clock.wallMs() - usageDaysMax * dayMs));
      this.#rows.clear();
    } catch (error) {
      log.warn('usage could not be written, tried again', { error });
    }
  }

  /** What cameras sent since the last time; a catalog that cannot be read just now is asked again with the next look. */
  async #receive(): Promise<void> {
    try {
      await this.#takeFigures(this.#kindOfStream());
    } catch (error) {
      this.#deps.log.warn('what cameras sent could not be counted, tried again', { error });
    }
  }

  /** Counters that went back are those of a process that was started anew. */
  async #takeFigures(kinds: ReadonlyMap<string, string>): Promise<void> {
    await Promise.all(
      [...this.#deps.ingests.values()].map(async (lane) => {
        const answer = await lane.request('figures', {}, { timeoutMs: askMs }).catch(() => []);
        const figures = figuresShape.safeParse(answer);
        for (const { streamId, bytes } of figures.data ?? []) {
          const before = this.#received.get(streamId);
          this.#received.set(streamId, bytes);
          const kind = kinds.get(streamId);
          // Producers are counted where they are known by their key. The first word of all says nothing of when it came.
          if (before === undefined || kind === undefined || kind === 'kvs') continue;
          const came = bytes >= before ? bytes - before : bytes;
          if (came > 0) this.note({ streamId, direction: 'in', protocol: kind, bytes: came });
        }
      }),
    );
    for (const streamId of this.#received.keys()) if (!kinds.has(streamId)) this.#received.delete(streamId);
  }

  #kindOfStream(): Map<string, string> {
    return new Map(
      this.#deps.catalog.tables.cameras
        .list()
        .flatMap(({ streams, sources }) =>
          streams.map(({ id, role }) => [id, sources[role]?.source.kind ?? ''] as const),
        ),
    );
  }
}
