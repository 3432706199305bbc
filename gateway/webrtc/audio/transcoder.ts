/** What changes the form of sound while it flows, as its users see it. */

/** One coded frame of sound on its way in. */
export type SoundUnit = {
  /** Any timeline of the caller's, microseconds; it may jump. */
  readonly presentationTimeUs: number;
  /** Borrowed until the call returns. */
  readonly bytes: Uint8Array;
};

/** One coded frame of sound that came out. */
export type SoundPacket = {
  /** When its first sample is heard, on the timeline of the units that went in, microseconds, whole; may be before the first of them. */
  readonly presentationTimeUs: number;
  readonly durationUs: number;
  /** The receiver's own. */
  readonly bytes: Uint8Array;
};

export type Transcoder = {
  /**
   * Takes the next unit. Nothing runs before the first. Never waits and never fails: what finds no room pushes out what waits
   * longest, and what comes while nothing runs is lost; both are counted in `dropped`.
   */
  push(unit: SoundUnit): void;
  /** Units that were lost so far. */
  readonly dropped: number;
  /** Why there is no sound just now, for people; undefined while there is nothing to tell. */
  readonly note: string | undefined;
  /** Ends what runs; nothing comes out after the call. May be called twice. */
  close(): Promise<void>;
};

export type TranscoderEvents = {
  readonly onPacket: (packet: SoundPacket) => void;
  /** Told with each change of `note`. */
  readonly onNote?: (note: string | undefined) => void;
};
