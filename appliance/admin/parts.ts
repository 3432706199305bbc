/**
 * What `serve` needs of the other rooms, as narrow as it needs it: `roles/serve.ts` puts the real ones in. Each is declared here by
 * its reader; none is made here.
 */

import type { Registry } from 'prom-client';
import type { Imports } from '../../gateway/import/index.ts';
import type { KvsMeter, KvsOperations, SessionSource, SignalingHub } from '../../gateway/kvs/index.ts';
import type { Conversions, LiveSockets } from '../../gateway/playback/index.ts';
import type { MediaPlane } from '../../gateway/webrtc/index.ts';
import type { Clock } from '../../storage/base/clock.ts';
import type { Log } from '../../storage/base/log.ts';
import type { IndexReader, Span } from '../../storage/index/index.ts';
import type { CheckLevel, CheckProgress, CheckResult } from '../../storage/keeper/index.ts';
import type { LaneClient } from '../../storage/lane/index.ts';
import type { Plan, RtspSource } from '../../storage/model/camera.ts';
import type { Fragment } from '../../storage/model/fragment.ts';
import type { GapReason } from '../../storage/model/run.ts';
import type { Track } from '../../storage/model/track.ts';
import type { Diagnosis } from '../doctor/index.ts';
import type { SecretBox } from '../secrets/index.ts';
import type { LiveSessions } from './live-sessions.ts';
import type { OnvifPort } from './onvif-port.ts';
import type { PasswordHasher } from './passwords.ts';
import type { TaggedParts } from './tag-deliveries.ts';

/** Seals texts of one purpose under the site key, and opens them: `SiteKey` is one. */
export type SecretBoxes = {
  box(purpose: string): SecretBox;
  /** True when the text was sealed by a key before the newest. */
  isOutdated(sealed: string): boolean;
  /** Puts a new key in front, which every box uses at once; older ones still open. Returns its fingerprint. */
  rotate(): Promise<string>;
};

/** The certificate clients see, and the authority they are to trust. */
export type TlsMaterial = {
  readonly identity: () => { readonly key: string; readonly cert: string };
  /** PEM of our own authority; undefined when the site brought its certificate. */
  readonly authorityPem: () => string | undefined;
  /** Called when `identity` changed. Returns how to stop. */
  readonly onRenewed: (callback: () => void) => () => void;
};

/** The index as recordings are listed from it. Methods throw `unavailable` while it cannot be read. */
export type RecordingsIndex = Pick<
  IndexReader,
  | 'segmentsBetween'
  | 'gapsBetween'
  | 'completeness'
  | 'totalsOf'
  | 'totalsOfAll'
  | 'holdsOf'
  | 'eventsBetween'
  | 'eventRange'
  | 'snapshot'
>;

/** HLS of a stream: `Hls` of gateway/playback is one. */
export type HlsFiles = {
  /**
   * @param file     last part of the path: `master.m3u8` and what the playlists name
   * @param carried  appended to every URI of a playlist: how a player without cookies shows its token again
   * @param sub      the camera's sub stream, offered beside its main one
   * @param signal   aborts when the player is gone, which may be waiting for what comes next
   */
  get(request: {
    readonly streamId: string;
    readonly file: string;
    readonly query: Readonly<Record<string, string | undefined>>;
    readonly carried?: Readonly<Record<string, string | undefined>>;
    readonly sub?: { readonly streamId: string; readonly isRecorded: boolean } | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<{
    readonly contentType: string;
    readonly body: string | Uint8Array;
    /** The same URI gives the same bytes for ever; otherwise it must not be kept at all. */
    readonly isImmutable: boolean;
  }>;
};

/** MP4 files of ranges: `Clips` of gateway/playback is one. */
export type ClipFiles = {
  open(
    streamId: string,
    span: Span,
  ): Promise<{
    /** Known before a byte of it is made. */
    readonly byteLength: number;
    /** Changes when the bytes would; with its quotes. */
    readonly entityTag: string;
    /** `begin` inside, `end` outside. Ends when the iteration is given up. */
    read(range: { readonly begin: number; readonly end: number }): AsyncIterable<Uint8Array>;
  }>;
};

/** H.265 as H.264, for players that cannot decode it: `Conversions` of gateway/playback is one. */
export type VideoConversions = Pick<Conversions, 'get' | 'openClip'>;

/** Live streams over WebSockets: `LiveSockets` of gateway/playback is one. */
export type LiveViews = Pick<LiveSockets, 'add'>;

/** Whether there is WebRTC, and why not: `MediaPlane` of gateway/webrtc is one. */
export type MediaPlaneState = Pick<MediaPlane, 'status' | 'trouble' | 'figures'>;

/** JPEG pictures of a stream: `Images` of gateway/playback is one. */
export type Pictures = {
  live(streamId: string, options?: { readonly widthPixels?: number }): Promise<Picture>;
  at(
    streamId: string,
    timeMs: number,
    options?: { readonly widthPixels?: number; readonly choice?: 'before' | 'nearest' },
  ): Promise<Picture>;
};

type Picture = { readonly bytes: Uint8Array; readonly serverTimestampMs: number };

/** Files that become footage: `Imports` of gateway/import is one. */
export type FileImports = Pick<Imports, 'create' | 'list' | 'find' | 'cancel'>;

/** Fragments that are not in the index yet: `StreamReader` is one. */
export type NewestFragments = {
  fragmentsBetween(
    streamId: string,
    range: Span & { readonly limit?: number },
  ): Promise<readonly { readonly fragment: Fragment }[]>;
};

/** What trying a camera out showed. */
export type ProbeResult = {
  readonly tracks: readonly Track[];
  /** JPEG of its first key frame. */
  readonly picture: Uint8Array | undefined;
  readonly warnings: readonly string[];
  readonly fault: { readonly reason: GapReason; readonly message: string; readonly hint?: string } | undefined;
};

/** Connects to a camera as `ingest` would, and tells what came. */
export type Probe = (source: RtspSource, signal: AbortSignal) => Promise<ProbeResult>;

/** Looks at the appliance as a whole, in processes of their own. */
export type Examiner = {
  readonly doctor: (signal: AbortSignal) => Promise<Diagnosis & { readonly verdict: 'ok' | 'warning' | 'fault' }>;
  /** A tar archive, compressed. @throws AppError not_found  no such camera */
  readonly support: (
    wishes: { readonly camera: string | undefined; readonly traceMs: number; readonly areHostsMasked: boolean },
    signal: AbortSignal,
  ) => Promise<Uint8Array>;
  readonly check: (
    level: CheckLevel,
    options: { readonly signal: AbortSignal; readonly onProgress: (progress: CheckProgress) => void },
  ) => Promise<CheckResult>;
};

/** A process of the appliance as the supervisor sees it. */
export type RoleState = {
  readonly role: string;
  readonly state: 'starting' | 'running' | 'waiting' | 'stopped';
  readonly sinceMs: number;
  readonly restarts: number;
  readonly pid?: number | undefined;
  /** Why it is not running, for a person. */
  readonly reason?: string | undefined;
  /** As it last said, some seconds ago. */
  readonly figures?: { readonly memoryBytes: number; readonly eventLoopDelayMsP99: number } | undefined;
};

/** What the supervisor tells `serve`. */
export type Roles = {
  readonly list: () => readonly RoleState[];
  /** Called when one changed. Returns how to stop. */
  readonly onChange: (callback: () => void) => () => void;
};

export type ServeDeps = {
  readonly clock: Clock;
  readonly log: Log;
  /** Cryptographically random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  readonly secrets: SecretBoxes;
  readonly hasher: PasswordHasher;
  /** Undefined: plain HTTP only. */
  readonly tls: TlsMaterial | undefined;
  readonly index: RecordingsIndex;
  readonly newest: NewestFragments;
  readonly hls: HlsFiles;
  readonly clips: ClipFiles;
  readonly conversions: VideoConversions;
  readonly liveViews: LiveViews;
  /** Absent: there is no WebRTC. */
  readonly mediaPlane?: MediaPlaneState | undefined;
  /** Viewers and publishers by WebRTC; undefined where that is switched off. */
  readonly liveSessions?: LiveSessions | undefined;
  readonly pictures: Pictures;
  readonly imports: FileImports;
  readonly probe: Probe;
  readonly examiner: Examiner;
  readonly roles: Roles;
  /** Sockets of the `ingest` processes by name (`ingest-0`), and of the keeper. Started and closed by their owner. */
  readonly ingests: ReadonlyMap<string, LaneClient>;
  readonly keeper: LaneClient;
  /** Asks cameras over ONVIF, through the role of that name. */
  readonly onvif: OnvifPort;
  /** Operations of the KVS API on media, beside those on the catalog. */
  readonly kvsMedia: KvsOperations;
  /** Who is connected to which signalling channel. Started and closed by its owner. */
  readonly signaling: Pick<SignalingHub, 'requirePlace' | 'connect' | 'refresh'>;
  /** Fragments that streaming sessions of the KVS API play. */
  readonly kvsSource: SessionSource;
  /** Fragments with their tags; without it nothing is set off by them. */
  readonly tagged?: TaggedParts | undefined;
  /** What all of them count in. */
  readonly kvsMeter: KvsMeter;
  /** Metrics of this process. */
  readonly registry: Registry;
  /** What recording is to do from now on; told at the start and with every change, before it is written. */
  readonly onPlan?: (plan: Plan) => void;
  /** Called after the plan file changed: the supervisor is to read it. */
  readonly onPlanChanged: () => void;
};
