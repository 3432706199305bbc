/** How long the space lasts, if all goes on as it did. Values in, values out. */

import type { StreamRate } from './stream-rate.ts';

/** One camera with all its streams. */
export type Flow = {
  readonly streams: readonly StreamRate[];
  /** Its own bound; null is none. */
  readonly bytesMax: number | null;
};

export type CameraForecast = {
  /** What it takes once its oldest footage is of age; infinity where a hold keeps all that comes. */
  readonly endBytes: number;
  /** So many days are kept, where its own bound is reached before its age; null: the age counts. */
  readonly daysByQuota: number | null;
  /** Until its own bound is reached; null: never. */
  readonly daysUntilQuota: number | null;
};

/** Bytes that a camera has now. */
export function storedBytesOf({ streams }: Flow): number {
  return sumOf(streams, ({ storedBytes }) => storedBytes);
}

/** What a camera adds each day to what is kept; undefined: not known yet. */
export function bytesPerDayOf({ streams }: Flow): number | undefined {
  if (!streams.every(({ isKnown }) => isKnown)) return undefined;
  return sumOf(streams, ({ parts }) => sumOf(parts, (part) => (part.isPreRoll ? 0 : part.bytesPerDay)));
}

export function cameraForecast(flow: Flow): CameraForecast {
  const { streams } = flow;
  const bytesMax = boundOf(flow);
  const endBytes = sumOf(streams, (stream) => levelOf(stream, Infinity));
  if (bytesMax === null || endBytes <= bytesMax || !streams.some(({ parts }) => parts.some(isAdding))) {
    return { endBytes, daysByQuota: null, daysUntilQuota: null };
  }
  const kept = (days: number) => sumOf(streams, (stream) => keptOf(stream, days) + stream.heldBytes);
  return {
    endBytes: bytesMax,
    daysByQuota: firstDay(kept, bytesMax),
    daysUntilQuota: firstDay((days) => sumOf(streams, (stream) => levelOf(stream, days)), bytesMax),
  };
}

/**
 * When all cameras together have taken `placeBytes`: each grows until it is what it ends at.
 *
 * @returns days from now; null when they never do
 */
export function daysUntilFull(flows: readonly Flow[], placeBytes: number): number | null {
  return firstDay(
    (days) =>
      sumOf(flows, (flow) => {
        const level = sumOf(flow.streams, (stream) => levelOf(stream, days));
        const bytesMax = boundOf(flow);
        return bytesMax === null ? level : Math.max(storedBytesOf(flow), Math.min(level, bytesMax));
      }),
    placeBytes,
  );
}

/** Nothing goes for a bound that a hold keeps. */
function boundOf({ streams, bytesMax }: Flow): number | null {
  const isEndless = streams.some(({ parts }) => parts.some((part) => isAdding(part) && part.days === Infinity));
  return isEndless ? null : bytesMax;
}

/** What a stream takes so many days from now. It never shrinks: what it has goes by age, and that may be kept longer by then. */
function levelOf(stream: StreamRate, days: number): number {
  const { storedBytes, heldBytes } = stream;
  const ageDays = Math.max(0, ...stream.parts.map((part) => part.days));
  const endBytes = Math.max(storedBytes, keptOf(stream, Infinity) + heldBytes);
  // As much goes as comes, but at the rate of then: a day changes it by what the rates differ.
  if (stream.isOfAge) return storedBytes + (endBytes - storedBytes) * Math.min(1, days / ageDays);
  const reach = firstDay((each) => keptOf(stream, each), storedBytes - heldBytes);
  if (reach === null) return endBytes;
  return Math.max(storedBytes, keptOf(stream, reach + days) + heldBytes);
}

/** What the newest so many days take, of that which is kept as long. */
function keptOf({ parts }: StreamRate, days: number): number {
  return sumOf(parts.filter(isAdding), (part) => part.bytesPerDay * Math.min(days, part.days));
}

function isAdding({ bytesPerDay }: { readonly bytesPerDay: number }): boolean {
  return bytesPerDay > 0;
}

/** When what never falls comes to be as much as that; null: it does not. */
function firstDay(level: (days: number) => number, bytes: number): number | null {
  if (level(0) >= bytes) return level(0) === bytes && level(Infinity) <= bytes ? null : 0;
  if (level(Infinity) <= bytes) return null;
  let after = 1;
  while (level(after) < bytes) after *= 2;
  let before = 0;
  for (let i = 0; i < 60; i++) {
    const middle = (before + after) / 2;
    if (level(middle) < bytes) before = middle;
    else after = middle;
  }
  return after;
}

function sumOf<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0);
}
