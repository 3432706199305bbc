/** The `ingest` role: sources, hub, recorders and lanes. See ../README.md. */

export { Ingest, type IngestDeps, type IngestOptions } from './ingest.ts';
export type { SourceSession } from './source-runner.ts';
