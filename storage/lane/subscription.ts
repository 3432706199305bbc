/**
 * One lane as its reader sees it: an endless sequence of events that heals itself. Each lane has a connection of its own, so that a slow reader holds up
 * nobody else: it simply stops reading, the socket fills, and the server drops by the lane's policy.
 */

import type { Clock } from '../base/clock.ts';
import { isAppError } from '../base/errors.ts';
import { Backoff } from '../base/retry.ts';
import type { Track } from '../model/track.ts';
import { LaneConnection, type LaneItem } from './connection.ts';
import type { LaneUnit } from './frames.ts';
import type { LaneJoin } from './handlers.ts';
import type { LaneOverflow } from './messages.ts';
import { wireToTrack } from './wire.ts';

export type SubscribeOptions = {
  /** What a full lane does. */
  readonly onOverflow: LaneOverflow;
  /** Bytes that may wait at the server. */
  readonly bytesMax: number;
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
};

export type LaneEvent =
  /** The lane is open, at first and again after each lost connection. No tracks: the source is not live yet. */
  | { readonly kind: 'joined'; readonly tracks: readonly Track[]; readonly from: LaneJoin['from'] }
  /** A new session of the source: decoders start anew with its first key frame. */
  | { readonly kind: 'session'; readonly tracks: readonly Track[] }
  | { readonly kind: 'unit'; readonly unit: LaneUnit }
  /** The lane was full and dropped so many units; the next one is a key frame. */
  | { readonly kind: 'dropped'; readonly units: number }
  /** The session is over, or the connection to the stream's owner is: the reason says. A `session` or `joined` may follow. */
  | { readonly kind: 'ended'; readonly reason: string };

/** The lane of one connection has this id: it is alone there. */
const laneId = 1;

/**
 * @returns events until the signal aborts, the reader stops, or the owner closes the lane (no such stream, or removed)
 */
export async function* subscribeTo(
  dependencies: { readonly clock: Clock; readonly random?: () => number },
  options: SubscribeOptions & {
    readonly path: string;
    readonly name: string;
    readonly streamId: string;
    readonly signal: AbortSignal;
  },
): AsyncGenerator<LaneEvent> {
  const { clock, random } = dependencies;
  const { path, name, streamId, onOverflow, bytesMax, signal } = options;
  const backoff = new Backoff({ firstDelayMs: 100, delayMsMax: 5_000, ...(random === undefined ? {} : { random }) });
  while (!signal.aborted) {
    let isJoined = false;
    try {
      const connection = await LaneConnection.open(path, { name, signal });
      connection.send({ type: 'subscribe', laneId, streamId, onOverflow, bytesMax });
      for await (const items of connection.items()) {
        for (const item of items) {
          const event = toEvent(item);
          if (event === undefined) continue;
          if (event.kind === 'joined') {
            isJoined = true;
            backoff.reset();
          }
          yield event;
          if (item.type === 'closed' || signal.aborted) return;
        }
      }
    } catch (error) {
      // Another version does not heal by trying again; anything else may.
      if (!isAppError(error) || error.code === 'failed_precondition') throw error;
    }
    if (signal.aborted) return;
    if (isJoined) yield { kind: 'ended', reason: 'connection-lost' };
    try {
      await clock.sleep(backoff.nextDelayMs(), signal);
    } catch {
      return;
    }
  }
}

function toEvent(item: LaneItem): LaneEvent | undefined {
  switch (item.type) {
    case 'unit':
      return { kind: 'unit', unit: item.unit };
    case 'joined': {
      const from =
        item.from === null ? undefined : { ...item.from, tail: new Uint8Array(Buffer.from(item.from.tail, 'base64')) };
      return { kind: 'joined', tracks: item.tracks.map(wireToTrack), from };
    }
    case 'session':
      return { kind: 'session', tracks: item.tracks.map(wireToTrack) };
    case 'dropped':
      return { kind: 'dropped', units: item.units };
    case 'session-ended':
    case 'closed':
      return { kind: 'ended', reason: item.reason };
    default:
      return undefined;
  }
}
