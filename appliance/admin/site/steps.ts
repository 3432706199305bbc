/** Steps of any kind of thing: what is created, changed, taken over and removed, once it is known which thing is which. Pure. */

import { appError, isAppError } from '../../../storage/base/errors.ts';
import type { ManagedKind } from '../../../storage/catalog/index.ts';
import { type Declared, fieldOf, type MatchOptions, matched } from './match.ts';
import type { StepOf } from './plan.ts';

/** Steps of one kind: what is created or changed as `build` says, and what is removed. */
export function stepsOf<Wanted, Item extends { readonly id: string; readonly name: string }, Step>(
  sides: {
    readonly declared: readonly Declared<Wanted>[];
    readonly items: readonly Item[];
    readonly options: MatchOptions;
  },
  build: (
    declared: Declared<Wanted>,
    item: Item | undefined,
  ) => { readonly changed: readonly string[]; readonly payload: Omit<Step, keyof StepOf<ManagedKind, object>> },
): Step[] {
  const { kind, marks, site } = sides.options;
  const keyOf = (itemId: string) =>
    marks.find((mark) => mark.kind === kind && mark.itemId === itemId && mark.site === site)?.key;
  const isMarked = (itemId: string) => marks.some((mark) => mark.kind === kind && mark.itemId === itemId);
  const { matches, left } = matched(sides.declared, sides.items, sides.options);
  const put = matches.flatMap(({ declared, item, isAdopted }): Step[] => {
    const { changed, payload } = within(kind, declared.key, () => build(declared, item));
    if (item !== undefined && changed.length === 0 && !isAdopted) return [];
    const action = item === undefined ? 'create' : changed.length === 0 ? 'adopt' : 'change';
    const { key, name } = declared;
    const isHandMade = item !== undefined && !isMarked(item.id);
    return [{ action, kind, key, name, changed, isHandMade, id: item?.id, ...payload } as Step];
  });
  const removed = left.map(({ item, isHandMade }) => {
    const { id, name } = item;
    return { action: 'remove', kind, key: keyOf(id) ?? name, name, changed: [], isHandMade, id } as Step;
  });
  return [...put, ...removed];
}

/** The things of a section with their keys; the name is the key where none is said. */
export function declaredOf<Wanted extends object>(items: Readonly<Record<string, Wanted>>): Declared<Wanted>[] {
  return Object.entries(items).map(([key, wanted]) => {
    const name = 'name' in wanted && typeof wanted.name === 'string' ? wanted.name : key;
    return { key, name, wanted };
  });
}

/** Names of the fields that are not as wanted. */
export function changedKeys(before: object, wanted: object): string[] {
  const old = before as Readonly<Record<string, unknown>>;
  return Object.entries(wanted).flatMap(([field, value]) =>
    JSON.stringify(old[field]) === JSON.stringify(value) ? [] : [field],
  );
}

/** A partial thing without what is not said of it. */
export function withoutUndefined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));
}

/** What is wrong with a thing says which one. */
export function within<T>(kind: ManagedKind, key: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!isAppError(error)) throw error;
    const place = fieldOf(kind, key);
    const { field } = error.context;
    const isPlaced = typeof field === 'string' && field.startsWith(`${place}.`);
    throw appError(error.code, isPlaced ? error.message : `${place}: ${error.message}`, {
      ...error.context,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      cause: error,
      field: isPlaced ? field : typeof field === 'string' ? `${place}.${field}` : place,
    });
  }
}
