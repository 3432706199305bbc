/** Matroska CodecIDs of the codecs we understand. */
export const codecIds = {
  h264: 'V_MPEG4/ISO/AVC',
  h265: 'V_MPEGH/ISO/HEVC',
  aac: 'A_AAC',
  opus: 'A_OPUS',
  acm: 'A_MS/ACM',
  flac: 'A_FLAC',
} as const;
