/** How errors become exit codes, so that scripts can decide. The one table; `weir --help` prints it. */

import type { ErrorCode } from '../../storage/base/errors.ts';

export const exitCodes: Readonly<Record<ErrorCode, number>> = {
  internal: 1,
  invalid_argument: 2,
  not_found: 3,
  already_exists: 4,
  failed_precondition: 5,
  unauthenticated: 6,
  permission_denied: 6,
  resource_exhausted: 7,
  unavailable: 8,
  deadline_exceeded: 9,
  data_loss: 10,
  unimplemented: 11,
  cancelled: 130,
};

/** `weir apply --dry-run` found something to do: no error. */
export const somethingToDo = 20;

/** What the doctor found, which is no failure of the command. */
export const doctorExitCodes = { ok: 0, warning: 12, fault: 13 } as const;

/** What each code means, for people. */
export const exitCodeMeanings: readonly (readonly [code: number, meaning: string])[] = [
  [0, 'done'],
  [1, 'a fault of Weir itself'],
  [2, 'a mistake in the command, the environment or the configuration file'],
  [3, 'no such camera, user, key or file'],
  [4, 'it exists already'],
  [5, 'not possible in this state'],
  [6, 'not allowed'],
  [7, 'a limit is reached, or a disk is full'],
  [8, 'Weir or a camera cannot be reached'],
  [9, 'it took too long'],
  [10, 'stored recordings are damaged or missing (check), or a file could not be read to its end (import)'],
  [11, 'not available in this release'],
  [somethingToDo, 'apply --dry-run: there is something to do'],
  [12, 'doctor: something should be looked at soon'],
  [13, 'doctor: something is broken'],
  [130, 'stopped by a person'],
];
