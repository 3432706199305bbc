/** Which worker a peer goes to. Pure. */

import { appError } from '../../../storage/base/errors.ts';
import { mediaPlaneLimits } from './limits.ts';

/** What a peer is for. */
export type PeerUse = {
  /** What it sends is recorded: viewers never take its place. */
  readonly isRecorded?: boolean;
};

/** With how many peers a worker is full, for such a peer. */
export function peersMaxFor({ isRecorded = false }: PeerUse): number {
  const { peersPerWorkerMax, recordedPerWorkerMax } = mediaPlaneLimits;
  return isRecorded ? peersPerWorkerMax + recordedPerWorkerMax : peersPerWorkerMax;
}

/** A worker that runs. */
export type Place = { readonly peers: number; hasPeerOf(key: string): boolean };

/**
 * The one that has the key already, or else the one with the fewest peers: to feed a stream to a second worker costs as much as some
 * peers more on the first, and no more than that.
 *
 * @param places  at least one
 * @throws AppError resource_exhausted  all are full
 */
export function placeOf<T extends Place>(places: readonly [T, ...T[]], key: string, use: PeerUse = {}): T {
  const { peersAheadMax } = mediaPlaneLimits;
  const fullAt = peersMaxFor(use);
  const emptiest = places.reduce((best, one) => (one.peers < best.peers ? one : best));
  if (emptiest.peers >= fullAt) {
    throw appError('resource_exhausted', `all WebRTC workers have ${fullAt} peers`, {
      hint: 'raise webrtc.workers, up to the number of processors',
    });
  }
  const peersMax = Math.min(emptiest.peers + peersAheadMax, fullAt - 1);
  return places.find((place) => place.peers <= peersMax && place.hasPeerOf(key)) ?? emptiest;
}
