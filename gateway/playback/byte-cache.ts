/**
 * Keeps what was expensive to make, bounded by bytes, least recently used out first. Concurrent requests for one key share
 * one making; a failure is not kept.
 */

export type ByteCacheOptions<T> = {
  readonly bytesMax: number;
  readonly bytesOf: (value: T) => number;
};

export class ByteCache<T> {
  readonly #options: ByteCacheOptions<T>;
  /** In order of use, oldest first. */
  readonly #values = new Map<string, T>();
  readonly #making = new Map<string, Promise<T>>();
  #bytes = 0;

  constructor(options: ByteCacheOptions<T>) {
    this.#options = options;
  }

  /** Bytes held now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The kept value, or what `make` makes; while it is being made, others wait for the same. */
  get(key: string, make: () => Promise<T>): Promise<T> {
    const kept = this.#values.get(key);
    if (kept !== undefined) {
      this.#values.delete(key);
      this.#values.set(key, kept);
      return Promise.resolve(kept);
    }
    const running = this.#making.get(key);
    if (running !== undefined) return running;
    const made = make()
      .then((value) => {
        this.#keep(key, value);
        return value;
      })
      .finally(() => this.#making.delete(key));
    this.#making.set(key, made);
    return made;
  }

  #keep(key: string, value: T): void {
    const bytes = this.#options.bytesOf(value);
    if (bytes > this.#options.bytesMax) return;
    this.#values.set(key, value);
    this.#bytes += bytes;
    for (const [oldest, old] of this.#values) {
      if (this.#bytes <= this.#options.bytesMax) return;
      this.#values.delete(oldest);
      this.#bytes -= this.#options.bytesOf(old);
    }
  }
}
