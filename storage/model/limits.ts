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
  /** KVS: 4012. */
  tracksMax: 3,
  /** A fragment waits so long for its slower tracks to pass the key frame: interleaving of cameras seldom exceeds 200 ms. */
  trackWaitMs: 500,
  /** At the beginning of a session the first fragment waits so long for each declared track to show up. */
  firstTrackWaitMs: 1_000,

  /** About one object a minute and camera: 100 cameras make 1.7 files a second, a tenth of a spinning disk's seeks. */
  segmentDurationMs: 60_000,
  segmentBytes: 64 * MiB,
  /** Hard bound on both time axes, so that an interval query looks back no further than this. */
  segmentDurationMsMax: 120_000,

  /** Written at least this often, so that memory does not grow with GOP or fragment size. */
  flushPeriodMs: 1_000,
  flushBytes: 1 * MiB,
  /** Recorders of one process share this: 100 cameras at 4 Mb/s fill 50 MB a second, a stalled disk is survived for 10 s. */
  recorderBytesMax: 512 * MiB,

  /** Fragment numbers are reserved on disk in blocks: at 2 s a fragment one small write every half an hour and stream. */
  numberBlock: 1_000,

  /** KVS: 4009. */
  fragmentTagsMax: 10,
  fragmentTagNameBytesMax: 128,
  fragmentTagValueBytesMax: 256,

  /** One coded picture: the largest seen is an 8K intra frame of 6 MB. */
  accessUnitBytesMax: 16 * MiB,
  /** avcC and hvcC have below 1 KB; bound for what a producer may declare. */
  codecPrivateBytesMax: 64 * KiB,

  /** One message on a lane socket: one access unit and its head. */
  laneMessageBytesMax: 17 * MiB,
  /** A lane's queue: two largest key frames, or about 16 s at 4 Mb/s. */
  laneBytesMax: 34 * MiB,

  /** Retention 0: what live players need and KVS documents (5 minutes or 200 MB). */
  ringDurationMs: 300_000,
  ringBytes: 200_000_000,

  /** Readers in flight finish before bytes of a removed segment go. */
  garbageDelayMs: 15 * 60_000,
  /** A wall clock step above this stops age retention until a person confirms. */
  clockStepMsMax: 10 * 60_000,
} as const;

assert(limits.laneBytesMax >= 2 * limits.laneMessageBytesMax, 'a lane holds two of the largest messages');
assert(
  limits.fragmentCutBytes + limits.accessUnitBytesMax < limits.fragmentBytesMax,
  'a cut fragment stays below the largest',
);
assert(2 * limits.segmentDurationMs <= limits.segmentDurationMsMax, 'a segment may wait for its last fragment');
