/** Who gives up a place where strangers have all of them: a few addresses, or many with one each, must not keep others out. Pure. */

/**
 * The oldest one of the group that has most places.
 *
 * @param places             those that can be given up, oldest first
 * @param groupOf            what the address of one counts as
 * @param options.newcomerHas  places that the newcomer's group has already
 * @returns  undefined where no group has more than the newcomer's: then it is the newcomer who goes
 */
export function placeToGiveUp<T>(
  places: Iterable<T>,
  groupOf: (place: T) => string,
  { newcomerHas }: { readonly newcomerHas: number },
): T | undefined {
  const byGroup = new Map<string, { readonly oldest: T; count: number }>();
  for (const place of places) {
    const group = groupOf(place);
    const known = byGroup.get(group);
    if (known === undefined) byGroup.set(group, { oldest: place, count: 1 });
    else known.count++;
  }
  let most: { readonly oldest: T; readonly count: number } | undefined;
  for (const one of byGroup.values()) if (one.count > (most?.count ?? newcomerHas)) most = one;
  return most?.oldest;
}
