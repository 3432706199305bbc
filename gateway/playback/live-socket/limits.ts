/** Every bound of live sockets, with how it was derived. */

const MiB = 1024 * 1024;
const seconds = 1_000;

export const liveSocketLimits = {
  /** All of them: sixteen walls of sixteen tiles. */
  socketsMax: 256,
  /** Of one account: a guard's four screens of sixteen tiles, twice while pages are loaded again. */
  socketsOfOneMax: 128,
  /** Streams that are watched: each is a lane of its own. */
  feedsMax: 128,
  /** After its last viewer left: a page that is loaded again finds the newest pictures still there. */
  feedLingerMs: 5 * seconds,
  /** Of the lane: the owner of the stream drops beyond it. */
  laneBytesMax: 34 * MiB,
  /** Pictures since the last key frame, for whoever comes: 10 s of 6 Mbit/s. Of all streams together `keptBytesOfAllMax`. */
  keptBytesMax: 8 * MiB,
  keptBytesOfAllMax: 256 * MiB,
  /** A GOP of 30 s with 60 pictures a second, and sound between them. */
  keptPartsMax: 4_096,
  /** What waits for one viewer before pictures are dropped: twice what is kept. */
  viewerBytesMax: 16 * MiB,
  /**
   * The same of one account's viewers, and of all. Encrypted connections have a copy each: forty that read nothing of an 8 MiB group of
   * pictures were seen to take 370 MB.
   */
  unsentBytesOfOneMax: 128 * MiB,
  unsentBytesMax: 256 * MiB,
  /** So much may wait for a viewer whatever waits for others: a key frame on its way. */
  unsentBytesFree: 256 * 1024,
  /** Whoever has not taken everything for so long is late: live pictures that wait longer are of no use. */
  viewerLateMs: 3 * seconds,
  /** Whoever takes nothing for so long is gone. */
  viewerGoneMs: 20 * seconds,
  /** How often viewers are asked whether they are there, and the authoriser whether they may. */
  watchPeriodMs: 10 * seconds,
  /** Position and wall time are told anew so often: a camera's clock and ours part by 0.1 ms a second at most. */
  timePeriodMs: 5 * seconds,
} as const;
