/** What the parts of a check share. */

import type { Clock } from '../../base/clock.ts';
import { isAppError } from '../../base/errors.ts';
import type { IndexReader } from '../../index/index.ts';
import type { Paths } from '../../model/paths.ts';
import type { ObjectStore } from '../../objects/index.ts';
import type { CheckLevel, Finding } from './finding.ts';

/** What every part of a check works with. */
export type CheckContext = {
  readonly index: IndexReader;
  readonly store: ObjectStore;
  readonly paths: Paths;
  readonly clock: Clock;
  readonly level: CheckLevel;
  readonly signal: AbortSignal;
  /** Tells a finding. */
  readonly find: (finding: Finding) => void;
  /** Tells that one more thing was looked at. */
  readonly step: () => void;
};

/** Runs a part that needs the object store; without the store the part is skipped, and the result says so. */
export async function unlessAway<T>(skipped: string[], what: string, part: () => Promise<T>): Promise<T | undefined> {
  try {
    return await part();
  } catch (error) {
    if (!isAppError(error, 'unavailable')) throw error;
    skipped.push(`${what}: ${error.message}`);
    return undefined;
  }
}
