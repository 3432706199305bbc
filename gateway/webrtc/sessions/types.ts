/** What those who hold sessions are told and ask. */

import type { AppError } from '../../../storage/base/errors.ts';

export type SessionKind = 'viewer' | 'publisher';

/** Why a session ended. */
export type SessionEnd =
  /** The peer asked for it, or closed its side. */
  | 'closed'
  | 'never-connected'
  | 'peer-lost'
  | 'worker-died'
  /** The camera is away for good, or another publisher took the stream. */
  | 'stream-ended'
  | 'denied'
  | 'shutdown';

/** Who a session is of. */
export type SessionCaller = {
  /** The same for all sessions of an account or token. */
  readonly id: string;
  /** For logs, and for others who are turned away. */
  readonly name: string;
  /** Asked every 10 s. @throws AppError  the session is no longer allowed */
  readonly reask: () => void;
  /** Bytes that went to a viewer since the last time. */
  readonly onSent?: (bytes: number) => void;
};

export type OpenRequest = {
  readonly streamId: string;
  /** The offer, as it came. */
  readonly offer: string;
  /** By which of our addresses the peer reached us; candidates begin with it. */
  readonly reachedAt: readonly (string | undefined)[];
  readonly caller: SessionCaller;
  /** Raised when nobody waits for the answer any more. */
  readonly signal?: AbortSignal | undefined;
};

export type OpenedSession = {
  /** 144 random bits as text that any URL takes. */
  readonly id: string;
  readonly streamId: string;
  /** Of its ICE session: changes with each restart. */
  readonly entityTag: string;
  readonly answer: string;
  /** What was left out or changed, in sentences for people. */
  readonly notes: readonly string[];
};

export type PatchRequest = {
  /** `application/trickle-ice-sdpfrag`. */
  readonly fragment: string;
  /** Entity tags of If-Match, or any. */
  readonly ifMatch: 'any' | readonly string[];
};

export type Patched =
  | { readonly kind: 'trickled' }
  | { readonly kind: 'restarted'; readonly entityTag: string; readonly fragment: string };

/** A session that lasts. */
export type KnownSession = { readonly id: string; readonly streamId: string; readonly callerId: string };

/** What a session tells while it lasts: for metrics. */
export type SessionEvents = {
  readonly onOpened?: (kind: SessionKind) => void;
  readonly onConnected?: (
    kind: SessionKind,
    connect: { readonly protocol: 'udp' | 'tcp'; readonly tookMs: number },
  ) => void;
  readonly onEnded?: (kind: SessionKind, end: SessionEnd) => void;
};

/** Ended with a reason for people. */
export type EndCause = { readonly end: SessionEnd; readonly message?: string; readonly error?: AppError };
