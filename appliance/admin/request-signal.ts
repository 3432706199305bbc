/** Aborts work whose client is gone. */

import type { FastifyReply } from 'fastify';
import type { Clock } from '../../storage/base/clock.ts';
import { appError } from '../../storage/base/errors.ts';

/** A signal that aborts when the client leaves before its answer, or after `timeoutMs`. */
export function requestSignal(
  reply: FastifyReply,
  timeout?: { readonly clock: Clock; readonly timeoutMs: number },
): AbortSignal {
  const controller = new AbortController();
  const cancel = timeout?.clock.after(timeout.timeoutMs, () =>
    controller.abort(appError('deadline_exceeded', `it took longer than ${timeout.timeoutMs / 1000} s`)),
  );
  reply.raw.once('close', () => {
    cancel?.();
    if (!reply.raw.writableFinished) controller.abort(appError('cancelled', 'the client left'));
  });
  return controller.signal;
}
