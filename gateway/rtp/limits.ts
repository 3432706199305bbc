/** Bounds of RTP payloads, each with how it was derived. */

export const rtpLimits = {
  /** NAL units of one picture: 8K in H.265 has up to 600 slices. Each is a packet at least: millions would take seconds. */
  nalsMax: 1_024,
  /** AU-size of AAC-hbr has 13 bits. */
  aacFrameBytesMax: 8_191,
  /** Whole-frame payloads (Opus): what a UDP packet and the length of an interleaved frame hold. */
  wholeFrameBytesMax: 60_000,
} as const;
