/** The transcoders there are. Each is a child of its own, from its first unit until it is closed. */

import type { Track } from '../../../storage/model/track.ts';
import { aacInput, aacOutput, opusInput, opusOutput, pcmInput, pcmOutput } from './forms.ts';
import { type AudioDependencies, SoundChild } from './sound-child.ts';
import type { Transcoder, TranscoderEvents } from './transcoder.ts';

/**
 * Raw AAC frames of a camera into Opus packets of 20 ms, mono where the track is.
 * @throws AppError unimplemented  a form of AAC that ffmpeg cannot be told in ADTS
 */
export function aacToOpus(
  deps: AudioDependencies,
  { track, ...events }: TranscoderEvents & { readonly track: Track },
): Transcoder {
  const channels = track.audio?.channels === 1 ? 1 : 2;
  const input = aacInput(track);
  return new SoundChild(deps, { ...events, what: 'aac to opus', input, output: opusOutput({ channels }) });
}

/** Opus packets into AAC frames of the track that `recordedAacTrack` describes. */
export function opusToAac(deps: AudioDependencies, events: TranscoderEvents): Transcoder {
  return new SoundChild(deps, { ...events, what: 'opus to aac', input: opusInput, output: aacOutput });
}

/** Opus packets into pieces of 20 ms of PCM: 48 kHz, two channels, signed 16 bit little endian. */
export function opusToPcm(deps: AudioDependencies, events: TranscoderEvents): Transcoder {
  return new SoundChild(deps, { ...events, what: 'opus to pcm', input: opusInput, output: pcmOutput });
}

/** PCM of the same form into Opus packets of 20 ms. */
export function pcmToOpus(deps: AudioDependencies, events: TranscoderEvents): Transcoder {
  const output = opusOutput({ channels: pcmOpusChannels });
  return new SoundChild(deps, { ...events, what: 'pcm to opus', input: pcmInput, output });
}

/** PCM of the same form into AAC frames of the track that `recordedAacTrack` describes. */
export function pcmToAac(deps: AudioDependencies, events: TranscoderEvents): Transcoder {
  return new SoundChild(deps, { ...events, what: 'pcm to aac', input: pcmInput, output: aacOutput });
}

const pcmOpusChannels = 2;
