/** Keys of the small objects with which the doctor tries a store: put, read back, deleted. Whoever lists a store knows them by it. */

/** A probe ends within a minute; one that was killed leaves its object. */
const youngMs = 600_000;
const form = /^doctor\/(\d{1,16})-[0-9a-f]+$/;

/** @param probe.random  hexadecimal digits, so that two probes at the same time do not meet */
export function probeKey({ atMs, random }: { readonly atMs: number; readonly random: string }): string {
  return `doctor/${Math.floor(atMs)}-${random}`;
}

/** True for an object that a probe put just now, and takes away again. */
export function isYoungProbe(key: string, nowMs: number): boolean {
  const atMs = form.exec(key)?.[1];
  // The clock may have been set back since.
  return atMs !== undefined && Math.abs(nowMs - Number(atMs)) < youngMs;
}
