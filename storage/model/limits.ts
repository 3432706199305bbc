/** Every bound in one place, with how it was derived. A number without a line here is a mistake. */

import { assert } from '../base/assert.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

export const limits = {
  /** KVS refuses fragments over 50 MB and 20 s (`kvs-api.md` 4.5: 4001, 4002); ours must be fit for the mirror. */
  fragmentBytesMax: 50_000_000,
  fragmentDurationMsMax: 20_000,
  /** Without a key frame a fragment is cut here and goes on as a continuation: half of what KVS takes, a third of its bytes. */
  fragmentCutMs: 10_000,
  fragmentCutBytes: 16 * MiB,
  /** Audio alone: KVS advises fragments of 1 to 10 s; 2 s keeps the delay of live players low. */
  audioFragmentMs: 2_000,
  /** A camera of key frames alone gets fragments this long: KVS takes 5 a second, and each costs a number and a record. */
  fragmentDurationMsMin: 500,
  /** KVS: 4012. */
  tracksMax: 3,
  /** A fragment waits so long for its slower tracks to pass the key frame: interleaving of cameras seldom exceeds 200 ms. */
  trackWaitMs: 500,
  /** At the beginning of a session the first fragment waits so long for each declared track to show up. */
  firstTrackWaitMs: 1_000,
  /** A longer hole in a track's media time ends the run; cameras of one picture in 5 s are the slowest seen. */
  timeHoleMs: 7_000,
  /** Shorter holes within a run are jitter of a camera's clock, or a picture or two that its encoder left out. */
  holeMsMin: 250,
  /** Spans of missing media told of one fragment: above four a second its losses of one kind are told as one. */
  fragmentLossesMax: 40,
  /** A track may lag behind the others so far in arriving and is kept; cameras that delay audio do so by up to 2 s. */
  trackLateMs: 3_000,
  /** Audio time that goes back by less is straightened, by more it is a jump. */
  audioBackMs: 500,

  /** About one object a minute and camera: 100 cameras make 1.7 files a second, a tenth of a spinning disk's seeks. */
  segmentDurationMs: 60_000,
  segmentBytes: 64 * MiB,
  /** Hard bound on both time axes, so that an interval query looks back no further than this. */
  segmentDurationMsMax: 120_000,
  /** Bounds a table at 0.6 MB: a minute of one picture a fragment at 60 pictures a second has 3,600. */
  segmentFragmentsMax: 4_096,
  /** Everything before the first cluster: three largest CodecPrivate, in our tracks and in the producer's header, and room. */
  segmentHeadBytesMax: 1 * MiB,

  /** Written at least this often, so that memory does not grow with GOP or fragment size. */
  flushPeriodMs: 1_000,
  flushBytes: 1 * MiB,
  /** Pending bytes are kept in pieces of this size: a second of 1 Mb/s, so that a slow camera holds little. */
  pendingChunkBytes: 128 * KiB,
  /** Free pieces kept for reuse: what 100 writers have in flight; more is given back after a stall. */
  pendingFreeBytesMax: 64 * MiB,
  /** Recorders of one process share this: 100 cameras at 4 Mb/s fill 50 MB a second, a stalled disk is survived for 10 s. */
  recorderBytesMax: 512 * MiB,
  /** Of it one stream may hold a quarter, 10 s at 100 Mb/s: one that floods a stalled disk must not end the runs of all others. */
  recorderShareBytesMax: 128 * MiB,

  /**
   * Imports have memory of their own: each the largest fragment, held units twice that, and what is on its way to the disk.
   * Two at a time: more do not make a disk faster.
   */
  importBytesMax: 160 * MiB,
  importsMax: 2,
  /** Of an import, written and not yet in its file: a second of a fast disk. */
  importFlightBytes: 16 * MiB,
  /** Of an import, in its file and not yet durable: an import that is ahead of the disk would make the cameras' syncs long. */
  importUndurableBytes: 128 * MiB,

  /** Recovery compares so many of a torn file's last clusters with their hashes: 10 s of a slow disk's sync period and its time. */
  recoveryVerifyFragments: 8,

  /** Fragment numbers are reserved on disk in blocks: at 2 s a fragment one small write every half an hour and stream. */
  numberBlock: 1_000,

  /** A journal on flash: what power loss may take of pulled cameras. Spinning disks take 5,000 to 10,000. */
  syncPeriodMs: 2_000,
  /** A sync that takes longer counts as failed: a spinning disk with a gigabyte of dirty pages needs about 10 s. */
  syncTimeoutMs: 60_000,

  /** KVS: 4009. */
  fragmentTagsMax: 10,
  fragmentTagNameBytesMax: 128,
  fragmentTagValueBytesMax: 256,
  /** The Tags element behind a cluster: the commit record and ten of the largest user tags take 5 KB. */
  commitTagsBytesMax: 16 * KiB,

  /** Runs of one stream: above this in a minute the source is waited for, in an hour people are told that the camera is faulty. */
  runsPerMinuteMax: 30,
  runsPerHourWarning: 10,
  /** Server time follows the wall clock inside a run by no more than this: a fragment of 2 s moves by a millisecond at most. */
  slewPpmMax: 500,
  /**
   * A unit cannot have been taken after it arrived: server time that says so began behind a backlog (a kept GOP, a stalled
   * camera), is surely wrong, and goes back to the truth at half speed.
   */
  slewAheadPpmMax: 500_000,
  /** A wall clock that differs from the time that passed by more was set, and the run ends; NTP steps above 0.128 s only at start. */
  wallStepMs: 2_000,
  /** A source that was live for so long was well: its next failure is retried soon again. */
  stableMs: 60_000,
  /** First connections of a hundred cameras are spread over this, so that they do not all negotiate at once. */
  startSpreadMs: 1_500,
  /** A source that neither fails nor delivers for so long is ended from outside: above the longest wait for parameter sets. */
  sourceStuckMs: 60_000,
  /** Ledger lines that wait for their file: an hour of 100 cameras that reconnect every half minute. */
  ledgerLinesMax: 50_000,
  ledgerFileBytes: 1 * MiB,
  /** A ledger line that is older than one before it by more was written after the clock was set back: runs' own time may differ by seconds. */
  ledgerStepMs: 60_000,

  /** One coded picture: the largest seen is an 8K intra frame of 6 MB. */
  accessUnitBytesMax: 16 * MiB,
  /** avcC and hvcC have below 1 KB; bound for what a producer may declare. */
  codecPrivateBytesMax: 64 * KiB,
  /** One SPS, PPS or VPS: scaling lists and VUI of the longest stay below 1 KB. */
  parameterSetBytesMax: 4 * KiB,
  /** TrackEntries that are read at all, before `tracksMax` is asked: a film has a dozen. */
  matroskaTracksMax: 16,
  /** What a producer sends before its first cluster: three tracks with the largest private data, and tags. */
  matroskaHeadBytesMax: 1 * MiB,
  /** One Tags element between clusters: KVS takes 10 tags of 384 bytes, other muxers repeat theirs per track. */
  matroskaTagsBytesMax: 1 * MiB,

  /** One message on a lane socket: one access unit and its head. */
  laneMessageBytesMax: 17 * MiB,
  /** Media of a put goes in frames of this size: so much is parsed before anything else of the process has its turn. */
  putFrameBytesMax: 64 * KiB,
  /** A lane's queue: two largest key frames, or about 16 s at 4 Mb/s. */
  laneBytesMax: 34 * MiB,
  /** All lanes of one process together: eight viewers that stall at once, or hundreds that keep up. */
  lanesBytesMax: 256 * MiB,
  /** Control messages waiting for one slow peer: a hint has about 1 KB, so 1,000 of them; then a fresh snapshot replaces them. */
  laneControlBytesMax: 1 * MiB,
  /** Requests of one peer that are not answered yet. */
  laneRequestsMax: 64,
  /** Peers of one socket: every role's client plus one for each lane of 200 viewers and each of 256 KVS producers. */
  laneConnectionsMax: 512,

  /** A weekly schedule: an edge every half an hour of the week. */
  scheduleSpansMax: 336,
  /** An event marks so much footage before and after itself: people want to see how it came, and detectors are late. */
  eventMarginBeforeMs: 10_000,
  eventMarginAfterMs: 10_000,
  /** The longest event range, and when one that nobody ends is ended: a night or a weekend's day; longer is a hold's business. */
  eventRangeMsMax: 24 * 3_600_000,
  /** Event ranges of one stream: one every half minute for a month. */
  eventRangesMax: 100_000,
  /** A range that begins later than this from now has a wrong clock. */
  eventAheadMsMax: 60_000,
  /** After the keeper's start nothing goes for want of an event before those that waited for it had the time to arrive. */
  eventGraceMs: 45_000,
  /** Edges of a schedule that passed while no process was there, and that the gap ledger is told of: a year of three spans a day. */
  scheduleEdgesMax: 2_200,
  /** Where bytes are short, unmarked footage goes before what events mark, but for the newest: events to come need it. */
  unmarkedSpareMs: 3_600_000,
  /** Streams that are not recorded: what live players need and KVS documents (5 minutes or 200 MB). */
  ringDurationMs: 300_000,
  ringBytes: 200_000_000,
  /** Runs of which the ledger knows that nobody wanted them: those of a camera that reconnects every 5 s for as long as a ring. */
  unwantedPartsMax: 64,

  /** Rows of one answer from the index: a day of one stream has 1,440 segments; more is asked page by page. */
  indexRowsMax: 10_000,
  /** Rows of removals that one timeline is made of: a month of 60 events an hour, and below 0.1 s. */
  removalRowsMax: 50_000,
  /** Tables of finished files that readers keep: about 40 MB, a day of one stream. */
  readerFragmentsCached: 50_000,
  /** Fragments of one answer: two days of one stream; more is asked piece by piece. */
  readerFragmentsMax: 100_000,
  /** Without hints a reader with listeners looks for new fragments this often. */
  readerPollMs: 1_000,
  /** Kept free for the index on a full disk: its log of some thousand removals, many times over. */
  indexSpareBytes: 8 * MiB,
  /** Days of one completeness question: a year and a bit, half a million intervals at worst. */
  completenessDaysMax: 400,
  /** One read from an object store: a whole segment, or the largest fragment. */
  objectRangeBytesMax: 64 * MiB,
  /** What a live HLS playlist shows: ten times what a player holds back at GOPs of 2 s, and short enough to be sent every 2 s. */
  hlsWindowMs: 60_000,
  /** RFC 8216bis 6.2.2: a live playlist has at least three target durations. */
  hlsWindowFragmentsMin: 3,
  /** Entries of one playlist or clip: 24 hours of 2 s with some more; the playlist has 7 MB then, the clip's index 600 KB. */
  playbackFragmentsMax: 50_000,
  /** One playlist or clip: a week of a camera that records seldom; what is dense meets the bound above after a day. */
  playbackRangeMsMax: 7 * 24 * 3_600_000,
  /** A live session's numbers are counted anew after a restart by reading fragment tables so far back: 6 hours are 360 tables. */
  hlsCountBackMs: 6 * 3_600_000,
  /** Sessions whose counting is remembered: about 1 KB and a window of references each. */
  hlsSessionsMax: 1_000,
  /** Low-latency HLS: a part lasts about so long, by whole pictures; a player is three of them and the way of a request behind. */
  hlsPartMs: 400,
  /** Closed fragments of a stream whose parts are kept: players want those of the last three target durations, slow ones for some seconds. */
  hlsPartFragments: 4,
  hlsPartsKeptMs: 10_000,
  /** Streams that are watched with low latency at once, and what their parts take together: five fragments of 2 s at 4 Mb/s each. */
  hlsPartStreamsMax: 64,
  hlsPartsBytesMax: 320 * MiB,
  /** The parts of a stream are given up so long after the last request of a low-latency player; they ask several times a second. */
  hlsPartsLingerMs: 10_000,
  /** Requests of low-latency players that wait at once: two of each of 500; more are answered without waiting. */
  hlsBlockedMax: 1_000,
  /** How long they wait at most: below the 10 s after which hls.js takes a playlist for lost. */
  hlsBlockedMsMax: 8_000,
  /** A live playlist of a stream that has just begun waits so long for its first fragment: a GOP of 10 s. */
  hlsFirstFragmentWaitMs: 10_000,
  /** A stream without a fragment for so long is not live (KVS: 30 s); twice the largest fragment and its closing. */
  liveAgeMsMax: 45_000,
  /** Remuxed media segments that are kept: the newest fragment of 100 cameras at 4 Mb/s and 2 s GOPs. */
  playbackCacheBytes: 128 * MiB,

  /**
   * Luma samples of a picture that is decoded: what level 6.2 of H.264 and H.265 allows, 8192 by 4352. A key frame of some
   * kilobytes can tell of pictures that take all memory of the machine, and the recordings with it.
   */
  picturePixelsMax: 35_651_584,
  /** Pictures waiting for one decoder: at 20 ms a picture the last one waits 2 s. */
  imageQueueMax: 100,
  /** A key frame of 8K takes 0.5 s to decode; a decoder that is silent for longer on a busy machine is stuck. */
  imageTimeoutMs: 5_000,
  /** Decoders running at a time (60 MB each), by codec and picture size. */
  imageDecodersMax: 4,
  /** A decoder that had nothing to do for so long ends. */
  imageDecoderIdleMs: 60_000,
  /** One JPEG: 8K at the quality used has 8 MB. */
  imageBytesMax: 16 * MiB,
  /** Pictures that are kept: about 300 of 1080p, or the wall of 100 cameras at 640 pixels many times. */
  imageCacheBytes: 48 * MiB,

  /** Beside twice the fragment's duration: a child that takes longer is stuck. For fragments of 1 s this is what hls.js waits. */
  conversionTimeoutMs: 8_000,
  /** So many failures one after the other are the encoder's (a driver that crashed), not the media's: it is chosen anew. */
  conversionFailuresMax: 3,
  /** What a child may write: the largest fragment, since converted video is bounded in its rate. */
  conversionBytesMax: 64 * MiB,
  /** Fragments before the one to be converted that its decoding may need: a key frame every two minutes. */
  conversionLeadMax: 12,
  /** Requests that may wait for one conversion: its viewers at different places of a recording. */
  conversionWaitingMax: 8,
  /** A conversion that nobody asked for anything ends: players of a live stream ask every few seconds. */
  conversionIdleMs: 20_000,
  /** Picture sizes whose converted form is remembered. */
  conversionSizesMax: 64,
  /** Converted media segments that are kept, live and recorded each: 40 s at the highest rate of eight 1080p streams. */
  conversionCacheBytes: 32 * MiB,

  /** Readers in flight finish before bytes of a removed segment go. */
  garbageDelayMs: 15 * 60_000,
  /** A disk keeps 2 % free for others, but no more than this: file systems slow down when they are full. */
  diskReserveBytesMax: 10 * 1024 * MiB,
  /** Neighbouring fragments of two runs may lie so far apart without a gap row: a frame or two, by which ends are estimated. */
  gapToleranceMs: 250,
  /** Findings of one check that are told: who has more than that has one cause. */
  checkFindingsMax: 1_000,
  /** Legal holds at the same time: each is looked at for every segment that retention considers. */
  holdsMax: 1_000,
  /** Gap rows become final so long after their time: an open file is finished, or recovered, and taken in by then. */
  gapSettleMs: 10 * 60_000,
  /** The keeper writes down that it lives so often; a silence of twice that means that nothing ran. */
  keeperAlivePeriodMs: 60_000,
  /** An object store that answers nothing for so long counts as away. */
  storeTimeoutMs: 60_000,
  /** An S3 store on whose connection no byte moves for so long has gone, whatever TCP says: a busy disk answers within 10 s. After an object twice that. */
  s3IdleMs: 30_000,
  /** One small question to an S3 store, from the wait for a free connection to the last byte of the answer. */
  s3CallMsMax: 60_000,
  /** One segment in or out of an S3 store: 64 MiB at 1 Mb/s take 9 minutes. */
  s3TransferMsMax: 600_000,
  /** Connections to one S3 store: the keeper's puts, or ranges of a dozen viewers, and some room. */
  s3ConnectionsMax: 16,
  /** A server that says nothing to `Expect: 100-continue` gets the body after this, as RFC 9110 10.1.1 wants it. */
  s3ContinueWaitMs: 1_000,
  /** One answer of an S3 store that is no object: a list of 1,000 keys of 512 bytes, each with 1 KB around it. */
  s3AnswerBytesMax: 4 * MiB,
  /** A start so long after the newest footage puts the clock in doubt. */
  clockAheadMsMax: 86_400_000,
  /** A wall clock step above this stops age retention until a person confirms. */
  clockStepMsMax: 10 * 60_000,
} as const;

assert(limits.laneBytesMax >= 2 * limits.laneMessageBytesMax, 'a lane holds two of the largest messages');
assert(limits.lanesBytesMax >= limits.laneBytesMax, 'one lane may fill up while others are empty');
assert(limits.laneMessageBytesMax > limits.accessUnitBytesMax, 'a message holds the largest access unit');
assert(
  limits.fragmentCutBytes + limits.accessUnitBytesMax < limits.fragmentBytesMax,
  'a cut fragment stays below the largest',
);
assert(
  limits.recorderShareBytesMax * 4 <= limits.recorderBytesMax,
  'three streams that flood leave room for the others',
);
assert(
  limits.recorderShareBytesMax >= 2 * (limits.fragmentCutBytes + limits.accessUnitBytesMax),
  'a stream may hold its largest fragment and the next one while the disk is busy',
);
assert(
  limits.importBytesMax >= limits.importFlightBytes + 4 * (limits.fragmentCutBytes + limits.accessUnitBytesMax),
  'an import can go on whatever its fragments are',
);
assert(limits.objectRangeBytesMax >= limits.fragmentBytesMax, 'a fragment is read from the store in one piece');
assert(
  limits.fragmentCutMs + limits.timeHoleMs + limits.trackLateMs <= limits.fragmentDurationMsMax,
  'a fragment cut after a hole, with a late track, is not too long',
);
assert(limits.s3CallMsMax > limits.s3IdleMs, 'a dead connection is told from a slow answer');
assert(2 * limits.segmentDurationMs <= limits.segmentDurationMsMax, 'a segment may wait for its last fragment');
