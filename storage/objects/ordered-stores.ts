/**
 * Several stores as one, fastest first (SSD, HDD, S3): new objects go into the first, `storage/keeper/store-mover.ts` moves them
 * on by age, and a reader finds each wherever it is: where the index says, else in one after the other. So a reader whose
 * object moves under its hands reads on from the next store.
 */

import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { type AppError, appError, errnoOf, isAppError, toAppError } from '../base/errors.ts';
import { writeFileAtomic } from '../base/files.ts';
import type { ChangeOptions, NamedSpace, ObjectInfo, ObjectSpace, ObjectStore } from './object-store.ts';

/** A store that refused a deletion is not asked for another so soon. */
const awayMs = 300_000;

export type NamedStore = { readonly name: string; readonly store: ObjectStore };

/** Which store is which, in a file that outlives the index: a disk that is not mounted is told from one that is empty. */
export type StoreIdentities = {
  readonly path: string;
  /** The keeper alone makes stores that never were, and notes who they are. */
  readonly mayMake: boolean;
};

export class OrderedStores implements ObjectStore {
  readonly stores: readonly [NamedStore, ...NamedStore[]];
  readonly #clock: Clock;
  readonly #storeOf: (key: string) => string | undefined;
  readonly #identities: StoreIdentities | undefined;
  /** Stores that refused a deletion because they are away, and until when they are not asked for another. */
  readonly #awayUntilMs = new Map<string, number>();
  readonly #spaces = new Map<string, ObjectSpace & { readonly measuredMs: number }>();
  /** As it was last seen. */
  #firstIdentity: string | undefined;
  /** One look at a time: two that find no store would make two. */
  #looking: Promise<unknown> = Promise.resolve();

  /** @param options.storeOf  the name of the store that has an object, as far as it is known; may throw */
  constructor(
    dependencies: { readonly clock: Clock; readonly storeOf: (key: string) => string | undefined },
    options: { readonly stores: readonly [NamedStore, ...NamedStore[]]; readonly identities?: StoreIdentities },
  ) {
    this.#clock = dependencies.clock;
    this.#identities = options.identities;
    this.#storeOf = dependencies.storeOf;
    this.stores = options.stores;
  }

  /** The first store; the others are made when they are first needed. */
  start(): Promise<void> {
    return this.#first.start();
  }

  async close(): Promise<void> {
    for (const { store } of this.stores) await store.close();
  }

  /**
   * Makes sure that a later store is the one it was, or makes one that never was.
   * @throws AppError unavailable          it cannot be reached
   * @throws AppError failed_precondition  another disk or bucket is in its place, or it is one of the others by another name
   */
  assertSame(named: NamedStore): Promise<void> {
    const look = this.#looking.then(() => this.#look(named));
    this.#looking = look.catch(() => {});
    return look;
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
    for (const named of this.stores) {
      await this.#deleteIn(named, key, options).catch((error: unknown) => {
        failure ??= error;
      });
    }
    if (failure !== undefined) throw toAppError(failure);
  }

  /** Each key once, with what the first store that has it says. @throws AppError  as `assertSame`, of any store */
  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    for (const named of this.stores.slice(1)) await this.assertSame(named);
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

  /** Of the last store, as it was noted: what lies before it moves on when there is no room, and its disk must not hang others. */
  async space(): Promise<ObjectSpace | undefined> {
    return this.spaces().find(({ isLast }) => isLast);
  }

  spaces(): readonly NamedSpace[] {
    const last = this.stores.at(-1)?.name;
    return this.stores.flatMap(({ name }) => {
      const space = this.#spaces.get(name);
      return space === undefined ? [] : [{ ...space, store: name, isLast: name === last }];
    });
  }

  /** Who moves objects looks at the stores' room. */
  noteSpace(name: string, space: (ObjectSpace & { readonly measuredMs: number }) | undefined): void {
    if (space === undefined) this.#spaces.delete(name);
    else this.#spaces.set(name, space);
  }

  /** A store that is away costs one deadline and not one for each object. */
  async #deleteIn({ name, store }: NamedStore, key: string, options: ChangeOptions | undefined): Promise<void> {
    if (store === this.#first) return store.delete(key, options);
    if ((this.#awayUntilMs.get(name) ?? Number.NEGATIVE_INFINITY) > this.#clock.monotonicMs()) {
      throw appError('unavailable', 'an object store is away', { store: name, objectKey: key });
    }
    try {
      // Another disk has no such object and says so: the one that has it would keep it for ever.
      await this.#assertKnown({ name, store });
      await store.delete(key);
      this.#awayUntilMs.delete(name);
    } catch (error) {
      this.#awayUntilMs.set(name, this.#clock.monotonicMs() + awayMs);
      throw error;
    }
  }

  async #look({ name, store }: NamedStore): Promise<void> {
    if (this.#identities === undefined) return;
    const { path, mayMake } = this.#identities;
    const known = await readIdentities(path);
    const expected = known[name];
    if (expected === undefined && !mayMake) return;
    // Once: a disk that was unmounted since must not get a new mark.
    if (expected === undefined) await store.start();
    const identity = await store.identity();
    await this.#assertOnce(name, identity, known);
    if (identity === expected) return;
    if (expected !== undefined) throw anotherStore(name);
    await mkdir(dirname(path), { recursive: true });
    await writeFileAtomic(path, `${JSON.stringify({ ...known, [name]: identity })}\n`);
  }

  async #assertKnown({ name, store }: NamedStore): Promise<void> {
    if (this.#identities === undefined) return;
    const expected = (await readIdentities(this.#identities.path))[name];
    if (expected !== undefined && expected !== (await store.identity())) throw anotherStore(name);
  }

  /** A link, a second mount or another address of a server: what would move from it to itself would be deleted as its old copy. */
  async #assertOnce(name: string, identity: string, known: Readonly<Record<string, unknown>>): Promise<void> {
    this.#firstIdentity = await this.#first.identity().catch((error: unknown) => {
      if (this.#firstIdentity === undefined) throw error;
      return this.#firstIdentity;
    });
    const [first, ...later] = this.stores;
    const others = [
      { other: first.name, itsIdentity: this.#firstIdentity },
      ...later.map((each) => ({ other: each.name, itsIdentity: known[each.name] })),
    ];
    const twin = others.find(({ other, itsIdentity }) => other !== name && itsIdentity === identity);
    if (twin === undefined) return;
    throw appError('failed_precondition', `one store has two names: ${twin.other} and ${name}`, {
      store: name,
      hint: 'Give each store of objects.stores a directory or bucket of its own. Of a copied one, remove the file .weir-store.',
    });
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

function anotherStore(store: string): AppError {
  return appError('failed_precondition', 'this object store is not the one that was there before', {
    store,
    hint: 'Mount the disk that was there before. If it is gone for good, give the new one another name.',
  });
}

/** @throws AppError data_loss  the file is not what was written */
async function readIdentities(path: string): Promise<Readonly<Record<string, unknown>>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return {};
    throw toAppError(error);
  }
  try {
    const known: unknown = JSON.parse(text);
    if (typeof known === 'object' && known !== null) return { ...known };
  } catch {
    // As for any other that is not ours.
  }
  throw appError('data_loss', 'the file that knows the object stores is damaged', {
    path,
    hint: 'Mount all stores, remove the file and restart Weir.',
  });
}
