/**
 * Several stores as one, fastest first (SSD, HDD, S3): new objects go into the first, `storage/keeper/store-mover.ts` moves them
 * on by age, and a reader finds each wherever it is: where the index says, else in one after the other. So a reader whose
 * object moves under its hands reads on from the next store.
 */

import { appError, isAppError, toAppError } from '../base/errors.ts';
import type { ChangeOptions, ObjectInfo, ObjectSpace, ObjectStore } from './object-store.ts';

export type NamedStore = { readonly name: string; readonly store: ObjectStore };

export class OrderedStores implements ObjectStore {
  readonly stores: readonly [NamedStore, ...NamedStore[]];
  readonly #storeOf: (key: string) => string | undefined;

  /** @param options.storeOf  the name of the store that has an object, as far as it is known; may throw */
  constructor(
    dependencies: { readonly storeOf: (key: string) => string | undefined },
    options: { readonly stores: readonly [NamedStore, ...NamedStore[]] },
  ) {
    this.#storeOf = dependencies.storeOf;
    this.stores = options.stores;
  }

  /** The first store; who moves objects starts the others. */
  start(): Promise<void> {
    return this.#first.start();
  }

  async close(): Promise<void> {
    for (const { store } of this.stores) await store.close();
  }

  /** Of the first store, which gets what is new. */
  identity(): Promise<string> {
    return this.#first.identity();
  }

  putFile(key: string, path: string, options?: ChangeOptions): Promise<void> {
    return this.#first.putFile(key, path, options);
  }

  /** The first store alone: what is stored into it waits for no other. */
  async sync(): Promise<void> {
    await this.#first.sync?.();
  }

  getRange(key: string, offset: number, length: number): Promise<Uint8Array> {
    return this.#find(key, (store) => store.getRange(key, offset, length));
  }

  /** Only where the index says so: a look at each disk would cost more than a copy, and hang with a dead one. */
  localPath(key: string): string | undefined {
    const name = this.#known(key);
    return name === undefined ? undefined : this.#named(name)?.localPath(key);
  }

  /** In every store: a crash while an object moves leaves two. */
  async delete(key: string, options?: ChangeOptions): Promise<void> {
    let failure: unknown;
    // Also those behind one that is away: what can give room gives it at once.
    for (const { store } of this.stores) {
      await store.delete(key, store === this.#first ? options : {}).catch((error: unknown) => {
        failure ??= error;
      });
    }
    if (failure !== undefined) throw toAppError(failure);
  }

  /** Each key once, with what the first store that has it says. */
  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    const walks = this.stores.map(({ store }) => store.list(prefix)[Symbol.asyncIterator]());
    try {
      const heads = await Promise.all(walks.map((walk) => walk.next()));
      for (;;) {
        let first: ObjectInfo | undefined;
        for (const { done, value } of heads) {
          if (!done && (first === undefined || value.key < first.key)) first = value;
        }
        if (first === undefined) return;
        yield first;
        for (const [i, head] of heads.entries()) {
          const walk = walks[i];
          if (!head.done && head.value.key === first.key && walk !== undefined) heads[i] = await walk.next();
        }
      }
    } finally {
      for (const walk of walks) await walk.return?.();
    }
  }

  async stat(key: string): Promise<ObjectInfo | undefined> {
    try {
      return await this.#find(key, async (store) => {
        const found = await store.stat(key);
        if (found === undefined) throw appError('not_found', 'no such object', { objectKey: key });
        return found;
      });
    } catch (error) {
      if (isAppError(error, 'not_found')) return undefined;
      throw error;
    }
  }

  /** Of the last store: what lies before it moves on when there is no room. */
  async space(): Promise<ObjectSpace | undefined> {
    return this.stores.at(-1)?.store.space();
  }

  get #first(): ObjectStore {
    return this.stores[0].store;
  }

  #named(name: string): ObjectStore | undefined {
    return this.stores.find((each) => each.name === name)?.store;
  }

  #known(key: string): string | undefined {
    try {
      return this.#storeOf(key);
    } catch {
      // The index is away: one after the other, then.
      return undefined;
    }
  }

  /** Asks where the object should be, then everywhere else. A store that is away is told of only when no other has it. */
  async #find<T>(key: string, ask: (store: ObjectStore) => Promise<T>): Promise<T> {
    const name = this.#known(key);
    const inOrder = [...this.stores].sort((a, b) => Number(b.name === name) - Number(a.name === name));
    let missing: unknown;
    let failure: unknown;
    for (const { store } of inOrder) {
      try {
        return await ask(store);
      } catch (error) {
        if (isAppError(error, 'invalid_argument') || isAppError(error, 'resource_exhausted')) throw error;
        if (isAppError(error, 'not_found')) missing ??= error;
        else failure ??= error;
      }
    }
    throw toAppError(failure ?? missing);
  }
}
