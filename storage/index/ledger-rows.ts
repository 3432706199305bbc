/**
 * What the gap ledger remembers between two ticks of the keeper: how far each file was read, and per stream the lines that
 * may still change a gap row. Written in the same transaction as the gap rows, so that no line counts twice or not at all.
 */

import type { Database } from 'better-sqlite3';
import type { LedgerLine } from '../model/ledger.ts';

/** What ingest processes write, and what only the keeper can know. */
export type LedgerEvent =
  | LedgerLine
  /** The process that recorded the stream is gone without having said so. */
  | { readonly kind: 'process-ended'; readonly streamId: string; readonly atMs: number }
  /** By its schedule it was to be recorded, or no longer, from a moment on in which no process was there to say so. */
  | { readonly kind: 'scheduled'; readonly streamId: string; readonly atMs: number; readonly isWanted: boolean }
  /** The keeper itself did not run: most likely nothing did. */
  | { readonly kind: 'off'; readonly streamId: string; readonly beginMs: number; readonly endMs: number };

/** An event with the process that wrote it: `<ingest>.<epoch>`. */
export type LedgerEntry = { readonly process: string; readonly line: LedgerEvent };

export type LedgerStream = {
  readonly streamKey: number;
  readonly streamId: string;
  /** JSON of the state at `settledMs`; undefined before the stream's first line. */
  readonly state: string | undefined;
  readonly settledMs: number;
};

export type LedgerRows = ReturnType<typeof ledgerRows>;

export function ledgerRows(database: Database) {
  const cursor = database.prepare('SELECT byte_offset FROM ledger_cursors WHERE file = ?').pluck();
  const cursors = database.prepare('SELECT file FROM ledger_cursors').pluck();
  const setCursor = database.prepare(
    'INSERT INTO ledger_cursors (file, byte_offset) VALUES (?, ?) ON CONFLICT DO UPDATE SET byte_offset = excluded.byte_offset',
  );
  const dropCursor = database.prepare('DELETE FROM ledger_cursors WHERE file = ?');
  const addLine = database.prepare('INSERT INTO ledger_lines (stream_key, at_ms, process, line) VALUES (?, ?, ?, ?)');
  const linesOf = database.prepare(
    'SELECT line_id, process, line FROM ledger_lines WHERE stream_key = ? ORDER BY line_id',
  );
  const lastLineOf = database.prepare(
    'SELECT process, line FROM ledger_lines WHERE stream_key = ? ORDER BY line_id DESC LIMIT 1',
  );
  const dropLines = database.prepare('DELETE FROM ledger_lines WHERE stream_key = ? AND line_id <= ?');
  const streams = database.prepare(
    'SELECT stream_key, stream_id, ledger_state, ledger_settled_ms FROM streams ORDER BY stream_key',
  );
  const newest = database.prepare(
    'SELECT coalesce((SELECT max(gap_id) FROM gaps), 0) gapId, coalesce((SELECT max(pause_id) FROM pauses), 0) pauseId',
  );
  const settle = database.prepare('UPDATE streams SET ledger_state = ?, ledger_settled_ms = ? WHERE stream_key = ?');
  return {
    /** Bytes of a ledger file that were read; 0 for a new one. */
    cursorOf: (file: string): number => (cursor.get(file) as number | undefined) ?? 0,
    filesWithCursor: (): string[] => cursors.all() as string[],
    setCursor(file: string, byteOffset: number): void {
      setCursor.run(file, byteOffset);
    },
    dropCursor(file: string): void {
      dropCursor.run(file);
    },
    addLine(streamKey: number, entry: LedgerEntry): void {
      const atMs = 'atMs' in entry.line ? entry.line.atMs : entry.line.beginMs;
      addLine.run(streamKey, Math.floor(atMs), entry.process, JSON.stringify(entry.line));
    },
    linesOf: (streamKey: number): (LedgerEntry & { readonly lineId: number })[] =>
      (linesOf.all(streamKey) as { line_id: number; process: string; line: string }[]).map((row) => ({
        lineId: row.line_id,
        process: row.process,
        line: JSON.parse(row.line) as LedgerEvent,
      })),
    lastLineOf: (streamKey: number): LedgerEntry | undefined => {
      const row = lastLineOf.get(streamKey) as { process: string; line: string } | undefined;
      return row === undefined ? undefined : { process: row.process, line: JSON.parse(row.line) as LedgerEvent };
    },
    /** The highest ids that rows have: those of later rows are higher, as far as these are still there. */
    newestIds: (): { gapId: number; pauseId: number } => newest.get() as { gapId: number; pauseId: number },
    /** Everything before a moment is final: its lines go, their outcome stays as a state. */
    settle(
      streamKey: number,
      settled: { readonly state: string; readonly settledMs: number; readonly lineId: number },
    ): void {
      dropLines.run(streamKey, settled.lineId);
      settle.run(settled.state, Math.floor(settled.settledMs), streamKey);
    },
    streams: (): LedgerStream[] =>
      (
        streams.all() as {
          stream_key: number;
          stream_id: string;
          ledger_state: string | null;
          ledger_settled_ms: number;
        }[]
      ).map((row) => ({
        streamKey: row.stream_key,
        streamId: row.stream_id,
        state: row.ledger_state ?? undefined,
        settledMs: row.ledger_settled_ms,
      })),
  };
}
