/** Works through a list with a bound of how many at once: an appliance and its cameras have other things to do too. */
export async function forEachAtOnce<T>(
  items: readonly T[],
  atOnceMax: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  await Promise.all(
    Array.from({ length: Math.min(atOnceMax, items.length) }, async () => {
      for (const item of waiting) await work(item);
    }),
  );
}
