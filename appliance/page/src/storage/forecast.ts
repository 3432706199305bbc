/** How long the space lasts at the present rate. Values in, values out. */

/** One camera, all its streams together. */
export type Flow = {
  readonly storedBytes: number;
  /** What it adds while it records; 0 while it does not. */
  readonly bytesPerDay: number;
  /** After so long its footage goes by age. */
  readonly days: number;
  /** Its own bound; null is none. */
  readonly bytesMax: number | null;
};

export type CameraForecast = {
  /** What it takes once its oldest footage is of age. */
  readonly endBytes: number;
  /** So many days are kept, where its own bound is reached before its age; null: the age counts. */
  readonly daysByQuota: number | null;
  /** Until its own bound is reached; null: never. */
  readonly daysUntilQuota: number | null;
};

export function cameraForecast({ storedBytes, bytesPerDay, days, bytesMax }: Flow): CameraForecast {
  const byAge = bytesPerDay === 0 ? storedBytes : bytesPerDay * days;
  if (bytesMax === null || byAge <= bytesMax || bytesPerDay === 0) {
    return { endBytes: byAge, daysByQuota: null, daysUntilQuota: null };
  }
  return {
    endBytes: bytesMax,
    daysByQuota: bytesMax / bytesPerDay,
    daysUntilQuota: Math.max(0, bytesMax - storedBytes) / bytesPerDay,
  };
}

/**
 * When all cameras together have taken `placeBytes`: each grows until it is what it ends at.
 *
 * @returns days from now; null when they never do
 */
export function daysUntilFull(flows: readonly Flow[], placeBytes: number): number | null {
  const grown = flows.map((flow) => {
    const { endBytes } = cameraForecast(flow);
    const days = flow.bytesPerDay === 0 ? 0 : Math.max(0, endBytes - flow.storedBytes) / flow.bytesPerDay;
    return { bytesPerDay: flow.bytesPerDay, days };
  });
  let room = placeBytes - flows.reduce((sum, flow) => sum + flow.storedBytes, 0);
  let passed = 0;
  // Between two cameras coming of age all grow evenly.
  for (const days of grown.map((one) => one.days).sort((a, b) => a - b)) {
    const growing = grown.filter((one) => one.days > passed).reduce((sum, one) => sum + one.bytesPerDay, 0);
    const needed = growing * (days - passed);
    if (needed > room) return passed + Math.max(0, room) / growing;
    room -= needed;
    passed = days;
  }
  return room < 0 ? 0 : null;
}
