/** The door of audio: sound of one form into another, by ffmpeg children with little delay, and the sum of several. */

export type { SoundPacket, SoundUnit, Transcoder, TranscoderEvents } from './transcoder.ts';
