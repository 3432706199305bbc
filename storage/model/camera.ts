/** A camera, what it should do, and how it is doing. */

import type { GapReason } from './run.ts';

export type RtspTransport = 'tcp' | 'udp';

/** How one source is reached. Credentials are apart from the URL, so that a URL can be shown and logged. */
export type RtspSource = {
  readonly kind: 'rtsp';
  /** rtsp:// or rtsps://, without user and password. */
  readonly url: string;
  readonly transport: RtspTransport;
  readonly username?: string;
  readonly password?: string;
  /** rtsps: `verify` against the system's and site's authorities, `any` accepts self-signed certificates (said on the page). */
  readonly tls: 'verify' | 'any';
};

export type Source = RtspSource;

/** True when both are reached in the same way, so that a connection to one is a connection to the other. */
export function isSameSource(a: Source, b: Source): boolean {
  return (
    a.kind === b.kind &&
    a.url === b.url &&
    a.transport === b.transport &&
    a.username === b.username &&
    a.password === b.password &&
    a.tls === b.tls
  );
}

/** How a stream is kept. */
export type RecordingPolicy = {
  readonly isRecording: boolean;
  readonly retentionHours: number;
  /** Bytes this camera may hold; undefined for no bound of its own. */
  readonly bytesMax: number | undefined;
};

/** True for a stream that nobody wants recorded: `limits.ringDurationMs` are kept for live players, no rows, no upload, no gaps. */
export function isRing(recording: Pick<RecordingPolicy, 'isRecording' | 'retentionHours'>): boolean {
  return !recording.isRecording || recording.retentionHours === 0;
}

/** One line of what an `ingest` process has to do; kept as `state/plan.json` so that recording needs no database. */
export type PlannedSource = {
  readonly streamId: string;
  readonly cameraId: string;
  readonly name: string;
  readonly source: Source;
  readonly recording: RecordingPolicy;
  /** Rises whenever anything above changes; a source is restarted only when it is not the same (`isSameSource`). */
  readonly revision: number;
};

export type Plan = { readonly version: 1; readonly sources: readonly PlannedSource[] };

export type SourceStateName = 'idle' | 'connecting' | 'live' | 'retrying' | 'stopped';

/** What people see of a source: always a state, and when it is not well a reason and what to do. */
export type SourceState = {
  readonly streamId: string;
  readonly state: SourceStateName;
  /** Why it is not live; undefined while it is. */
  readonly reason: GapReason | undefined;
  /** Lower-case sentence with the facts, without credentials. */
  readonly message: string | undefined;
  /** What a person can do about it. */
  readonly hint: string | undefined;
  /** Since when this state holds, wall milliseconds. */
  readonly sinceMs: number;
  readonly attempts: number;
  readonly nextAttemptMs: number | undefined;
  readonly isRecording: boolean;
  readonly tracks: readonly { readonly number: number; readonly codec: string; readonly text: string }[];
  /** The camera's clock minus ours, milliseconds, from RTCP sender reports; undefined when it told nothing. */
  readonly clockOffsetMs: number | undefined;
  readonly clockDriftPpm: number | undefined;
  readonly runsLastHour: number;
  /** Things a person should know that do not stop recording ("restarts its stream every few minutes"). */
  readonly warnings: readonly string[];
};
