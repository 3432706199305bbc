/** Which parts work, told to anyone who asks: names and plain reasons, nothing of the site. */

import { isAppError } from '../../storage/base/errors.ts';
import type { KeeperPort } from './keeper-port.ts';
import type { RecordingsIndex } from './parts.ts';
import type { PlanWriter } from './plan-writer.ts';
import type { StateBoard } from './state-board.ts';

export type PartState = { readonly part: string; readonly isReady: boolean; readonly reason?: string };

/** What can be away while `serve` runs. */
type Parts = {
  readonly board: StateBoard;
  readonly index: RecordingsIndex;
  readonly keeper: KeeperPort;
  readonly plan: PlanWriter;
};

/** Parts in the order in which they matter to recordings. */
export function readiness({ board, index, keeper, plan }: Parts): PartState[] {
  const ingests = board.connections();
  return [
    part('catalog', undefined),
    part('plan', plan.failure === undefined ? undefined : 'the plan of what to record cannot be written'),
    ...ingests.map(({ name, isConnected }) => part(name, isConnected ? undefined : 'cannot be reached')),
    part('keeper', keeper.isConnected ? undefined : 'cannot be reached'),
    part('index', indexFault(index)),
  ];
}

function part(name: string, reason: string | undefined): PartState {
  return { part: name, isReady: reason === undefined, ...(reason === undefined ? {} : { reason }) };
}

function indexFault(index: RecordingsIndex): string | undefined {
  try {
    index.totalsOf('');
    return undefined;
  } catch (error) {
    return isAppError(error, 'unavailable') ? 'cannot be read just now' : 'cannot be read';
  }
}
