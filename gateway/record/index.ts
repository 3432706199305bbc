/** Recording: access units of a session become runs of fragments in the journal. See README.md. */

export type { DropReason, FragmentEnd, FragmentSink, FragmentStart, RunBegin } from './fragment-sink.ts';
export { Fragmenter } from './fragmenter.ts';
export { type JournalPlace, JournalPlaces, type PlaceFault } from './journal-places.ts';
export { type Ledger, LedgerFile, ledgerEpoch } from './ledger-file.ts';
export { Recorder, type RecorderDeps, type RecorderOptions } from './recorder.ts';
export { WallWatch } from './run-clock.ts';
