/** A track: one elementary medium of a stream, described the way its Matroska TrackEntry describes it. */

/** Codecs we can parse, cut and play. Anything else is `other`: it is stored and given back untouched. */
export type Codec = 'h264' | 'h265' | 'aac' | 'opus' | 'pcmu' | 'pcma' | 'other';

export type TrackKind = 'video' | 'audio' | 'other';

export type Track = {
  /** Matroska track number, 1 .. 127; ours are 1 video, 2 audio. */
  readonly number: number;
  readonly kind: TrackKind;
  readonly codec: Codec;
  /** Matroska CodecID: V_MPEG4/ISO/AVC, V_MPEGH/ISO/HEVC, A_AAC, A_OPUS, A_MS/ACM, or any other. */
  readonly codecId: string;
  /** Matroska CodecPrivate: avcC, hvcC, AudioSpecificConfig, OpusHead, WAVEFORMATEX; empty when there is none. */
  readonly codecPrivate: Uint8Array;
  /** RFC 6381 name for players (`avc1.4d4028`, `mp4a.40.2`), or undefined where none exists. */
  readonly codecString: string | undefined;
  readonly video?: { readonly widthPixels: number; readonly heightPixels: number };
  readonly audio?: { readonly samplingFrequencyHz: number; readonly channels: number };
};

/** True when both describe media that one decoder set-up can play through: a run goes on across the change. */
export function isSameTrack(a: Track, b: Track): boolean {
  return (
    a.number === b.number &&
    a.codecId === b.codecId &&
    Buffer.compare(a.codecPrivate, b.codecPrivate) === 0 &&
    a.video?.widthPixels === b.video?.widthPixels &&
    a.video?.heightPixels === b.video?.heightPixels &&
    a.audio?.samplingFrequencyHz === b.audio?.samplingFrequencyHz &&
    a.audio?.channels === b.audio?.channels
  );
}
