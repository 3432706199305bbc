/**
 * What a source gives to whoever runs it (`gateway/ingest`): sessions, access units, losses, clocks, and in the end one
 * reason. It never decides about retries, runs or gaps; it says what happened and the caller decides.
 */

import type { AppError } from '../../storage/base/errors.ts';
import type { AccessUnit } from '../../storage/model/access-unit.ts';
import type { GapReason } from '../../storage/model/run.ts';
import type { Track } from '../../storage/model/track.ts';

/** Why the caller has to begin a new run: each `session` begins a new media timeline near 0. */
export type SessionReason = 'started' | 'tracks-changed' | 'time-jump';

/** Receives what a source delivers. Called synchronously from the socket's callback: must not block and must not throw. */
export type SourceSink = {
  /**
   * All tracks are known, units of them follow. Called again when a track's description really changed (size, profile,
   * chroma, a track more) or when the camera's media clock jumped: what follows is another session on a new timeline.
   */
  session(tracks: readonly Track[], reason: SessionReason): void;
  /** Next unit of a track, in decode order; its bytes are borrowed until return. */
  unit(unit: AccessUnit): void;
  /** Packets of this track are missing; the unit they belonged to is left out. */
  loss(loss: { readonly trackNumber: number; readonly packets: number }): void;
  /** The camera's clock against ours. `driftPpm` is undefined until a minute of sender reports was seen. */
  clock(clock: { readonly offsetMs: number; readonly driftPpm: number | undefined }): void;
  /** Nobody is there yet, and the source can only wait for the other side to come: why, for people. */
  waiting?(why: Pick<SourceEnd, 'reason' | 'message' | 'hint'>): void;
  /** Something a person should know that does not stop the source: a track left out, a rule broken. Each text comes once. */
  warning?(text: string): void;
};

/**
 * How a source ended. `message` is a lower-case sentence with the facts and without credentials, `hint` says what a person
 * can do. Not retryable: trying again without a change at the camera or here cannot help soon (the caller may still, slowly).
 */
export type SourceEnd = {
  readonly reason: GapReason;
  readonly message: string;
  readonly hint: string;
  readonly isRetryable: boolean;
};

/** A `SourceEnd` on its way up inside this room, and what `probe` throws. */
export class SourceFault extends Error implements SourceEnd {
  override readonly name = 'SourceFault';
  readonly reason: GapReason;
  readonly hint: string;
  readonly isRetryable: boolean;

  constructor(end: SourceEnd, options: { readonly cause?: unknown } = {}) {
    super(end.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = end.reason;
    this.hint = end.hint;
    this.isRetryable = end.isRetryable;
  }
}

/** Faults that have a name, in words that help at the site. */
export const faults = {
  unreachable: (message: string, cause?: unknown) =>
    new SourceFault(
      {
        reason: 'unreachable',
        message,
        hint: "check the address, the network and the camera's power; try a ping from this server",
        isRetryable: true,
      },
      { cause },
    ),
  unknownHost: (host: string, cause?: unknown) =>
    new SourceFault(
      {
        reason: 'unreachable',
        message: `the name ${host} has no address`,
        hint: "check the spelling, or write the camera's IP address instead of its name",
        isRetryable: true,
      },
      { cause },
    ),
  refused: (message: string, hint: string, cause?: unknown) =>
    new SourceFault({ reason: 'refused', message, hint, isRetryable: true }, { cause }),
  notAllowed: ({ message, hint = '' }: AppError) =>
    new SourceFault({ reason: 'not-allowed', message, hint, isRetryable: false }),
  tls: (message: string, hint: string, cause?: unknown) =>
    new SourceFault({ reason: 'protocol-error', message, hint, isRetryable: false }, { cause }),
  unauthorized: (message: string, hint: string) =>
    new SourceFault({ reason: 'unauthorized', message, hint, isRetryable: false }),
  notFound: (message: string) =>
    new SourceFault({
      reason: 'not-found',
      message,
      hint: "check the part of the URL after the address; the camera's manual or its ONVIF profile names it",
      isRetryable: false,
    }),
  unsupported: (message: string, hint: string) =>
    new SourceFault({ reason: 'unsupported-codec', message, hint, isRetryable: false }),
  protocol: (message: string, hint: string, cause?: unknown) =>
    new SourceFault({ reason: 'protocol-error', message, hint, isRetryable: true }, { cause }),
  closed: (message: string) =>
    new SourceFault({
      reason: 'source-closed',
      message,
      hint: 'the camera ended it: it may have restarted, been edited, or have too many viewers',
      isRetryable: true,
    }),
  lost: (message: string, cause?: unknown) =>
    new SourceFault(
      {
        reason: 'connection-lost',
        message,
        hint: 'check cables, switch and Wi-Fi between this server and the camera',
        isRetryable: true,
      },
      { cause },
    ),
  silent: (message: string, hint: string) =>
    new SourceFault({ reason: 'source-silent', message, hint, isRetryable: true }),
} as const;
