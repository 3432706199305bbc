/** Why a range has no fragments, as one more sentence of AWS's error: its name and its beginning stay as clients know them. */

import type { TimeAxis } from '../../../storage/index/index.ts';
import { absenceText, type FragmentSource } from '../../playback/index.ts';

/**
 * Empty where nothing is known: of a range by producer time, since rows of removals and pauses have the server's, and of none.
 * An open end is that of a moment.
 */
export function absenceSentence(
  source: Pick<FragmentSource, 'absence'>,
  asked: {
    readonly streamId: string;
    readonly axis: TimeAxis;
    readonly beginMs?: number | undefined;
    readonly endMs?: number | undefined;
  },
): string {
  const { streamId, axis, beginMs } = asked;
  if (axis !== 'server' || beginMs === undefined) return '';
  const endMs = Math.max(beginMs + 1, asked.endMs ?? 0);
  const absence = source.absence?.(streamId, { beginMs, endMs });
  if (absence === undefined) return '';
  const text = absenceText(absence);
  return ` ${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
