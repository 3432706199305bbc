/** A producer as the SDKs are: it keeps what it was not told to be persisted, and sends it again on the next connection. */

import { type Cluster, cluster, fragment, head } from './producer-media.ts';
import type { RawProducer } from './raw-producer.ts';
import { until } from './until.ts';

export class BufferingProducer {
  readonly #open: () => Promise<RawProducer>;
  readonly #fragmentOf: (index: number) => Cluster;
  readonly #fragmentMs: number;
  /** Told to be persisted, by timecode. */
  readonly persisted = new Map<number, Buffer>();
  /** Everything that was ever sent whole. */
  readonly sent = new Map<number, Buffer>();
  readonly errors: number[] = [];
  connections = 0;
  #next = 0;
  #isOver = false;
  #running: Promise<void> | undefined;

  constructor(
    dependencies: { readonly open: () => Promise<RawProducer>; readonly fragmentOf: (index: number) => Cluster },
    options: { readonly fragmentMs: number },
  ) {
    this.#open = dependencies.open;
    this.#fragmentOf = dependencies.fragmentOf;
    this.#fragmentMs = options.fragmentMs;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Sends no more, and waits until everything that was sent is persisted. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  get #isDone(): boolean {
    return this.#isOver && this.#waiting.length === 0;
  }

  get #waiting(): number[] {
    return Array.from({ length: this.#next }, (_, index) => index).filter(
      (index) => !this.persisted.has(this.#fragmentOf(index).timecode),
    );
  }

  async #run(): Promise<void> {
    while (!this.#isDone) {
      try {
        await this.#connect();
      } catch {
        await pause(50);
      }
    }
  }

  async #connect(): Promise<void> {
    const producer = await this.#open();
    try {
      await until('an answer', () => producer.status !== undefined || producer.isEnded);
      if (producer.status !== 200) throw new Error(producer.text);
      this.connections++;
      await producer.send(head());
      for (let index = this.#waiting[0] ?? this.#next; !this.#isOver || index < this.#next; index++) {
        if (this.#isOver && index >= this.#next) break;
        const next = this.#fragmentOf(index);
        const bytes = fragment(next);
        // In pieces, so that one is cut wherever the other end dies.
        for (let at = 0; at < bytes.length; at += 20_000) {
          await producer.send(bytes.subarray(at, at + 20_000));
          this.#note(producer);
          if (producer.isEnded || producer.told('ERROR').length > 0) return;
        }
        this.sent.set(next.timecode, cluster(next));
        this.#next = Math.max(this.#next, index + 1);
        await pause(this.#fragmentMs);
      }
      producer.end();
      await until('the answer has ended', () => producer.isEnded);
    } finally {
      this.#note(producer);
      producer.socket.destroy();
    }
  }

  #note(producer: RawProducer): void {
    for (const { FragmentTimecode = 0 } of producer.told('PERSISTED')) {
      if (!this.persisted.has(FragmentTimecode)) {
        this.persisted.set(FragmentTimecode, this.sent.get(FragmentTimecode) ?? Buffer.alloc(0));
      }
    }
    for (const { ErrorId = 0 } of producer.told('ERROR')) this.errors.push(ErrorId);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
