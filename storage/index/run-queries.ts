/** Runs as the index keeps them: once a run instead of once a segment. Parsed rows are cached, bounded, by their key. */

import type { Database } from 'better-sqlite3';
import { must } from '../base/assert.ts';
import type { Track } from '../model/track.ts';

export type Run = {
  readonly runId: string;
  readonly streamId: string;
  /** Why it began. */
  readonly reason: string;
  readonly startServerMs: number;
  readonly timecodeScaleNs: number;
  readonly tracks: readonly Track[];
  /** The producer's header bytes verbatim; empty for pulled cameras. */
  readonly producerHead: Uint8Array;
};

type RunRow = {
  run_id: string;
  stream_id: string;
  reason: string;
  start_server_ms: number;
  timecode_scale_ns: number;
  tracks: string;
  producer_head: Uint8Array;
};

/** A month of a camera that is well has few runs; 1,000 of 1 KB serve a few dozen bad ones. */
const cachedRunsMax = 1_000;

const select = `SELECT r.run_id, t.stream_id, r.reason, r.start_server_ms, r.timecode_scale_ns, r.tracks, r.producer_head
  FROM runs r JOIN streams t USING (stream_key)`;

export function runQueries(database: Database) {
  const byKey = database.prepare(`${select} WHERE r.run_key = ?`);
  const byId = database.prepare(`${select} WHERE r.run_id = ?`);
  const cache = new Map<number, Run>();
  return {
    byId: (runId: string): Run | undefined => {
      const row = byId.get(runId) as RunRow | undefined;
      return row === undefined ? undefined : rowToRun(row);
    },
    byKey: (runKey: number): Run => {
      const known = cache.get(runKey);
      if (known !== undefined) return known;
      const run = rowToRun(must(byKey.get(runKey), 'a segment row has its run row') as RunRow);
      if (cache.size >= cachedRunsMax) cache.clear();
      cache.set(runKey, run);
      return run;
    },
  };
}

/** Tracks as the column carries them: JSON, codec private data in base64. */
export function tracksToText(tracks: readonly Track[]): string {
  return JSON.stringify(
    tracks.map((track) => ({ ...track, codecPrivate: Buffer.from(track.codecPrivate).toString('base64') })),
  );
}

function textToTracks(text: string): readonly Track[] {
  const tracks = JSON.parse(text) as (Omit<Track, 'codecPrivate' | 'codecString'> & {
    codecPrivate: string;
    codecString?: string;
  })[];
  return tracks.map((track) => ({
    ...track,
    codecPrivate: new Uint8Array(Buffer.from(track.codecPrivate, 'base64')),
    codecString: track.codecString,
  }));
}

function rowToRun(row: RunRow): Run {
  return {
    runId: row.run_id,
    streamId: row.stream_id,
    reason: row.reason,
    startServerMs: row.start_server_ms,
    timecodeScaleNs: row.timecode_scale_ns,
    tracks: textToTracks(row.tracks),
    producerHead: row.producer_head,
  };
}
