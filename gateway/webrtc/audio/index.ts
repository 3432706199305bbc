/** The door of audio: sound of one form into another, by ffmpeg children with little delay, and the sum of several. */

export { recordedAacTrack } from './forms.ts';
export { type ListenerOptions, Mixer, type Voice } from './mixer.ts';
export type { AudioDependencies } from './sound-child.ts';
export type { SoundPacket, SoundUnit, Transcoder, TranscoderEvents } from './transcoder.ts';
export { aacToOpus, opusToAac, opusToPcm, pcmToAac, pcmToOpus } from './transcoders.ts';
