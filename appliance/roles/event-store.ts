/** Events of cameras on their way to the keeper, which marks the footage: the store behind the outbox of the role `onvif`. */

import type { EventStore } from '../../gateway/onvif/index.ts';
import { appError, isAppError } from '../../storage/base/errors.ts';
import type { LaneClient } from '../../storage/lane/index.ts';
import { limits } from '../../storage/model/limits.ts';

/** A keeper that rebuilds or waits for a disk answers late; the outbox keeps what waits. */
const timeoutMs = 10_000;

/** @param dependencies.keeper  a started client of `keeper.sock` */
export function keeperEvents(dependencies: { readonly keeper: Pick<LaneClient, 'request'> }): EventStore {
  return {
    async put(range) {
      // A device may say for days that its picture is covered; the day that it began is marked.
      const endMs = range.endMs === null ? null : Math.min(range.endMs, range.beginMs + limits.eventRangeMsMax);
      try {
        await dependencies.keeper.request('event-put', { ...range, endMs }, { timeoutMs });
      } catch (error) {
        // Asked again it would be refused again, and hold up what waits behind it.
        if (!isAppError(error, 'not_found') && !isAppError(error, 'resource_exhausted')) throw error;
        throw appError('invalid_argument', error.message, { ...error.context, cause: error });
      }
    },
  };
}
