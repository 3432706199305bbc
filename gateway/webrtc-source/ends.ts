/** How a WHIP publisher's session ends, in words that help at the site, and what `serve` is told of it. */

import { type AppError, appError } from '../../storage/base/errors.ts';
import type { SourceEnd } from '../rtsp/index.ts';

export const ends = {
  shutdown: { reason: 'shutdown', message: 'the session was ended by us', hint: 'nothing to do', isRetryable: false },
  closed: {
    reason: 'source-closed',
    message: 'the publisher ended its stream',
    hint: 'publish again from the browser or encoder',
    isRetryable: true,
  },
  lost: {
    reason: 'connection-lost',
    message: 'the connection to the publisher broke',
    hint: 'check the network between this server and the publisher',
    isRetryable: true,
  },
  serveGone: {
    reason: 'connection-lost',
    message: "this server's process that takes publishers ended",
    hint: 'the publisher comes back by itself, or is to publish again; if this goes on, look at the log',
    isRetryable: true,
  },
  replaced: {
    reason: 'connection-lost',
    message: 'another publisher took over from one that sent nothing more',
    hint: 'nothing to do, unless two publishers send to this camera',
    isRetryable: true,
  },
  silent: (message: string): SourceEnd => ({
    reason: 'source-silent',
    message,
    hint: 'look at the publisher: is its camera on, does its network hold what it sends?',
    isRetryable: true,
  }),
  unsupported: (what: string): SourceEnd => ({
    reason: 'unsupported-codec',
    message: `the publisher sends ${what}, which is not recorded`,
    hint: 'set it to H.264 and Opus',
    isRetryable: true,
  }),
  protocol: (message: string): SourceEnd => ({
    reason: 'protocol-error',
    message,
    hint: 'update the version of the browser or encoder; if this goes on, please report it',
    isRetryable: true,
  }),
} as const satisfies Record<string, SourceEnd | ((text: string) => SourceEnd)>;

/** The same for whoever sends on the publisher's behalf: what is `unavailable` may be tried again at once, `cancelled` when media comes again. */
export function endToError(end: SourceEnd): AppError {
  if (end === ends.shutdown) return appError('unavailable', 'the camera was changed, or recording ends');
  if (end === ends.replaced) return appError('already_exists', end.message);
  if (end.reason === 'source-silent') return appError('cancelled', end.message, { hint: end.hint });
  return appError('failed_precondition', end.message, { hint: end.hint });
}
