/** Bounds of this room, each with how it was derived. Those that others need stand in `storage/model/limits.ts`. */

export const rtspLimits = {
  /** Largest head seen is below 2 KiB; certificates of Hikvision digests included. */
  headBytesMax: 16 * 1024,
  /** An SDP with twenty back-channel formats (Dahua) has 3 KiB. */
  bodyBytesMax: 64 * 1024,
  /** Garbage between two good frames before we call it no RTSP: two of the largest interleaved frames. */
  resyncBytesMax: 2 * 65_536,
  /** A body without Content-Length, or shorter than promised, is over when nothing came for so long. */
  bodyIdleMs: 500,
  /** Sum of the heads of media descriptions we look at; ONVIF devices have below ten. */
  mediasMax: 32,

  redirectsMax: 3,
  /** Tries of a login in one request: nothing known, stale nonce, other algorithm. */
  loginTriesMax: 3,
  connectTimeoutMs: 8_000,
  /** Cameras that wake a sensor for DESCRIBE need up to 5 s. */
  requestTimeoutMs: 10_000,
  teardownTimeoutMs: 500,
  sessionTimeoutMsDefault: 60_000,
  keepaliveMsMin: 4_000,
  keepaliveMsMax: 30_000,

  /** Video (or sound, where there is no video) may be absent for so long. Slowest useful cameras send a picture every 5 s. */
  silenceMsDefault: 10_000,
  /** A track whose parameters are still unknown is waited for so long before the session begins without it. */
  parametersWaitMs: 10_000,
  /** A video track without parameters and without any other track: GOPs of 20 s exist. */
  parametersAloneWaitMs: 30_000,

  /** UDP packets that overtook others: 100 ms is above the jitter of any switched network; 512 packets are 100 ms at 50 Mb/s. */
  reorderMsMax: 100,
  reorderPacketsMax: 512,
  udpReceiveBufferBytes: 1024 * 1024,
  /** A forward jump of sequence numbers above this is a restart and not a loss that can be counted. */
  lossPacketsMax: 10_000,
  /** Packets in a row by which a changed SSRC or payload type is believed: stray packets of old sessions are fewer. */
  changeAfterPackets: 5,

  /** Units in one unit with start codes, or in one aggregation packet: 8K in H.265 has up to 600 slices, cameras below twenty. */
  piecesMax: 512,
  /** Pictures or sound frames of a session within `unitsPeriodMs`: 2,000 a second; the fastest cameras make 240 pictures and 100. */
  unitsPerPeriodMax: 10_000,
  /** Long enough that what waited during a stall, minutes of a camera at worst, is no flood. */
  unitsPeriodMs: 5_000,

  /** First capacity of a track's buffer; it doubles up to `limits.accessUnitBytesMax`. */
  unitBytesFirst: 64 * 1024,
  /** Parameter sets and SEI before a picture: above this without a picture it is no video. */
  prefixBytesMax: 1024 * 1024,
  /** One audio frame or packet; AAC's largest is 6,144 bits a channel and 8 channels, G.711 packets have up to 64 KiB. */
  audioBytesMax: 65_536,
  /** Parameter sets of one kind that a stream may alternate; H.264 allows 32 SPS, cameras have one or two. */
  parameterSetsMax: 32,
  parameterSetBytesMax: 4_096,

  /** Media clock against arrival: beyond this it jumped. Below, TCP stalls and bursts explain it. */
  timeJumpMs: 10_000,
  /** Video may step back by reordering: 16 pictures at 5 pictures/s. */
  videoStepBackMs: 3_200,
  audioStepBackMs: 500,
  /** Tracks further apart than this by their sender reports: the reports are wrong, not the media. */
  alignmentMsMax: 10_000,
  receiverReportMs: 5_000,
} as const;
