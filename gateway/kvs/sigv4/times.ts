/** Times of signatures: reading them, and whether they are now. The wording of refusals is AWS's: native clients look for it. */

import { awsError } from '../errors.ts';
import { kvsLimits } from '../limits.ts';

const minuteMs = 60_000;

/** `20150830T123600Z`, or a `Date` header's form; undefined when it is neither. Milliseconds since 1970. */
export function readTime(text: string): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text)?.slice(1).map(Number);
  if (parts !== undefined) {
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
    const ms = Date.UTC(year, month - 1, day, hour, minute, second);
    // February 30th would become March.
    return basicTime(ms) === text ? ms : undefined;
  }
  if (!/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** `20150830T123600Z`. */
export function basicTime(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

/**
 * @param times.expiresS  how long a presigned URL is good; undefined for what is signed by header
 * @throws AppError InvalidSignatureException  too old, or from the future
 */
export function requireCurrent(times: {
  readonly signedMs: number;
  readonly nowMs: number;
  readonly expiresS: number | undefined;
}): void {
  const { signedMs, nowMs, expiresS } = times;
  const skewMs = kvsLimits.clockSkewMsMax;
  const lifeMs = expiresS === undefined ? skewMs : expiresS * 1000;
  if (nowMs - signedMs > lifeMs) {
    throw awsError(
      'InvalidSignatureException',
      `Signature expired: ${basicTime(signedMs)} is now earlier than ${basicTime(nowMs - lifeMs)} (${basicTime(nowMs)} - ${spanText(lifeMs)}.)`,
    );
  }
  if (signedMs - nowMs > skewMs) {
    throw awsError(
      'InvalidSignatureException',
      `Signature not yet current: ${basicTime(signedMs)} is still later than ${basicTime(nowMs + skewMs)} (${basicTime(nowMs)} + ${spanText(skewMs)}.)`,
    );
  }
}

function spanText(ms: number): string {
  return ms % minuteMs === 0 ? `${ms / minuteMs} min` : `${ms / 1000} sec`;
}
