/** Bounds of this room, each with how it was derived. Those that others need stand in `storage/model/limits.ts`. */

const KiB = 1024;
const MiB = 1024 * KiB;

export const whipLimits = {
  /** Publishers of one recording process: it carries 100, and as many again may come back before their old session is known to be dead. */
  publishersMax: 256,
  /**
   * A publisher of a stream that has one is held so long before it is refused; it takes over from one that sends nothing in that
   * time. As RTMP does it, so that both kinds of cameras behave alike.
   */
  claimWaitMs: 3_000,
  /** Video (or sound, where there is no video) may be absent for so long. Slowest useful cameras send a picture every 5 s. */
  silenceMs: 10_000,
  /** From the publisher's arrival to its first unit: ICE, DTLS and a key frame over a bad line take 10 s. */
  firstUnitMs: 30_000,
  /** Units of all tracks within `unitsPeriodMs`: 2,000 a second; the fastest senders make 240 pictures and 400 sound frames of 2.5 ms. */
  unitsPerPeriodMax: 10_000,
  unitsPeriodMs: 5_000,
  /** Media time beyond what passed: `serve` holds back 10 s at most for an owner that was slow, and then they come at once. */
  aheadMsMax: 30_000,
  /** Media time may step back by reordering: 16 pictures at 5 pictures/s. */
  stepBackMs: 3_200,
  /** Pictures and sound; an encoder with more is several cameras. */
  tracksMax: 2,
  /** A block's time is 16 bits of milliseconds from its cluster's: a group of pictures that is longer goes on in another cluster. */
  clusterMsMax: 30_000,
  /** So does one that is larger; with the largest picture on top a cluster stays below what a reader takes. */
  clusterBytesMax: 8 * MiB,
  /** Words of ours for people, and how many of them one publisher may bring. */
  warningsMax: 20,
  warningCharactersMax: 300,
  /** Of what passes between the processes: tags of one place, each below 1 KB but for tracks. */
  tagsBytesMax: 256 * KiB,
  /** Who publishes, for logs. */
  peerCharactersMax: 200,
} as const;
