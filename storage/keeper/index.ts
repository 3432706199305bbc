/** The door of the keeper. */

export { check } from './check/check.ts';
export { type CheckLevel, type CheckProgress, type CheckResult, checkLevels, type Finding } from './check/finding.ts';
export { Keeper, type KeeperDependencies, type KeeperOptions } from './keeper.ts';
export type { KeeperProblem, KeeperState } from './keeper-state.ts';
export { registerKeeperMetrics } from './metrics.ts';
export { type RebuildResult, rebuildIndex } from './rebuild-index.ts';
export { type KeeperRequests, keeperRequests } from './requests.ts';
export { StoreMover, type StorePlan } from './store-mover.ts';
