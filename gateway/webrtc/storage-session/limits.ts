/** Bounds of storage sessions, and where they come from. */

export const storageSessionLimits = {
  /** AWS: viewers of a session at once; one that was lost counts as long as its place is kept. */
  viewersMax: 3,
  /** AWS: nobody's media goes on for longer; clients join anew. */
  participantMsMax: 3_600_000,
  /** AWS: a master whose media does not come. */
  masterIdleMsMax: 180_000,
  /** AWS: a viewer that is not there; for so long the place of one that was lost is kept for its client id. */
  viewerIdleMsMax: 60_000,
  /** AWS: viewers wait for a master. */
  masterAwaitedMsMax: 180_000,
  /** From our offer to media that can flow: ICE of native clients takes up to 10 s, and people who debug are slow. */
  connectingMsMax: 30_000,
  /** How often all of this is looked at. */
  lookMs: 1_000,
  /** Browsers make a key frame when they are asked: so often, so that what is recorded is cut and can be joined. */
  keyFramePeriodMs: 4_000,
  /** Who sent no sound for so long is taken out of the mix. */
  quietMsMax: 3_000,
  /** The recording is tried again: its owner is away, or has ended it. */
  recordAgainMsMin: 500,
  recordAgainMsMax: 10_000,
  /** A track waits so long for the others: encoding sound takes 60 to 100 ms, jitter of a busy machine the rest. */
  trackWaitMs: 500,
  /** For the first unit of each: an encoder starts in up to half a second. */
  firstTrackWaitMs: 1_500,
  /** Units that wait for their order: 2 s of 60 pictures and 50 frames of sound a second, which is more than they wait. */
  interleavedUnitsMax: 256,
  /** KVS asks for fragments of 1 to 20 s, and takes five a second. */
  fragmentMsMin: 1_000,
  fragmentCutMs: 15_000,
  /** Pictures that stay away for so long end the fragment, as the sound goes on: with `fragmentCutMs` before it is longer than KVS takes. */
  pictureGapMs: 4_000,
  /** So does a master that sends nothing at all: the owner would drop what it has after 30 s. */
  silenceMsMax: 8_000,
  /** A producer's connection ends after 45 minutes: ours is replaced before, at a key frame. */
  putMsMax: 1_800_000,
  /** Another size or profile begins another put, as a phone does that is turned; runs of cameras begin no more often (`runsPerMinuteMax`). */
  putsPerMinuteMax: 30,
  /** An owner that is away is looked for again so long before the recording begins anew. */
  openMsMax: 20_000,
  /** What waits for owners that do not read, of all sessions: 16 that stand still, as of WHIP publishers. */
  queuedBytesMax: 64 * 1024 * 1024,
  /** Sessions at once: a worker carries some hundreds of peers, and each may have 4 here. */
  sessionsMax: 256,
  /** Packets of peers are as long as an Ethernet frame; what is longer is none of theirs. */
  packetBytesMax: 2_048,
  /** An encoder that is not needed any longer ends when its last sound is out. */
  drainMs: 1_000,
} as const;
