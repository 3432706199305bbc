/** Which tracks of a run a session plays, and the errors of the model for those that it can't. Pure. */

import { isAppError } from '../../../storage/base/errors.ts';
import { codecIds, isTsTrack } from '../../../storage/media/index.ts';
import { isSameTrack, type Track } from '../../../storage/model/track.ts';
import { chooseTracks, type PlayableFragment } from '../../playback/index.ts';
import { awsError } from '../errors.ts';
import type { PlaybackSession } from './session.ts';

export type PlayedTracks = { readonly video: Track | undefined; readonly audio: Track | undefined };

/** What a session can carry. */
export type MediaForm = 'hls-fmp4' | 'hls-ts' | 'dash' | 'clip';

/** Codecs with a private part that players need. */
const describedCodecs: readonly string[] = [codecIds.h264, codecIds.h265, codecIds.aac];

export function formOf({ protocol, container }: Pick<PlaybackSession, 'protocol' | 'container'>): MediaForm {
  if (protocol === 'dash') return 'dash';
  return container === 'ts' ? 'hls-ts' : 'hls-fmp4';
}

/** The tracks of a run that are played. Sound of another codec than the form has is left out. */
export function playedTracks(tracks: readonly Track[], form: MediaForm): PlayedTracks {
  const carried = tracks.filter((track) => isCarried(track, form));
  const { video, audio } = chooseTracks(carried);
  return { video, audio };
}

/**
 * The tracks, where a session can begin with them.
 *
 * @throws AppError UnsupportedStreamMediaTypeException   nothing of it can be carried, or its pictures can't
 * @throws AppError MissingCodecPrivateDataException, InvalidCodecPrivateDataException
 */
export function requirePlayable({ segment }: PlayableFragment, form: MediaForm): PlayedTracks {
  for (const track of segment.tracks) {
    if (!describedCodecs.includes(track.codecId)) continue;
    if (track.codecPrivate.length === 0) {
      throw awsError('MissingCodecPrivateDataException', `Track ${track.number} has no codec private data.`);
    }
    if (track.codec === 'other' || (track.kind === 'video' && track.video === undefined)) {
      throw awsError(
        'InvalidCodecPrivateDataException',
        `The codec private data of track ${track.number} is not valid.`,
      );
    }
  }
  const played = playedTracks(segment.tracks, form);
  const hasPictures = segment.tracks.some(({ kind }) => kind === 'video');
  if ((hasPictures ? played.video : played.audio) !== undefined) return played;
  const codecs = segment.tracks.map(({ codecId }) => codecId).join(', ');
  throw awsError('UnsupportedStreamMediaTypeException', `The stream's media cannot be played in this form: ${codecs}`);
}

/** True when one decoder set-up plays both; one that is missing needs none. */
export function isSameSetUp(first: Track | undefined, second: Track | undefined): boolean {
  return first === undefined || second === undefined || isSameTrack(first, { ...second, number: first.number });
}

/** What went wrong with a fragment's bytes, in the words of the model; anything else is given back as it is. */
export function damaged(error: unknown): unknown {
  if (!isAppError(error, 'data_loss') && !isAppError(error, 'invalid_argument')) return error;
  return awsError('InvalidMediaFrameException', 'The fragment has frames that cannot be parsed.', { cause: error });
}

function isCarried(track: Track, form: MediaForm): boolean {
  if (form === 'hls-ts') return isTsTrack(track);
  if (track.kind === 'video') return track.codec === 'h264' || track.codec === 'h265';
  const isG711 = track.codec === 'pcmu' || track.codec === 'pcma';
  return track.codec === 'aac' || (isG711 && form !== 'hls-fmp4');
}
