/** What supervisor and roles say to each other, over the child process's own channel. Structured clones: bytes and undefined survive. */

import type { Plan } from '../../storage/model/camera.ts';
import type { Config } from '../config/index.ts';

/** Roles as processes. Of `ingest` there may be several; `demo` is the demo camera's own server, `onvif` runs when it is wanted. */
export type RoleKind = 'ingest' | 'keeper' | 'serve' | 'demo' | 'onvif';

/** What a role says of itself when it is asked for a sign of life. */
export type RoleFigures = {
  /** Resident memory, pages shared with other processes included. */
  readonly memoryBytes: number;
  /** How late the event loop ran, 99th percentile since the last sign of life. */
  readonly eventLoopDelayMsP99: number;
};

/** A process of the appliance as people see it. */
export type RoleState = {
  /** `ingest-0`, `keeper`, `serve`, `demo`, `onvif`. */
  readonly role: string;
  readonly state: 'starting' | 'running' | 'waiting' | 'stopped';
  readonly sinceMs: number;
  readonly restarts: number;
  readonly pid: number | undefined;
  /** Why it is not running, for a person. */
  readonly reason: string | undefined;
};

export type SupervisorMessage =
  /** The first message: a role does nothing before it. */
  | { readonly type: 'start'; readonly config: Config; readonly isDemo: boolean; readonly plan: Plan }
  /** To `ingest`: everything it has to do from now on. To the keeper: whose recordings are kept for how long. To `onvif`: its devices. */
  | { readonly type: 'plan'; readonly plan: Plan }
  /** To `serve`. */
  | { readonly type: 'roles'; readonly roles: readonly RoleState[] }
  /** To `serve`: the last figures of a role. Apart from its state, whose changes people are told about. */
  | { readonly type: 'figures'; readonly role: string; readonly figures: RoleFigures }
  /** To the keeper: this recording process ended, its open files are to be recovered. */
  | { readonly type: 'ingest-ended'; readonly name: string }
  | { readonly type: 'ping'; readonly id: number };

export type RoleMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'pong'; readonly id: number; readonly figures?: RoleFigures | undefined }
  /** From `serve`: `state/plan.json` was replaced. */
  | { readonly type: 'plan-changed' }
  /** From `serve`: it is about to ask the role `onvif`, which need not run yet. */
  | { readonly type: 'onvif-wanted' }
  /** Lines of its log, for the files that the supervisor keeps; `left` more were left out before them. */
  | { readonly type: 'log'; readonly lines: readonly string[]; readonly left: number }
  /** Something to be shown once at the terminal, and never logged: the first password. */
  | { readonly type: 'notice'; readonly lines: readonly string[] }
  /** Last words: why the process is about to end. */
  | { readonly type: 'failed'; readonly code: string; readonly message: string; readonly hint: string | undefined };
