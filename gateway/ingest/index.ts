/** The `ingest` role: sources, hub, recorders and lanes. See ../README.md. */

export type { RtmpListenerOptions } from '../rtmp/index.ts';
export { Ingest, type IngestDeps, type IngestOptions } from './ingest.ts';
export type { SourceSession } from './source-runner.ts';
