/** Connects once and says what is there: "test before saving", run in a process of its own. */

import type { AddressPolicy } from '../../storage/base/address-policy.ts';
import { lengthPrefixedToAnnexB, parameterSetsOf } from '../../storage/media/index.ts';
import type { RtspSource } from '../../storage/model/camera.ts';
import type { Track } from '../../storage/model/track.ts';
import { type RtspDeps, type RtspFacts, RtspSession } from './session.ts';
import { SourceFault, type SourceSink } from './source.ts';

export type ProbeResult = RtspFacts & {
  readonly tracks: readonly Track[];
  /**
   * The first picture that is decodable alone, Annex B with its parameter sets before it: a file that ffmpeg opens. Undefined
   * without video, or when none came in time.
   */
  readonly keyFrame: Uint8Array | undefined;
  /** From the start of the connection to the first picture or sound, and to the key frame. */
  readonly firstUnitMs: number | undefined;
  readonly keyFrameMs: number | undefined;
  readonly clockOffsetMs: number | undefined;
};

/**
 * Plays the source until its first key frame, its first sound where there is no video, or the deadline.
 *
 * @throws SourceFault  it did not play at all, with the reason and what a person can do
 */
export async function probe(
  deps: RtspDeps,
  source: RtspSource,
  options: { readonly deadlineMs: number; readonly signal?: AbortSignal; readonly addresses?: AddressPolicy },
): Promise<ProbeResult> {
  const { clock } = deps;
  const beganMs = clock.monotonicMs();
  const ours = new AbortController();
  const signal = options.signal === undefined ? ours.signal : AbortSignal.any([ours.signal, options.signal]);
  const { addresses } = options;
  const session = new RtspSession(deps, { source, ...(addresses === undefined ? {} : { addresses }) });
  let tracks: readonly Track[] = [];
  let keyFrame: Uint8Array | undefined;
  let firstUnitMs: number | undefined;
  let keyFrameMs: number | undefined;
  let clockOffsetMs: number | undefined;
  const sink: SourceSink = {
    session: (announced) => {
      tracks = announced;
    },
    unit: (unit) => {
      const nowMs = clock.monotonicMs() - beganMs;
      firstUnitMs ??= nowMs;
      const track = tracks.find(({ number }) => number === unit.trackNumber);
      if (track?.kind === 'video' && unit.isKey && keyFrame === undefined) {
        keyFrame = withParameterSets(track, unit.bytes);
        keyFrameMs = nowMs;
        ours.abort();
      } else if (!tracks.some(({ kind }) => kind === 'video')) {
        ours.abort();
      }
    },
    loss: () => {},
    clock: ({ offsetMs }) => {
      clockOffsetMs = offsetMs;
    },
  };
  const cancel = clock.after(options.deadlineMs, () => ours.abort());
  const end = await session.run(sink, signal);
  cancel();
  if (tracks.length === 0) {
    throw new SourceFault(end.reason === 'shutdown' ? tooLate(options.deadlineMs, session.facts) : end);
  }
  return { ...session.facts, tracks, keyFrame, firstUnitMs, keyFrameMs, clockOffsetMs };
}

function tooLate(deadlineMs: number, facts: RtspFacts) {
  const seconds = Math.round(deadlineMs / 1000);
  const isPlaying = facts.transport !== undefined;
  return {
    reason: isPlaying ? ('source-silent' as const) : ('unreachable' as const),
    message: isPlaying ? `no picture came within ${seconds} s` : `the camera was not ready within ${seconds} s`,
    hint: 'try again; cameras that are busy or on a weak network need longer',
    isRetryable: true,
  };
}

function withParameterSets(track: Track, bytes: Uint8Array): Uint8Array {
  const startCode = Uint8Array.of(0, 0, 0, 1);
  const sets = parameterSetsOf(track).flatMap((set) => [startCode, set]);
  return Uint8Array.from(Buffer.concat([...sets, lengthPrefixedToAnnexB(bytes)]));
}
