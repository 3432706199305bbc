/** The transcoders there are. Each is a child of its own, from its first unit until it is closed. */

import { opusTrack } from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import { aacOutput, codedInput, opusOutput, pcmInput, pcmOutput } from './forms.ts';
import { type AudioDependencies, SoundChild } from './sound-child.ts';
import type { Transcoder, TranscoderEvents } from './transcoder.ts';

/**
 * Raw AAC frames of a camera, of any form that ffmpeg knows, into Opus packets of 20 ms; one channel where the track has one.
 * @throws AppError data_loss, invalid_argument  the track's own description is broken
 */
export function aacToOpus(
  deps: AudioDependencies,
  { track, ...events }: TranscoderEvents & { readonly track: Track },
): Transcoder {
  const channels = track.audio?.channels === 1 ? 1 : 2;
  const input = codedInput(track);
  return new SoundChild(deps, { ...events, what: 'aac to opus', input, output: opusOutput({ channels }) });
}

/** Opus packets into AAC frames of the track that `recordedAacTrack` describes. */
export function opusToAac(deps: AudioDependencies, events: TranscoderEvents): Transcoder {
  return new SoundChild(deps, { ...events, what: 'opus to aac', input: codedInput(webrtcOpus), output: aacOutput });
}

/** Opus packets into pieces of 20 ms of PCM: 48 kHz, two channels, signed 16 bit little endian. */
export function opusToPcm(deps: AudioDependencies, events: TranscoderEvents): Transcoder {
  return new SoundChild(deps, { ...events, what: 'opus to pcm', input: codedInput(webrtcOpus), output: pcmOutput });
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
/** Packets say by themselves whether they have one channel or two. */
const webrtcOpus = opusTrack(2, { channels: 2 });
