/** What a policy says of a span, and how long footage is kept by it. Pure, as `recording-mode.ts`, which both build on. */

import type { RecordingMode, RecordingPolicy } from './camera.ts';
import { recordingModeAt } from './recording-mode.ts';

type Modes = Pick<RecordingPolicy, 'mode' | 'schedule'>;

/** A part of a span in which one mode holds. */
export type ModeSpan = { readonly mode: RecordingMode; readonly beginMs: number; readonly endMs: number };

/** The modes of a span in order; neighbours differ, but for those of a schedule whose next change is far away. */
export function* modesWithin(
  policy: Modes,
  span: { readonly beginMs: number; readonly endMs: number },
): Generator<ModeSpan> {
  for (let beginMs = span.beginMs; beginMs < span.endMs; ) {
    const { mode, untilMs } = recordingModeAt(policy, beginMs);
    const endMs = Math.min(untilMs, span.endMs);
    yield { mode, beginMs, endMs };
    beginMs = endMs;
  }
}

/** Of footage of a span, the mode that keeps it longest: nothing that was to be recorded goes for a moment that was not. */
export function strongestMode(
  policy: Modes,
  span: { readonly beginMs: number; readonly endMs: number },
): RecordingMode {
  let strongest: RecordingMode = 'live';
  for (const { mode } of modesWithin(policy, span)) {
    if (mode === 'continuous') return mode;
    if (mode === 'events') strongest = mode;
  }
  return strongest;
}

/** How long footage of an instant stays that no event marks. */
export function keptMsAt(policy: Modes & Pick<RecordingPolicy, 'retentionHours' | 'preRollMinutes'>, wallMs: number) {
  const { mode } = recordingModeAt(policy, wallMs);
  if (mode === 'live') return 0;
  return mode === 'events' ? policy.preRollMinutes * 60_000 : policy.retentionHours * 3_600_000;
}
