/** The camera's clock against ours, from its sender reports: offset at the newest, drift by regression over the last ones. */

/** Reports kept: five minutes at the usual one in five seconds. */
const samplesMax = 64;
const spanMsMin = 60_000;
/** A report that is off the line by more than this means that the camera's clock was set. */
const stepMsMin = 1_000;
const plausibleEpochMs = Date.UTC(2000, 0, 1);

type Sample = { readonly monotonicMs: number; readonly aheadMs: number };

export type ClockEstimate = { readonly offsetMs: number; readonly driftPpm: number | undefined };

export class ProducerClock {
  #samples: Sample[] = [];

  /**
   * Takes one sender report; undefined while the camera's clock is not set at all (1900, 1970).
   *
   * @param ntpMs  the camera's wall time in it
   * @param wallMs, monotonicMs  ours when it came
   */
  report(ntpMs: number, wallMs: number, monotonicMs: number): ClockEstimate | undefined {
    if (ntpMs < plausibleEpochMs) return undefined;
    const aheadMs = ntpMs - monotonicMs;
    const last = this.#samples.at(-1);
    if (last !== undefined && Math.abs(aheadMs - last.aheadMs) > stepMsMin) this.#samples = [];
    this.#samples.push({ monotonicMs, aheadMs });
    if (this.#samples.length > samplesMax) this.#samples.shift();
    return { offsetMs: ntpMs - wallMs, driftPpm: this.#driftPpm() };
  }

  /** Slope of a least-squares line, in millionths. */
  #driftPpm(): number | undefined {
    const samples = this.#samples;
    const [first, last] = [samples[0], samples.at(-1)];
    if (first === undefined || last === undefined || last.monotonicMs - first.monotonicMs < spanMsMin) return undefined;
    const meanX = samples.reduce((sum, sample) => sum + sample.monotonicMs, 0) / samples.length;
    const meanY = samples.reduce((sum, sample) => sum + sample.aheadMs, 0) / samples.length;
    let [above, below] = [0, 0];
    for (const { monotonicMs, aheadMs } of samples) {
      above += (monotonicMs - meanX) * (aheadMs - meanY);
      below += (monotonicMs - meanX) ** 2;
    }
    return below === 0 ? undefined : (above / below) * 1_000_000;
  }
}
