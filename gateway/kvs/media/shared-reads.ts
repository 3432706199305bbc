/** What several readers want at nearly the same time is read once. Bounded by bytes; what was used longest ago goes first. */

export class SharedReads<T> {
  readonly #bytesMax: number;
  readonly #sizeOf: (value: T) => number;
  /** Least recently used first; `bytes` is 0 while it is being read. */
  readonly #entries = new Map<string, { readonly value: Promise<T>; bytes: number }>();
  #bytes = 0;

  constructor(options: { readonly bytesMax: number; readonly sizeOf: (value: T) => number }) {
    this.#bytesMax = options.bytesMax;
    this.#sizeOf = options.sizeOf;
  }

  /** What this key stands for: nobody may change it. What fails is not kept. */
  get(key: string, read: () => Promise<T>): Promise<T> {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return known.value;
    }
    const entry = { value: read(), bytes: 0 };
    this.#entries.set(key, entry);
    entry.value.then(
      (value) => {
        if (this.#entries.get(key) === entry) this.#keep(entry, this.#sizeOf(value));
      },
      () => {
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
      },
    );
    return entry.value;
  }

  #keep(entry: { bytes: number }, bytes: number): void {
    entry.bytes = bytes;
    this.#bytes += bytes;
    for (const [key, oldest] of this.#entries) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#bytes -= oldest.bytes;
      this.#entries.delete(key);
    }
  }
}
