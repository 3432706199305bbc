/** Small facts the keeper must find again, and the policies of the newest plan. */

import type { Database } from 'better-sqlite3';
import type { RecordingPolicy } from '../model/camera.ts';

/** Names of facts and what their JSON is. */
export type KeeperFacts = {
  /** Identity of the object store that holds the objects of the rows. */
  readonly 'store-id': string;
  /** Wall time at which the keeper was last known to be alive. */
  readonly 'alive-ms': number;
  /** The index is being filled from files and objects; null when it is whole. */
  readonly rebuild: {
    readonly reason: string;
    readonly movedTo: string | null;
    readonly sinceMs: number;
    /** Begin of the newest segment that only objects told of: what was recorded before the index was lost. */
    readonly newestMs?: number;
    /** It is not known whether the clock was in doubt. */
    readonly isDoubtLost?: boolean;
  } | null;
  /** Why age retention stands still; null when the clock is trusted. */
  readonly 'clock-doubt': { readonly reason: string; readonly sinceMs: number; readonly stepMs: number } | null;
  /** When a person last confirmed the clock, and the last row then: times of older rows say nothing of the clock. */
  readonly 'clock-confirmed': { readonly atMs: number; readonly segmentId: number } | null;
};

/** How a stream is recorded, and how long and how much it may hold, as the newest plan said. */
export type StreamPolicy = {
  readonly streamId: string;
  readonly cameraId: string | undefined;
  /** Undefined: no plan named the stream yet, so nothing of it is removed by age. */
  readonly retentionHours: number | undefined;
  /** Undefined: as the rest. */
  readonly eventRetentionHours: number | undefined;
  readonly preRollMinutes: number | undefined;
  /** Undefined: no plan said it yet. */
  readonly recording: Pick<RecordingPolicy, 'mode' | 'schedule'> | undefined;
  /** Since when `recording` holds, wall milliseconds; 0: as long as the stream is known. */
  readonly recordingSinceMs: number;
  readonly cameraBytesMax: number | undefined;
};

type PolicyRow = {
  stream_id: string;
  camera_id: string | null;
  retention_hours: number | null;
  event_retention_hours: number | null;
  pre_roll_minutes: number | null;
  recording: string | null;
  recording_since_ms: number;
  camera_bytes_max: number | null;
};

export type StateRows = ReturnType<typeof stateRows>;

export function stateRows(database: Database) {
  const read = database.prepare('SELECT value FROM keeper_state WHERE name = ?').pluck();
  const write = database.prepare(
    'INSERT INTO keeper_state (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  );
  const policies = database.prepare(
    `SELECT stream_id, camera_id, retention_hours, event_retention_hours, pre_roll_minutes, recording, recording_since_ms,
      camera_bytes_max FROM streams`,
  );
  const setPolicy = database.prepare(
    `INSERT INTO streams (stream_id, camera_id, retention_hours, event_retention_hours, pre_roll_minutes, recording,
      recording_since_ms, camera_bytes_max)
      VALUES (@streamId, @cameraId, @retentionHours, @eventRetentionHours, @preRollMinutes, @recording, @recordingSinceMs,
      @cameraBytesMax) ON CONFLICT (stream_id) DO UPDATE SET
      camera_id = excluded.camera_id, retention_hours = excluded.retention_hours,
      event_retention_hours = excluded.event_retention_hours, pre_roll_minutes = excluded.pre_roll_minutes,
      recording = excluded.recording, recording_since_ms = excluded.recording_since_ms,
      camera_bytes_max = excluded.camera_bytes_max`,
  );
  return {
    get<Name extends keyof KeeperFacts>(name: Name): KeeperFacts[Name] | undefined {
      const value = read.get(name) as string | undefined;
      return value === undefined ? undefined : (JSON.parse(value) as KeeperFacts[Name]);
    },
    set<Name extends keyof KeeperFacts>(name: Name, value: KeeperFacts[Name]): void {
      write.run(name, JSON.stringify(value));
    },
    /** Policies of all streams, those of removed cameras as they last were. */
    policies: (): StreamPolicy[] =>
      (policies.all() as PolicyRow[]).map((row) => ({
        streamId: row.stream_id,
        cameraId: row.camera_id ?? undefined,
        retentionHours: row.retention_hours ?? undefined,
        eventRetentionHours: row.event_retention_hours ?? undefined,
        preRollMinutes: row.pre_roll_minutes ?? undefined,
        recording: row.recording === null ? undefined : (JSON.parse(row.recording) as StreamPolicy['recording']),
        recordingSinceMs: row.recording_since_ms,
        cameraBytesMax: row.camera_bytes_max ?? undefined,
      })),
    setPolicy(policy: StreamPolicy): void {
      setPolicy.run({
        streamId: policy.streamId,
        cameraId: policy.cameraId ?? null,
        retentionHours: policy.retentionHours ?? null,
        eventRetentionHours: policy.eventRetentionHours ?? null,
        preRollMinutes: policy.preRollMinutes ?? null,
        recording: policy.recording === undefined ? null : JSON.stringify(policy.recording),
        recordingSinceMs: policy.recordingSinceMs,
        cameraBytesMax: policy.cameraBytesMax ?? null,
      });
    },
  };
}
