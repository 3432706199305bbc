/**
 * Figures of one stream over the last hours, one sample a slot of wall time, in memory of a fixed size: the oldest go. What the
 * counters of a source grew by is told per second; a slot in which nobody could say is NaN.
 */

/** What a source has counted since its process started. */
export type Counters = {
  readonly bytes: number;
  readonly units: number;
  readonly packetsLost: number;
};

/** What is asked beside the counters. */
export type ClockFigures = { readonly offsetMs: number | undefined; readonly driftPpm: number | undefined };

export const figureNames = [
  'bitsPerSecond',
  'framesPerSecond',
  'packetsLost',
  'clockOffsetMs',
  'clockDriftPpm',
] as const;
export type FigureName = (typeof figureNames)[number];

export class FigureRing {
  readonly #slotMs: number;
  readonly #slots: number;
  readonly #columns: Readonly<Record<FigureName, Float64Array>>;
  /** Number of the newest slot since 1970; everything before it stands in the columns or is too old. */
  #newest = -1;
  #before: { readonly atMs: number; readonly counters: Counters } | undefined;

  constructor({ slotMs, slots }: { readonly slotMs: number; readonly slots: number }) {
    this.#slotMs = slotMs;
    this.#slots = slots;
    const column = () => new Float64Array(slots).fill(Number.NaN);
    this.#columns = {
      bitsPerSecond: column(),
      framesPerSecond: column(),
      packetsLost: column(),
      clockOffsetMs: column(),
      clockDriftPpm: column(),
    };
  }

  /** When it was told of last; undefined before the first time. */
  get latestMs(): number | undefined {
    return this.#before?.atMs;
  }

  /**
   * Takes a sample of now.
   *
   * @param atMs  wall time; of an earlier slot than the newest nothing is taken, as after a clock that stepped back
   */
  record(atMs: number, counters: Counters, clock: ClockFigures): void {
    const slot = Math.floor(atMs / this.#slotMs);
    const before = this.#before;
    this.#before = { atMs, counters };
    // A clock that stepped far back begins anew: else nothing would be told for as long as it stepped.
    if (slot < this.#newest - 1) this.#clear();
    if (slot <= this.#newest) return;
    this.#advance(slot);
    this.#write('clockOffsetMs', clock.offsetMs);
    this.#write('clockDriftPpm', clock.driftPpm);
    const seconds = before === undefined ? 0 : (atMs - before.atMs) / 1_000;
    // Counters that fell are those of a new process; of a long silence nobody knows how it was spread.
    if (before === undefined || seconds <= 0 || seconds * 1_000 > 3 * this.#slotMs) return;
    if (counters.units < before.counters.units || counters.bytes < before.counters.bytes) return;
    this.#write('bitsPerSecond', ((counters.bytes - before.counters.bytes) * 8) / seconds);
    this.#write('framesPerSecond', (counters.units - before.counters.units) / seconds);
    this.#write('packetsLost', counters.packetsLost - before.counters.packetsLost);
  }

  /** The slots of a range that are known of, oldest first; null is not known. */
  between(beginMs: number, endMs: number): { readonly beginMs: number } & Record<FigureName, (number | null)[]> {
    const first = Math.max(this.#newest - this.#slots + 1, Math.floor(beginMs / this.#slotMs), 0);
    const last = Math.min(this.#newest, Math.floor(endMs / this.#slotMs));
    const read = (name: FigureName) =>
      Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => {
        const value = this.#columns[name][(first + i) % this.#slots] ?? Number.NaN;
        return Number.isNaN(value) ? null : value;
      });
    return {
      beginMs: first * this.#slotMs,
      bitsPerSecond: read('bitsPerSecond'),
      framesPerSecond: read('framesPerSecond'),
      packetsLost: read('packetsLost'),
      clockOffsetMs: read('clockOffsetMs'),
      clockDriftPpm: read('clockDriftPpm'),
    };
  }

  #advance(slot: number): void {
    if (slot - this.#newest >= this.#slots) this.#clear();
    else for (let skipped = this.#newest + 1; skipped <= slot; skipped++) this.#forget(skipped);
    this.#newest = slot;
  }

  #write(name: FigureName, value: number | undefined): void {
    this.#columns[name][this.#newest % this.#slots] = value ?? Number.NaN;
  }

  #forget(slot: number): void {
    for (const name of figureNames) this.#columns[name][slot % this.#slots] = Number.NaN;
  }

  #clear(): void {
    for (const name of figureNames) this.#columns[name].fill(Number.NaN);
    this.#newest = -1;
  }
}
