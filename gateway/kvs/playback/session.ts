/**
 * A playback session: everything that a streaming session URL stands for. It travels inside the URL's token, so nothing is kept
 * about players, and a restart changes nothing for them.
 */

import type { FragmentNumber } from '../../../storage/model/fragment-number.ts';

/** Which of a fragment's two times a session goes by. */
export type TimeAxis = 'server' | 'producer';

/** Both ends inclusive, and compared with the beginnings of fragments; milliseconds since 1970 UTC. */
export type SelectedRange = { readonly beginMs: number; readonly endMs: number | undefined };

export type SessionOptions = {
  readonly protocol: 'hls' | 'dash';
  readonly mode: 'live' | 'live-replay' | 'on-demand';
  readonly axis: TimeAxis;
  /** Absent in mode `live`. */
  readonly range: SelectedRange | undefined;
  readonly container: 'fmp4' | 'ts';
  readonly discontinuity: 'always' | 'never' | 'on-discontinuity';
  readonly showsTimestamps: boolean;
  /** DASH alone. */
  readonly showsNumbers: boolean;
  /** Fragments in a playlist or manifest. */
  readonly resultsMax: number;
  readonly expiresS: number;
};

export type PlaybackSession = Omit<SessionOptions, 'expiresS'> & {
  readonly streamId: string;
  readonly streamName: string;
  /** Who asked for the URL, as `KvsCall.owner`: the session ends with them and their permission. */
  readonly owner: string;
  readonly startedMs: number;
  readonly expiresMs: number;
  /** Of mode `live`: its first fragment, from which all numbers count. */
  readonly anchor: FragmentNumber | undefined;
  /** Of mode `live`: how much media there was at the start, milliseconds from the anchor's beginning. */
  readonly leadMs: number;
};

/** The name under which a session's URL was asked for: what the key must still be allowed. */
export function sessionAction({ protocol }: Pick<PlaybackSession, 'protocol'>): string {
  return protocol === 'hls' ? 'kinesisvideo:GetHLSStreamingSessionURL' : 'kinesisvideo:GetDASHStreamingSessionURL';
}
