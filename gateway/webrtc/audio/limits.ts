/** Bounds of sound on its way through children, and how they were derived. */

export const audioLimits = {
  /** A child that has got so much and gave nothing back holds sound up: more would only make the delay longer. Starting takes 0.1 to 0.5 s. */
  inFlightUsMax: 1_000_000,
  /** What waits for a child: the longest start seen on a busy machine, with room. Older sound goes first. */
  waitingUsMax: 4_000_000,
  /** Of it, in bytes: 4 s of PCM are 768 KB. */
  waitingBytesMax: 1024 * 1024,
  /** A child whose input is full and that says nothing for so long hangs, or gets what it cannot decode: a new one is tried. */
  stuckMs: 5_000,
  restartDelayMsMin: 500,
  restartDelayMsMax: 30_000,
  /** A child that worked for so long was well: the next failure is tried again soon. */
  stableMs: 10_000,
  /** Steps of 20 ms that one who begins to talk has ahead in a mix: 60 ms of jitter, as a decoder of speech allows for. */
  voiceStepsBegin: 3,
  /** Above so many its clock is faster than ours, or it was held up: 200 ms behind is where people notice. */
  voiceStepsMax: 10,
  /** A mix that is later makes no sound for the time in between: as much as a voice can wait. */
  lateStepsMax: 10,
  /** The end of what a child complains about. */
  spokenBytesMax: 2_048,
} as const;
