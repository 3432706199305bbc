/** Takes the lines out of a description that this room reads, within its bounds, before any parser of others sees it. Pure. */

import { appError } from '../../../storage/base/errors.ts';
import { sdpLimits } from './limits.ts';

/** What is left out is not understood, which descriptions allow: RFC 8866, 5. */
const knownAttributes: ReadonlySet<string> = new Set([
  ...['group', 'ice-lite', 'ice-ufrag', 'ice-pwd', 'fingerprint', 'setup', 'mid', 'bundle-only', 'rtcp-mux'],
  ...['rtpmap', 'fmtp', 'rtcp-fb', 'extmap', 'sendrecv', 'sendonly', 'recvonly', 'inactive', 'ssrc', 'ssrc-group'],
]);

export type DescriptionLines = {
  /** Lines of version, media and known attributes, each ended by CR LF. */
  readonly text: string;
  readonly candidates: number;
};

/**
 * @param text  as it came; lines end by CR LF, LF or CR
 * @throws AppError invalid_argument  too long, too many, or not the beginning of a description
 */
export function readLines(text: string): DescriptionLines {
  const lines = boundedLines(text);
  if (lines[0] !== 'v=0') throw refusal('it does not begin with "v=0"');
  let media = 0;
  let candidates = 0;
  const kept: string[] = [];
  for (const line of lines) {
    const type = line.slice(0, 2);
    if (type === 'm=' && ++media > sdpLimits.mediaMax) throw refusal(`it has over ${sdpLimits.mediaMax} m-lines`);
    const attribute = type === 'a=' ? line.slice(2).split(':', 1)[0] : undefined;
    if (attribute === 'candidate') candidates++;
    if (type === 'v=' || type === 'm=' || (attribute !== undefined && knownAttributes.has(attribute))) kept.push(line);
  }
  if (media === 0) throw refusal('it has no m-line');
  if (candidates > sdpLimits.candidatesMax) throw refusal(`it has ${candidates} candidates`);
  return { text: `${kept.join('\r\n')}\r\n`, candidates };
}

/** @throws AppError invalid_argument  too long, or too many */
export function boundedLines(text: string): string[] {
  const { charactersMax, linesMax, lineCharactersMax } = sdpLimits;
  if (text.length > charactersMax) throw refusal(`it has over ${charactersMax} characters`);
  // Never more pieces than are counted, and one to tell that there were more.
  const lines = text.split(/\r\n|\r|\n/, linesMax + 1).filter((line) => line !== '');
  if (lines.length > linesMax) throw refusal(`it has over ${linesMax} lines`);
  const long = lines.findIndex((line) => line.length > lineCharactersMax);
  if (long >= 0) throw refusal(`line ${long + 1} has over ${lineCharactersMax} characters`);
  return lines;
}

/** A description that is not taken. */
export function refusal(why: string) {
  return appError('invalid_argument', `the session description is not understood: ${why}`);
}
