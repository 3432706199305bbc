/** We are the edge agent of our own cameras: what it is told, and how that goes. */

export type { EdgeChange } from './carry-out.ts';
export { type EdgeDeps, edgeOperations } from './operations.ts';
export { EdgeSync, type SourceStates } from './sync.ts';
