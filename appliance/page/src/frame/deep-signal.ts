/** A resource's value that changes in place: rows that stay the same keep their elements, pictures and half-typed notes. */

import type { Signal } from 'solid-js';
import { createStore, reconcile, unwrap } from 'solid-js/store';

/** For `createResource(..., { storage: createDeepSignal })`. Rows are told apart by their `id`. */
export function createDeepSignal<T>(first: T): Signal<T> {
  const [store, setStore] = createStore<{ value: T }>({ value: first });
  const write = (next: T | ((known: T) => T)) => {
    const value = typeof next === 'function' ? (next as (known: T) => T)(unwrap(store.value)) : next;
    setStore('value', reconcile(value));
    return store.value;
  };
  return [() => store.value, write] as Signal<T>;
}
