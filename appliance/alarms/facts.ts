/** What is known of the appliance at one moment, in plain values: what conditions are told from. */

import type { AlarmSubject } from '../../storage/catalog/index.ts';
import type { SourceState } from '../../storage/model/camera.ts';
import type { GapReason } from '../../storage/model/run.ts';

/** A camera as the catalog has it. */
export type CameraFacts = {
  readonly id: string;
  readonly name: string;
  /** 0: nobody wants to know how it is. */
  readonly isEnabled: boolean;
  readonly streams: readonly {
    readonly id: string;
    readonly role: string;
    /** A KVS producer sends it when it likes: that none does is no trouble. */
    readonly isUnbidden?: boolean;
    /** A publisher sends it, which connects to us. */
    readonly isPublished?: boolean;
    /** For how long its footage is to stay, hours; 0: it is not kept. */
    readonly keptHours: number;
  }[];
};

export type RoleFacts = {
  readonly role: string;
  readonly state: 'starting' | 'running' | 'waiting' | 'stopped';
  readonly reason?: string | undefined;
};

export type SpaceFacts = { readonly freeBytes: number; readonly totalBytes: number; readonly device: number };

/** The part of the keeper's state that conditions are told from; a newer keeper may know problems that we do not. */
export type KeeperFacts = {
  readonly problems: readonly { readonly code: string; readonly message: string; readonly hint?: string | undefined }[];
  readonly journalSpace: SpaceFacts | undefined;
  readonly storeSpace: SpaceFacts | undefined;
};

/** Seconds that a stream misses of the last day, and why most of them. */
export type GapFacts = { readonly missingMs: number; readonly reason: GapReason };

/** Footage that went for room before its age. */
export type ShortFacts = { readonly agedHours: number; readonly text: string };

/** Undefined is what nobody can tell just now. */
export type Facts = {
  readonly nowMs: number;
  readonly cameras: readonly CameraFacts[];
  /** Of streams whose recording process can be asked. */
  readonly states: ReadonlyMap<string, SourceState>;
  /** Recording processes and the keeper, and whether they can be reached. */
  readonly connections: readonly { readonly name: string; readonly isConnected: boolean }[];
  /** Empty when nobody supervises. */
  readonly roles: readonly RoleFacts[];
  /** Roles that were started again so often of late, by name. */
  readonly restarts: ReadonlyMap<string, number>;
  readonly keeper: KeeperFacts | undefined;
  /** Where the catalog lies. */
  readonly dataSpace: SpaceFacts | undefined;
  readonly certificate: { readonly notAfterMs: number; readonly isOwn: boolean } | undefined;
  /** Why the plan on disk is older than the catalog. */
  readonly planFailure: string | undefined;
  /** Why a worker of WebRTC does not run, where it will not come by itself soon. */
  readonly webrtcTrouble?: string | undefined;
  /** By stream. */
  readonly gaps: ReadonlyMap<string, GapFacts> | undefined;
  readonly short: ReadonlyMap<string, ShortFacts> | undefined;
  /** Seconds that a camera may miss a day before people are told. */
  readonly gapMsMax: number;
};

/** True when an alarm of this family and subject stands: leaving it takes more than entering it did. */
export type IsStanding = (family: string, subject: Pick<AlarmSubject, 'kind' | 'id'>) => boolean;
