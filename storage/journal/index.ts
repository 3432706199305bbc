/** The journal: how fragments come to the disk, survive, and are found there again. See README.md. */

export { ByteBudget } from './byte-budget.ts';
export { Durability } from './durability.ts';
export { deadOpenDirectories, type OpenDirectory, openDirectories, openEpoch } from './epoch.ts';
export { type JournalFiles, systemFiles } from './journal-files.ts';
export { type JournalFile, listOpen, listStreams, namesIn, parseFileName } from './journal-listing.ts';
export { highestJournalCounter } from './known-counter.ts';
export { NumberAllocator } from './number-allocator.ts';
export { type RecoveredFile, type RecoverOptions, recoverOpenDirectory } from './recovery.ts';
export { readSegment, verifySegment } from './segment-read.ts';
export { packTable, parseTable, parseTrailer, trailerBytes } from './segment-record.ts';
export { parseCommitTags, readSegmentHead, runHeadOf, scanSegment } from './segment-scan.ts';
export { SegmentWriter } from './segment-writer.ts';
export type { FragmentCommit, SegmentWriterOptions } from './segment-writer-options.ts';
