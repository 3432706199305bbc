/**
 * What can be wrong with media that a producer sends, in our words; `gateway/kvs` knows what AWS calls it. Whoever throws one of these
 * ends a connection and nothing else.
 */

import { type AppError, appError, type ErrorContext, isAppError } from '../../storage/base/errors.ts';

export const mediaErrorNames = [
  /** The body broke off, or nothing more came. */
  'read-error',
  'fragment-too-large',
  'fragment-too-long',
  'connection-too-old',
  'timecode-not-increasing',
  'invalid-matroska',
  'invalid-producer-timestamp',
  'stream-not-active',
  'too-many-tags',
  'undeclared-track',
  'track-missing',
  'too-many-tracks',
  'internal',
  /** The journal did not take it. */
  'not-persisted',
] as const;

export type MediaErrorName = (typeof mediaErrorNames)[number];

/** @param context.timecodeMs  of the fragment that it is about, where that is not the open one */
export function mediaError(name: MediaErrorName, message: string, context: ErrorContext = {}): AppError {
  return appError(name === 'internal' ? 'internal' : 'invalid_argument', message, { ...context, mediaError: name });
}

/** What went wrong, whoever noticed it. */
export function mediaErrorOf(error: unknown): MediaErrorName {
  if (!isAppError(error)) return 'internal';
  const { mediaError: named, what } = error.context;
  const name = mediaErrorNames.find((each) => each === named);
  if (name !== undefined) return name;
  switch (error.code) {
    // Of the Matroska reader.
    case 'resource_exhausted':
      if (what === 'cluster' || what === 'element in a cluster') return 'fragment-too-large';
      if (what === 'tags element') return 'too-many-tags';
      // Memory on the way to the disk is used up.
      return what === undefined ? 'not-persisted' : 'invalid-matroska';
    case 'invalid_argument':
    case 'data_loss':
      return 'invalid-matroska';
    default:
      return 'internal';
  }
}
