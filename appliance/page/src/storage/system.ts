/** The appliance as `GET /api/system` tells it, and streams with what is stored of them. */

export type Problem = {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | null;
  readonly sinceMs?: number | null;
  readonly help?: string;
};

type Space = { readonly freeBytes: number; readonly totalBytes: number };
type Amount = { readonly segments: number; readonly bytes: number };

export type Keeper = {
  readonly isIndexOpen: boolean;
  readonly store: {
    readonly state: string;
    readonly message?: string;
    readonly hint?: string;
    readonly sinceMs?: number;
  };
  readonly clock: { readonly isTrusted: boolean; readonly reason?: string; readonly stepMs?: number };
  readonly backlog: Amount;
  readonly localFiles: Amount;
  readonly journalSpace?: Space | null;
  readonly storeSpace?: Space | null;
  readonly problems: readonly Problem[];
};

export type System = {
  readonly version: string;
  readonly timeZone: string;
  readonly storageBytesMax: number | null;
  readonly disks: readonly {
    readonly places: readonly string[];
    readonly path: string;
    readonly bytesTotal: number;
    readonly bytesFree: number;
  }[];
  readonly keeper: Keeper | null;
  readonly keeperFault: string | null;
  readonly roles: readonly {
    readonly role: string;
    readonly state: string;
    readonly sinceMs: number;
    readonly restarts: number;
    readonly memoryBytes: number | null;
    readonly reason: string | null;
  }[];
};

export type StoredStream = {
  readonly id: string;
  readonly name: string;
  readonly role: 'main' | 'sub';
  readonly cameraId: string;
  readonly cameraName: string | null;
  readonly createdMs: number;
  readonly isRemoved: boolean;
  readonly totals: {
    readonly segments: number;
    readonly bytes: number;
    readonly durationMs: number;
    readonly beginMs: number | null;
    readonly endMs: number | null;
  } | null;
};

/** What came of a stream lately, as `GET /api/streams/lately` tells it. */
export type LatelyStream = {
  readonly id: string;
  /** Of 24 hours, oldest first; the newest ended when it was asked. */
  readonly days: readonly {
    readonly beginMs: number;
    readonly endMs: number;
    readonly firstMs: number | null;
    /** Segments by what they are kept for. */
    readonly counts: {
      readonly continuous: number;
      readonly continuousMarked: number;
      readonly unmarked: number;
      readonly marked: number;
    };
  }[];
  /** Counted since then; null: of all these days. */
  readonly completeSinceMs: number | null;
  readonly heldSegments: number;
  readonly isHeldOnAndOn: boolean;
};
