/** Pieces of plans, so that a test names only what it is about. */

import type { Plan, PlannedSource, RecordingPolicy } from '../../storage/model/camera.ts';

/** Everything is recorded and kept for a day, unless said otherwise. */
export function recordingPolicy(facts: Partial<RecordingPolicy> = {}): RecordingPolicy {
  return {
    mode: 'continuous',
    retentionHours: 24,
    eventRetentionHours: facts.retentionHours ?? 24,
    preRollMinutes: 10,
    bytesMax: undefined,
    ...facts,
  };
}

/** A plan of these sources and no devices. */
export function planOfSources(...sources: PlannedSource[]): Plan {
  return { version: 2, sources, devices: [] };
}
