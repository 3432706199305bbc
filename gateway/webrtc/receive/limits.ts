/** Bounds of this room, each with how it was derived. Those that others need stand in `storage/model/limits.ts`. */

const KiB = 1024;
const MiB = 1024 * KiB;

export const receiveLimits = {
  /** What the kernel holds while this process does something else: 4 s at 4 Mb/s, and below what it gives without asking on many systems. */
  socketBufferBytes: 4 * MiB,
  /** A packet that others overtook: mediasoup asks the peer for it again, which takes two ways over a bad line. Live viewers wait as long. */
  reorderMsMax: 400,

  /**
   * A key frame is asked for when the last one is so old. Recordings are cut there, players seek there, and a fragment that is torn off
   * is as long; a key frame costs five to ten times another picture, which at 4 s is a tenth of the bit rate. KVS fragments of the WebRTC SDKs
   * are as long. Encoders that make them by themselves (OBS: 2 s) are never asked.
   */
  keyFrameAgeMs: 4_000,
  /** Asked again so soon while none came, and then less often: not every sender does as it is asked. */
  keyFrameRetryMs: 1_000,
  keyFrameRetryMsMax: 5_000,
  keyFrameLookMs: 250,

  /**
   * Sessions within a minute: parameter sets that change, clocks that jump. Twice what can be recorded (`runsPerMinuteMax`); where sound is
   * converted each has an encoder of its own.
   */
  sessionsPerMinuteMax: 60,

  /** Opus that says nothing (DTX) sends a frame every 400 ms; a pause of up to three of those is filled with silence. */
  silenceMsMax: 1_300,

  /** What waits for an owner that does not read: 8 s of a 4 Mb/s publisher. Above it whole groups of pictures are left out. */
  queueBytesMax: 4 * MiB,
  /** Those of all publishers together: 16 that stand still. */
  queuesBytesMax: 64 * MiB,
  /** An owner that is away is looked for again so long; then its publisher is told. A restart of the recording process takes 2 s. */
  ownerAwayMsMax: 20_000,
  ownerRetryMs: 250,
  /** Somebody waits for the answer to its first offer; a stream that was just made has not reached its owner yet. */
  firstOpenMsMax: 5_000,
  /** The last bytes of a publisher that left are given so long to reach the owner. */
  farewellMs: 5_000,
} as const;
