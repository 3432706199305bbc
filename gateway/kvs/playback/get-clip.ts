/** GetClip: the fragments of a range as one MP4 file, as long as it is not too long. */

import { forEachNal } from '../../../storage/media/index.ts';
import { type Clips, clusterSamples, type FragmentSource, type PlayableFragment } from '../../playback/index.ts';
import { type KvsBytes, type KvsCall, type KvsOperations, requireStream } from '../call.ts';
import { awsError } from '../errors.ts';
import { required } from '../members.ts';
import { retentionFloorMs } from '../streams.ts';
import { absenceSentence } from './absence.ts';
import { damaged, isSameSetUp, type PlayedTracks, playedTracks, requirePlayable } from './media-form.ts';
import { axisTime } from './session-entry.ts';
import { checkedRange, selectorMember } from './session-request.ts';
import type { Meter, SessionSource } from './source.ts';
import { requireRetention } from './streaming-session.ts';

export type ClipDeps = {
  readonly source: SessionSource;
  readonly clips: Pick<Clips, 'layOut'>;
  readonly meter: Meter;
};

const action = 'kinesisvideo:GetClip';
/** AWS ends a clip before it has more. */
const fragmentsMax = 200;
const bytesMax = 100_000_000;

export function clipOperations(deps: ClipDeps): KvsOperations {
  return new Map([['/getClip', { action, run: (call) => getClip(deps, call) }]]);
}

async function getClip({ source, clips, meter }: ClipDeps, call: KvsCall): Promise<KvsBytes> {
  const selector = selectorMember(call.input, 'ClipFragmentSelector');
  const axis = required(selector.axis, 'ClipFragmentSelector.FragmentSelectorType');
  const given = required(selector.range, 'ClipFragmentSelector.TimestampRange');
  const beginMs = required(given.beginMs, 'StartTimestamp');
  const endMs = required(given.endMs, 'EndTimestamp');
  checkedRange({ beginMs, endMs });
  const stream = requireStream(call, action);
  requireRetention(stream);
  const floorMs = retentionFloorMs(stream, call.nowMs);
  const found = await source.fragmentsByTime(stream.id, {
    ...{ axis, beginMs, endMs: endMs + 1, limit: fragmentsMax },
    isWanted: ({ serverTimestampMs }) => serverTimestampMs >= floorMs,
  });
  const [first] = found;
  if (first !== undefined) requirePlayable(first, 'clip');
  // Of fragments that begin at the same time the newest, and nothing before the first key frame: it cannot be decoded.
  const distinct = found.filter((one, at) => {
    const next = found[at + 1];
    return next === undefined || axisTime(next, axis) !== axisTime(one, axis);
  });
  const references = withinBytes(
    distinct.slice(
      Math.max(
        0,
        distinct.findIndex(({ fragment }) => fragment.isKey),
      ),
    ),
  );
  if (references[0]?.fragment.isKey !== true) {
    // Frames in another form than Matroska's are no key frames to us.
    if (first !== undefined) await requireReadable(source, first);
    const why = absenceSentence(source, { streamId: stream.id, axis, beginMs, endMs });
    throw awsError('ResourceNotFoundException', `No fragments found in the stream for the clip request.${why}`);
  }
  requireOneClipSetUp(references);
  await requireReadable(source, references[0]);
  let clip = clips.layOut(references);
  for (let count = references.length - 1; clip.byteLength > bytesMax && count > 0; count--) {
    clip = clips.layOut(references.slice(0, count));
  }
  const count = (bytes: number) => meter.add('GetClip.OutgoingBytes', stream.name, bytes);
  return {
    kind: 'bytes',
    contentType: clip.contentType,
    byteLength: clip.byteLength,
    body: counted(clip.read(), count),
  };
}

/** The first is in it whatever its size. */
function withinBytes(references: readonly PlayableFragment[]): readonly PlayableFragment[] {
  let bytes = 0;
  const over = references.findIndex(({ fragment }) => {
    bytes += fragment.byteLength;
    return bytes > bytesMax;
  });
  return over < 0 ? references : references.slice(0, Math.max(1, over));
}

/** Sound may be missing in between; what changes is refused, as AWS does. */
function requireOneClipSetUp(references: readonly PlayableFragment[]): void {
  let known: PlayedTracks = { video: undefined, audio: undefined };
  for (const { segment } of references) {
    const { video, audio } = playedTracks(segment.tracks, 'clip');
    if (!isSameSetUp(known.video, video) || !isSameSetUp(known.audio, audio)) {
      throw awsError(
        'InvalidCodecPrivateDataException',
        'The codec private data changes within the requested fragments.',
      );
    }
    known = { video: known.video ?? video, audio: known.audio ?? audio };
  }
}

/** Producers may send frames with start codes, which nobody looked at when they came. */
async function requireReadable(source: FragmentSource, reference: PlayableFragment): Promise<void> {
  const { video } = playedTracks(reference.segment.tracks, 'clip');
  try {
    const samples = clusterSamples(await source.clusterBytes(reference), reference.segment);
    const [picture] = samples.get(video?.number ?? 0) ?? [];
    if (picture !== undefined) forEachNal(picture.bytes, () => {});
  } catch (error) {
    throw damaged(error);
  }
}

async function* counted(body: AsyncIterable<Uint8Array>, count: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for await (const bytes of body) {
    count(bytes.length);
    yield bytes;
  }
}
