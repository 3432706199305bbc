/** The REST API as the page uses it: types of its answers, one call function, one error. */

export type ApiFault = {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly field?: string;
};

export class ApiError extends Error {
  readonly fault: ApiFault;
  readonly status: number;

  constructor(status: number, fault: ApiFault) {
    super(fault.message);
    this.status = status;
    this.fault = fault;
  }
}

export type Session = {
  readonly subject: { readonly name: string; readonly role?: string; readonly mustChangePassword: boolean };
  readonly actions: readonly string[];
};

export type SourceState = {
  readonly streamId: string;
  readonly state: 'idle' | 'connecting' | 'live' | 'retrying' | 'stopped';
  readonly reason?: string | null;
  readonly message?: string | null;
  readonly hint?: string | null;
  readonly sinceMs: number;
  readonly nextAttemptMs?: number | null;
  readonly isRecording: boolean;
  readonly tracks: readonly { readonly number: number; readonly codec: string; readonly text: string }[];
  readonly clockOffsetMs?: number | null;
  readonly clockDriftPpm?: number | null;
  /** Of a sub source: how much later than in the main one the same instant lies. */
  readonly mainOffsetMs?: number | null;
  readonly warnings: readonly string[];
};

export type Camera = {
  readonly id: string;
  readonly name: string;
  readonly isEnabled: boolean;
  readonly revision: number;
  readonly source: CameraSource;
  readonly hasCredentials: boolean;
  readonly recording: Recording & { readonly bytesMax: number | null };
  readonly sub: {
    readonly source: CameraSource;
    readonly hasOwnCredentials: boolean;
    readonly recording: Recording;
    readonly state: SourceState | null;
  } | null;
  readonly onvif: { readonly url: string } | null;
  /** The main source's first. */
  readonly streams: readonly { readonly id: string; readonly name: string; readonly role: 'main' | 'sub' }[];
  /** The site file that manages it; null when it was made by hand. */
  readonly managedBy: string | null;
  readonly state: SourceState | null;
};

/** What adding or changing a camera answers. */
export type ChangedCamera = Camera & {
  /** Keys that were made just now: told once. */
  readonly streamKeys?: { readonly main?: string; readonly sub?: string };
};

export type RtspSource = {
  readonly kind: 'rtsp';
  readonly url: string;
  readonly transport: 'tcp' | 'udp';
  readonly tls: 'verify' | 'any';
};
/** `rtmp`, `whip`: it connects to us with a stream key; `kvs`: a producer sends it by PutMedia. */
export type CameraSource = RtspSource | { readonly kind: 'rtmp' | 'whip' } | { readonly kind: 'kvs' };

export type RecordingMode = 'continuous' | 'events' | 'live';
export type WeeklySchedule = {
  readonly timeZone: string;
  readonly spans: readonly {
    /** 1 is Monday. */
    readonly weekday: number;
    readonly beginMinute: number;
    readonly endMinute: number;
    readonly mode: RecordingMode;
  }[];
};
export type Recording = {
  readonly mode: RecordingMode;
  readonly schedule: WeeklySchedule | null;
  readonly retentionHours: number;
  /** Null: as the rest. */
  readonly eventRetentionHours: number | null;
  readonly preRollMinutes: number;
};

export type CameraInput = {
  readonly name: string;
  readonly source: CameraSource;
  readonly credentials?: { readonly username: string; readonly password: string } | null;
  readonly recording?: Partial<Recording & { readonly bytesMax: number | null }>;
  readonly onvif?: { readonly url: string; readonly tls?: 'verify' | 'any' } | null;
  readonly sub?: {
    readonly source: CameraSource;
    readonly credentials?: { readonly username: string; readonly password: string } | null;
    readonly recording?: Partial<Recording>;
  } | null;
  readonly isEnabled?: boolean;
};

export type TestResult = {
  readonly ok: boolean;
  readonly tracks: readonly { readonly number?: number; readonly codec: string; readonly text?: string }[];
  readonly picture?: string | null;
  readonly warnings: readonly string[];
  readonly fault?: { readonly reason: string; readonly message: string; readonly hint?: string } | null;
};

export type Span = { readonly beginMs: number; readonly endMs: number };
export type Gap = Span & {
  readonly reason: string;
  readonly text: string;
  readonly detail?: string | null;
  readonly help?: string;
};
/** Footage that is not there on purpose: `text` says why. */
export type Absence = Span & {
  readonly reason: string;
  readonly text: string;
  /** When the last of it was removed; of what was removed alone. */
  readonly removedMs?: number;
};
export type Timeline = {
  readonly spans: readonly Span[];
  readonly gaps: readonly Gap[];
  readonly removals: readonly Absence[];
  readonly pauses: readonly Absence[];
  readonly latestMs?: number | null;
};
export type Day = {
  readonly day: string;
  readonly recordedMs: number;
  readonly gapMs: number;
  readonly completeness: number | null;
};

/**
 * Calls the API. Answers are JSON or nothing.
 * @throws ApiError  the appliance refused, with words for a person; `unavailable` when it could not be reached
 */
export async function call<T>(
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(0, {
      code: 'unavailable',
      message: 'the appliance cannot be reached',
      hint: 'check the network and try again',
    });
  }
  if (response.status === 204) return undefined as T;
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok) return answer as T;
  const fault = (answer as { error?: ApiFault } | undefined)?.error;
  throw new ApiError(
    response.status,
    fault ?? { code: 'internal', message: `the appliance answered with status ${response.status}` },
  );
}

/** What to tell a person about anything that was thrown. */
export function faultOf(error: unknown): ApiFault {
  return error instanceof ApiError ? error.fault : { code: 'internal', message: String(error) };
}
