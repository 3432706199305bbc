/** The live atom: all coded data of one instant of one track. */

export type AccessUnit = {
  readonly trackNumber: number;
  /**
   * Presentation time on the session's media timeline, microseconds, whole. All tracks of a session share it; the first unit
   * lies near 0, and it may be slightly negative for a track that began earlier. Units come in decode order per track.
   */
  readonly presentationTimeUs: number;
  /** The source's own wall time of this unit, milliseconds since 1970 UTC; undefined while the source has not told it. */
  readonly producerTimestampMs: number | undefined;
  /** When its last byte reached us, on `Clock.monotonicMs`. */
  readonly receivedMonotonicMs: number;
  /** Decodable alone: IDR, HEVC IRAP, or a recovery point with count 0. Audio units are always key. */
  readonly isKey: boolean;
  /** Packets are known to be missing between this unit and the previous one of its track. */
  readonly isAfterLoss: boolean;
  /** Video: length-prefixed NAL units (4 bytes, big endian). Audio: one raw codec frame. Borrowed until the call returns. */
  readonly bytes: Uint8Array;
};
