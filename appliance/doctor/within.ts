/** Work with an end: what does not answer is given up, and whoever waits for it goes on. */

import type { Clock } from '../../storage/base/clock.ts';
import { appError } from '../../storage/base/errors.ts';

/**
 * Resolves or rejects as the work does, or rejects when the time is over; the work's signal aborts then, and what it still
 * does is nobody's business: the doctor's process ends soon.
 *
 * @throws AppError deadline_exceeded
 */
export async function within<T>(
  clock: Clock,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ending = new AbortController();
  const late = Promise.withResolvers<never>();
  const cancel = clock.after(timeoutMs, () => {
    ending.abort(new DOMException('too late', 'TimeoutError'));
    late.reject(appError('deadline_exceeded', `no answer within ${timeoutMs / 1000} s`));
  });
  const working = work(ending.signal);
  working.catch(() => {});
  try {
    return await Promise.race([working, late.promise]);
  } finally {
    cancel();
  }
}
