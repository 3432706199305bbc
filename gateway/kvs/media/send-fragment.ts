/** One fragment on its way to one client, or the word that it cannot be had. */

import { isAppError, toAppError } from '../../../storage/base/errors.ts';
import type { Log } from '../../../storage/base/log.ts';
import type { FragmentNumber } from '../../../storage/model/fragment-number.ts';
import type { KvsMeter } from '../meter/index.ts';
import { faultDocument, mediaFaults, type TagSpelling } from './documents.ts';
import type { BegunFragment, MediaPieces } from './media-pieces.ts';
import type { MediaFragment } from './source.ts';

export type SendDeps = {
  readonly log: Log;
  readonly pieces: MediaPieces;
  readonly meter: Pick<KvsMeter, 'add'>;
};

export type SendOptions = {
  /** As metrics name it. */
  readonly operation: 'GetMedia' | 'GetMediaForFragmentList';
  readonly streamName: string;
  readonly spelling: TagSpelling;
  /** What follows the cluster. */
  readonly closing?: () => Uint8Array;
};

/**
 * A fragment's document. What cannot be begun becomes a document that says so, after which the body is to end.
 *
 * @returns  false when it could not be sent
 * @throws AppError  it broke off in its middle, where nothing more can be said
 */
export async function* sendFragment(
  deps: SendDeps,
  reference: MediaFragment,
  options: SendOptions,
): AsyncGenerator<Uint8Array, boolean> {
  const { pieces, meter } = deps;
  const { operation, streamName, spelling, closing } = options;
  const { fragment } = reference;
  let begun: BegunFragment;
  try {
    begun = await pieces.begin(reference, spelling);
  } catch (error) {
    const head = await pieces.head(reference).catch(() => undefined);
    yield faultBytes(deps, error, { head, number: fragment.number, streamName, spelling });
    return false;
  }
  let bytes = begun.opening.length;
  yield begun.opening;
  for await (const piece of begun.cluster) {
    yield piece;
    bytes += piece.length;
  }
  const end = closing?.();
  if (end !== undefined) {
    yield end;
    bytes += end.length;
  }
  meter.add(`${operation}.OutgoingBytes`, streamName, bytes);
  meter.add(`${operation}.OutgoingFragments`, streamName, 1);
  meter.add(
    `${operation}.OutgoingFrames`,
    streamName,
    fragment.tracks.reduce((sum, { samples }) => sum + samples, 0),
  );
  return true;
}

/** The last document of a body that ends by an error of the storage; our own mistakes are logged as such. */
export function faultBytes(
  { log }: Pick<SendDeps, 'log'>,
  thrown: unknown,
  options: {
    readonly head: Uint8Array | undefined;
    readonly number: FragmentNumber | undefined;
    readonly streamName: string;
    readonly spelling: TagSpelling;
  },
): Uint8Array {
  const { number, streamName } = options;
  const error = toAppError(thrown);
  const facts = { streamName, number, code: error.code, error: error.message };
  if (error.code === 'internal') log.error('reader of media failed', { ...facts, error: thrown });
  else log.warn('reader of media ends, a fragment cannot be read', facts);
  const fault = isAppError(thrown, 'not_found') ? mediaFaults.notFound : mediaFaults.internal;
  return faultDocument({ ...options, fault });
}
