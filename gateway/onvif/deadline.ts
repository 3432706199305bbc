/** A bound in time for work of several questions. */

import type { Clock } from '../../storage/base/clock.ts';
import { appError } from '../../storage/base/errors.ts';

/**
 * Does the work with a signal that aborts when the time is over, or when the given one does.
 * @throws AppError deadline_exceeded  the time was over first
 */
export async function withDeadline<T>(
  clock: Clock,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { timeoutMs, signal } = options;
  const controller = new AbortController();
  const cancel = clock.after(timeoutMs, () =>
    controller.abort(appError('deadline_exceeded', `the device needs more than ${timeoutMs / 1_000} s`)),
  );
  try {
    return await work(signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]));
  } finally {
    cancel();
  }
}
