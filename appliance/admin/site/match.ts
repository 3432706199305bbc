/** Which thing of the catalog each thing of a site file is, and what is left over. Pure. */

import { appError } from '../../../storage/base/errors.ts';
import type { ManagedKind, ManagedMark } from '../../../storage/catalog/index.ts';

/** A thing of the file: `key` is which one it is, `name` what people call it. */
export type Declared<Wanted> = { readonly key: string; readonly name: string; readonly wanted: Wanted };

/** A thing of the catalog. */
export type Existing = { readonly id: string; readonly name: string };

export type Match<Wanted, Item> = {
  readonly declared: Declared<Wanted>;
  /** Undefined: to be created. */
  readonly item: Item | undefined;
  /** Its mark is not that of this file and key yet. */
  readonly isAdopted: boolean;
};

export type Left<Item> = { readonly item: Item; readonly isHandMade: boolean };

export type Matched<Wanted, Item> = {
  readonly matches: readonly Match<Wanted, Item>[];
  /** To be removed. */
  readonly left: readonly Left<Item>[];
};

export type MatchOptions = {
  readonly kind: ManagedKind;
  readonly site: string;
  readonly marks: readonly ManagedMark[];
  /** Removes what was made by hand, too. */
  readonly isPruning: boolean;
  /** Takes over what another file manages, if this one names it. */
  readonly isTakingOver: boolean;
};

/**
 * By mark, else by name: a new key with the same name is the same thing, a new name with the same key as well. So a thing is
 * only taken for another one when both change at a time.
 *
 * @throws AppError invalid_argument     two things of the file have one name
 * @throws AppError failed_precondition  another file manages the thing
 * @throws AppError already_exists       something that is not in the file has the name
 */
export function matched<Wanted, Item extends Existing>(
  declared: readonly Declared<Wanted>[],
  items: readonly Item[],
  options: MatchOptions,
): Matched<Wanted, Item> {
  const { kind, site } = options;
  refuseTwins(declared, kind);
  const marks = new Map(options.marks.filter((mark) => mark.kind === kind).map((mark) => [mark.itemId, mark]));
  const keys = new Set(declared.map(({ key }) => key));
  const byKey = new Map<string, Item>();
  const byName = new Map<string, Item>();
  for (const item of items) {
    const mark = marks.get(item.id);
    if (mark?.site === site && keys.has(mark.key)) byKey.set(mark.key, item);
    else byName.set(folded(item.name), item);
  }
  const taken = new Set<Item>();
  const matches = declared.map((each): Match<Wanted, Item> => {
    const own = byKey.get(each.key);
    const item = own ?? byName.get(folded(each.name));
    if (item === undefined) return { declared: each, item, isAdopted: false };
    const mark = marks.get(item.id);
    if (own === undefined && mark !== undefined && mark.site !== site && !options.isTakingOver) {
      throw appError('failed_precondition', `${kind} ${each.name} is managed by the site file "${mark.site}"`, {
        field: fieldOf(kind, each.key),
        hint: 'take it out of that file, or take it over by --take-over',
      });
    }
    taken.add(item);
    return { declared: each, item, isAdopted: own === undefined };
  });
  const left = items.flatMap((item): (Left<Item> & { readonly isKept: boolean })[] => {
    if (taken.has(item)) return [];
    const mark = marks.get(item.id);
    return [
      { item, isHandMade: mark === undefined, isKept: mark === undefined ? !options.isPruning : mark.site !== site },
    ];
  });
  const kept = new Set(left.filter(({ isKept }) => isKept).map(({ item }) => folded(item.name)));
  const clash = declared.find(({ name }) => kept.has(folded(name)));
  if (clash !== undefined) {
    throw appError('already_exists', `another ${kind} is called "${clash.name}", and this file does not manage it`, {
      field: fieldOf(kind, clash.key),
      hint: 'give one of them another name',
    });
  }
  return { matches, left: left.filter(({ isKept }) => !isKept) };
}

/** Where a thing stands in the file: `cameras.gate`. */
export function fieldOf(kind: ManagedKind, key: string): string {
  return `${sections[kind]}.${key}`;
}

const sections: Readonly<Record<ManagedKind, string>> = {
  camera: 'cameras',
  policy: 'policies',
  user: 'users',
  webhook: 'webhooks',
  setting: 'settings',
};

/** Names are unique without regard to case, as in the catalog: SQLite's `nocase` knows ASCII alone. */
function folded(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function refuseTwins(declared: readonly Declared<unknown>[], kind: ManagedKind): void {
  const seen = new Map<string, string>();
  for (const { key, name } of declared) {
    const twin = seen.get(folded(name));
    if (twin !== undefined) {
      throw appError('invalid_argument', `${fieldOf(kind, twin)} and ${fieldOf(kind, key)} are both called "${name}"`, {
        field: fieldOf(kind, key),
      });
    }
    seen.set(folded(name), key);
  }
}
