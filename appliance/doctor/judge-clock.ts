/** Judges the clock of the machine. Facts in, verdicts out. */

import { type Finding, verdictsOf } from './finding.ts';

export type ClockFacts = {
  readonly nowMs: number;
  /** What told whether it is set by NTP: 'systemd-timesyncd', 'chrony'; undefined when nothing could be asked. */
  readonly teller: string | undefined;
  readonly isSynchronised: boolean | undefined;
  /** End of the newest footage by our index; undefined without one. */
  readonly newestFootageMs: number | undefined;
};

/** This release is from later: a clock before it is wrong for sure. */
const earliestMs = Date.UTC(2025, 0, 1);
/** Footage ends in the past; segments are filed by the clock of their time. */
const aheadMsMax = 10_000;

export function judgeClock({ nowMs, teller, isSynchronised, newestFootageMs }: ClockFacts): Finding[] {
  const verdicts = verdictsOf('clock', 'this machine');
  const found: Finding[] = [];
  if (nowMs < earliestMs) {
    const text = `it says ${iso(nowMs)}, before this release was made`;
    found.push(...verdicts.fault('clock-doubt', text, 'set it (timedatectl set-time), and switch NTP on'));
  } else if (newestFootageMs !== undefined && newestFootageMs > nowMs + aheadMsMax) {
    const seconds = Math.round((newestFootageMs - nowMs) / 1000);
    found.push(
      ...verdicts.fault(
        'clock-doubt',
        `it says ${iso(nowMs)}, and the newest footage ends ${seconds} s later: it was set back, or was ahead before`,
        'see which of both is right; when it is this clock, confirm it on the system page: retention by age goes on then',
      ),
    );
  }
  if (isSynchronised === false) {
    found.push(
      ...verdicts.warning(
        'clock-unsynchronised',
        `it is not set by a time server (${teller} says so)`,
        'timedatectl set-ntp true; without internet name a time server of the site',
      ),
    );
  }
  if (found.length > 0) return found;
  if (isSynchronised === undefined) return verdicts.unchecked('nothing here tells whether it is set by a time server');
  return verdicts.ok(`set by a time server (${teller})`);
}

export function iso(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).concat('Z');
}
