/**
 * Verifies the invariants of `storage/README.md` over a data directory, whether the appliance runs or not. It never writes.
 * Files and rows are in motion while it looks: what seems wrong is looked at again, in the order in which the keeper works,
 * before it is told.
 */

import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { IndexReader } from '../../index/index.ts';
import type { Paths } from '../../model/paths.ts';
import type { ObjectStore } from '../../objects/index.ts';
import { checkCoverage } from './check-coverage.ts';
import { checkJournal } from './check-journal.ts';
import { checkNumbers } from './check-numbers.ts';
import { checkObjects } from './check-objects.ts';
import { checkSegments } from './check-segments.ts';
import type { CheckContext } from './context.ts';
import type { CheckLevel, CheckProgress, CheckResult, Finding } from './finding.ts';

/**
 * Looks at everything once.
 *
 * @throws AppError unavailable  the index cannot be read
 * @throws the signal's reason   it was cancelled
 */
export async function check(
  dependencies: { readonly clock: Clock; readonly log: Log; readonly store: ObjectStore },
  options: {
    readonly paths: Paths;
    readonly level: CheckLevel;
    readonly signal?: AbortSignal;
    readonly onProgress?: (progress: CheckProgress) => void;
  },
): Promise<CheckResult> {
  const { clock, log, store } = dependencies;
  const { paths, level } = options;
  const index = new IndexReader({ clock, log }, { path: paths.index });
  const findings: Finding[] = [];
  const skipped: string[] = [];
  let done = 0;
  try {
    const rows = index.snapshot((queries) => queries.streams.segmentCount());
    const progress = () => options.onProgress?.({ done, total: Math.max(done, 2 * rows), findings: findings.length });
    const context: CheckContext = {
      index,
      store,
      paths,
      clock,
      level,
      signal: options.signal ?? new AbortController().signal,
      find: (finding) => findings.push(finding),
      step: () => {
        done++;
        if (done % 100 === 0) progress();
      },
    };
    const segments = await checkSegments(context, skipped);
    const objects = await checkObjects(context, skipped);
    const files = await checkJournal(context);
    await checkNumbers(context);
    await checkCoverage(context);
    progress();
    return { level, findings, segments, objects, files, skipped };
  } finally {
    await index.close();
  }
}
