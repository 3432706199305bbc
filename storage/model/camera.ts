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

/** A publisher that sends to us with a stream key. */
export type RtmpSource = {
  readonly kind: 'rtmp';
  /** SHA-256 of the key, 64 lower-case hexadecimal digits. The key itself is shown once, when it is made, and stored nowhere. */
  readonly keySha256: string;
};

/** A publisher that sends to us by WebRTC (WHIP): a browser, OBS, GStreamer. `serve` takes its media and passes it on. */
export type WhipSource = {
  readonly kind: 'whip';
  /** As of `RtmpSource`: the key is the bearer token. */
  readonly keySha256: string;
};

/** Whoever has the stream key sends. */
export type PublisherSource = RtmpSource | WhipSource;

/** A KVS producer that sends by PutMedia: nothing is pulled, and nobody knows when it should send. Access keys say who may. */
export type KvsSource = { readonly kind: 'kvs' };

export type Source = RtspSource | PublisherSource | KvsSource;

/** Which of a camera's sources: `main` is what people look at and keep, `sub` the smaller picture of the same scene. */
export type SourceRole = 'main' | 'sub';

/** True for what is told by a stream key. */
export function isPublisher(source: { readonly kind: Source['kind'] }): source is PublisherSource {
  return source.kind === 'rtmp' || source.kind === 'whip';
}

/** True when both are reached in the same way, so that a connection to one is a connection to the other. */
export function isSameSource(a: Source, b: Source): boolean {
  if (a.kind === 'kvs' || b.kind === 'kvs') return a.kind === b.kind;
  if (isPublisher(a) || isPublisher(b)) {
    return isPublisher(a) && isPublisher(b) && a.kind === b.kind && a.keySha256 === b.keySha256;
  }
  return (
    a.url === b.url &&
    a.transport === b.transport &&
    a.username === b.username &&
    a.password === b.password &&
    a.tls === b.tls
  );
}

/**
 * What is kept of what arrives. `continuous`: everything, for `retentionHours`. `events`: everything at first, and after
 * `preRollMinutes` only what an event marks. `live`: a ring for live players, nothing is kept and nothing is a gap.
 */
export type RecordingMode = 'continuous' | 'events' | 'live';

/** Hours of the week in which another mode holds than the policy's own. */
export type WeeklySchedule = {
  /** IANA name: spans are wall-clock time there, so an hour that a clock change repeats counts twice, one that it skips never. */
  readonly timeZone: string;
  /** They do not overlap. A night is two spans, up to minute 1440 and from minute 0. */
  readonly spans: readonly ScheduleSpan[];
};

export type ScheduleSpan = {
  /** ISO 8601: 1 is Monday, 7 is Sunday. */
  readonly weekday: 1 | 2 | 3 | 4 | 5 | 6 | 7;
  /** 0 .. 1439, inclusive. */
  readonly beginMinute: number;
  /** 1 .. 1440, exclusive. */
  readonly endMinute: number;
  readonly mode: RecordingMode;
};

/** How a stream is kept. */
export type RecordingPolicy = {
  /** Outside of the schedule's spans, or always without one. */
  readonly mode: RecordingMode;
  readonly schedule?: WeeklySchedule | undefined;
  /** Age at which footage goes that mode `continuous` recorded and no event marks. Above 0. */
  readonly retentionHours: number;
  /** Age at which footage goes that an event marks, if it would not stay longer without. Above 0. */
  readonly eventRetentionHours: number;
  /** How long mode `events` keeps what no event marks (yet). */
  readonly preRollMinutes: number;
  /** Bytes that all streams of the camera together may hold; undefined for no bound of its own. */
  readonly bytesMax: number | undefined;
};

/** True for a stream that nobody ever wants recorded: `limits.ringDurationMs` are kept for live players, no rows, no upload, no gaps. */
export function isRing(recording: Pick<RecordingPolicy, 'mode' | 'schedule'>): boolean {
  return recording.mode === 'live' && (recording.schedule?.spans.every((span) => span.mode === 'live') ?? true);
}

/** One line of what an `ingest` process has to do; kept as `state/plan.json` so that recording needs no database. */
export type PlannedSource = {
  readonly streamId: string;
  readonly cameraId: string;
  readonly role: SourceRole;
  /** The camera's name. */
  readonly name: string;
  readonly source: Source;
  readonly recording: RecordingPolicy;
  /** `WARM`: of several stores the first passes it on at once. Absent: it stays there for its time. Nothing to who records. */
  readonly storageTier?: 'WARM';
  /** Rises whenever anything else above changes; a source is restarted only when it is not the same (`isSameSource`). */
  readonly revision: number;
};

/** A camera that speaks ONVIF, for the role of that name. */
export type PlannedDevice = {
  readonly cameraId: string;
  /** Of the main stream: what its events mark. */
  readonly streamId: string;
  /** The camera's name. */
  readonly name: string;
  /** Of its device service: http:// or https://, without user and password. */
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  /** https: `verify` against the system's and site's authorities, `any` accepts self-signed certificates. */
  readonly tls: 'verify' | 'any';
  /** The camera's revision, as in `PlannedSource`. */
  readonly revision: number;
};

export type Plan = {
  readonly version: 2;
  readonly sources: readonly PlannedSource[];
  readonly devices: readonly PlannedDevice[];
};

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
  /** Since when this state holds, wall milliseconds; `connecting` and `retrying` in turn count as one. */
  readonly sinceMs: number;
  readonly attempts: number;
  readonly nextAttemptMs: number | undefined;
  readonly isRecording: boolean;
  readonly tracks: readonly { readonly number: number; readonly codec: string; readonly text: string }[];
  /** The camera's clock minus ours, milliseconds, from RTCP sender reports; undefined when it told nothing. */
  readonly clockOffsetMs: number | undefined;
  readonly clockDriftPpm: number | undefined;
  /**
   * Of a sub source: how much later than the main one's the same instant lies in our server time, milliseconds, by the sender
   * reports of both; undefined for a main source, and while one of them tells no producer times.
   */
  readonly mainOffsetMs?: number | undefined;
  readonly runsLastHour: number;
  /** Things a person should know that do not stop recording ("restarts its stream every few minutes"). */
  readonly warnings: readonly string[];
  /** Why what arrives is not recorded although it should be; absent while it is. */
  readonly recordingFault?: { readonly reason: GapReason; readonly message: string } | undefined;
};
