/** Bounds of this room, each with how it was derived. */

const KiB = 1024;
const MiB = 1024 * KiB;

export const bridgeLimits = {
  /** Feeds of watched streams. */
  feeds: {
    /** With the head extensions and the seal that mediasoup adds, a packet passes every path with an MTU of 1,280. */
    packets: { packetBytesMax: 1_200, hasDelimiters: false },
    feedsMax: 64,
    /** A page that is loaded again, or a viewer who comes back after a broken connection, finds the picture at once. */
    lingerMs: 5_000,
    sourceAwayMs: 10_000,
    /** A quarter of a second of the pace at which it is sent. */
    keptBytesMax: 3 * MiB,
    /** Pictures and sound of the longest GOP that is kept: beside 300 pictures at 25 a second come 600 frames of sound. */
    keptUnitsMax: 1_000,
    /** Serve stalls for 4 s at 16 Mb/s: later than that is no live picture. */
    laneBytesMax: 8 * MiB,
  },
  /** Pictures that a decoder is given at once: 300 of 1080p take it half a second. */
  keptPicturesMax: 300,
  /** Kept pictures are so far apart in RTP time, so that they are shown as fast as they come. */
  keptStepMs: 1,
  /** A viewer waits so long for a camera to say what it sends. */
  describeWaitMs: 4_000,
  /** And so often anew while a conversion begins: the first one tries the encoders, seconds on a machine that is busy. */
  describeWaits: 5,
  /** Producers of one stream's video on one worker: each costs as much as the first (0.5 % of a core at 4 Mb/s). */
  cohortsMax: 8,
  /** Sockets of all streams; of the 1,024 descriptors of `serve` on a bare host the page may take 800. */
  linesMax: 160,
  /** Whoever comes so shortly before a key frame waits for it: connecting takes as long. */
  nearKeyMs: 400,
  /** 100 Mb/s: a worker that shares its processor takes them without losing a packet from its socket (100 KiB by default). */
  paceBytesPerMs: 12_500,
  paceBurstBytes: 48 * KiB,
  pacePieceMs: 2,
  /** Waiting for the pace, or for the kernel: a kept GOP and what came live meanwhile. Beyond it everything up to the next key frame is dropped. */
  lineBytesMax: 6 * MiB,
  socketBufferBytes: 1 * MiB,
  /** Sender reports, by which players align sound and pictures. The worker believes a transport's clock after three of them. */
  reportPeriodMs: 5_000,
  firstReports: 3,
  firstReportPeriodMs: 250,

  /** A conversion's key frames: what a viewer waits at most, and what is kept of its GOP. */
  conversionKeyIntervalMs: 2_000,
  /**
   * A child that is so far behind the camera begins anew at a key frame: it would not be live view any more. Behind its first picture it
   * has time to catch up with what came while it started.
   */
  conversionBehindMs: 3_000,
  conversionCatchUpMs: 10_000,
  /** Pictures on their way through a child while it starts, and their bytes: 10 s at 30 pictures a second, 4 s at 16 Mb/s. */
  conversionPicturesMax: 300,
  conversionBytesMax: 8 * MiB,
  /** Nothing for so long while it has pictures: it is stuck. Its start may take longer, on a machine that is busy. */
  conversionStuckMs: 8_000,
  conversionStartMs: 20_000,
  conversionRestartMs: 500,
  conversionRestartMsMax: 30_000,
  /** Alive for so long, a child's next end is a first one again. */
  conversionStableMs: 30_000,
  /** A child says so much of what went wrong. */
  spokenBytesMax: 4_096,
  /** A picture of a child: a key frame at the highest rate has a tenth of it. */
  convertedPictureBytesMax: 8 * MiB,
  /** Places among the conversions are taken anew so often; they are given to others after 20 s. */
  conversionKeepMs: 5_000,
  /** Viewers that are told by name to those who are turned away. */
  namesMax: 16,
} as const;
