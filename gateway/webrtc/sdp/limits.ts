/** Bounds of this room, each with how it was derived. */

export const sdpLimits = {
  /** Chromium offers 9 KB for sound, picture and data; ten tracks of it would be 60 KB. */
  charactersMax: 64 * 1_024,
  /** Chromium: 270 for the same. */
  linesMax: 2_000,
  /** H.265 parameter sets in an fmtp line are 500. */
  lineCharactersMax: 2_048,
  mediaMax: 16,
  /** Payload types are 0 to 127. */
  codecsPerMediaMax: 128,
  feedbackPerCodecMax: 16,
  headerExtensionsPerMediaMax: 32,
  ssrcLinesPerMediaMax: 64,
  /** Nothing is done with a peer's candidates; a machine with many networks has some dozens. */
  candidatesMax: 256,
  fingerprintsMax: 8,
  /** mediasoup writes a mid into packets up to here. */
  midBytesInPacketsMax: 8,
  midCharactersMax: 64,
  textCharactersMax: 256,
} as const;
