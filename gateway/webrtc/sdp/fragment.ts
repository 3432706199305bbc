/** `application/trickle-ice-sdpfrag` (RFC 8840): what a peer sends by PATCH, and what it gets for a restart. Pure. */

import { candidateLines } from './candidates.ts';
import { sdpLimits } from './limits.ts';
import { boundedLines, refusal } from './lines.ts';
import type { OwnTransport, PeerMedia } from './types.ts';

export type IceFragment = {
  /** Of the peer, when it said them. Others than before are a restart. */
  readonly ice: { readonly usernameFragment: string; readonly password: string } | undefined;
  readonly candidates: number;
};

/** RFC 8839, 5.1, with room for extensions. Addresses may be names of multicast DNS. */
const candidatePattern =
  /^a=candidate:[\w+/]{1,32} \d{1,5} \w{1,32} \d{1,10} [\w.:%-]{1,253} \d{1,5} typ \w{1,32}(?: [\x21-\x7e]{1,128} [\x21-\x7e]{1,128})*$/;

/**
 * Checked and then forgotten but for the credentials: who is ICE-lite sends no checks, and learns of addresses by being checked.
 * @throws AppError invalid_argument
 */
export function readFragment(text: string): IceFragment {
  const lines = boundedLines(text);
  if (lines.length === 0) throw refusal('the fragment is empty');
  let candidates = 0;
  const found = new Map<string, string>();
  for (const line of lines) {
    if (!/^[a-z]=/.test(line)) throw refusal('the fragment has a line that is none');
    const [, name, value] = /^a=(ice-ufrag|ice-pwd):([\w+/=-]{4,256})$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) {
      // Of a bundle the first line's count; Chromium makes others for each line of a restart.
      if (!found.has(name)) found.set(name, value);
    } else if (line.startsWith('a=ice-ufrag') || line.startsWith('a=ice-pwd')) {
      throw refusal('the fragment has bad ICE credentials');
    }
    if (!line.startsWith('a=candidate:')) continue;
    if (!candidatePattern.test(line)) throw refusal('the fragment has a candidate that is none');
    if (++candidates > sdpLimits.candidatesMax) throw refusal('the fragment has too many candidates');
  }
  const usernameFragment = found.get('ice-ufrag');
  const password = found.get('ice-pwd');
  const hasBoth = usernameFragment !== undefined && password !== undefined && password.length >= 22;
  return { ice: hasBoth ? { usernameFragment, password } : undefined, candidates };
}

/** What a restarted session has now: for all lines of its bundle, at the first of them. */
export function writeFragment(own: OwnTransport, taken: readonly PeerMedia[]): string {
  const [first] = taken;
  const { usernameFragment, password } = own.iceParameters;
  const lines = [
    'a=ice-lite',
    `a=group:BUNDLE ${taken.map(({ mid }) => mid).join(' ')}`,
    ...(first === undefined ? [] : [`m=${first.mediaType} 9 ${first.protocol} ${first.format}`, `a=mid:${first.mid}`]),
    `a=ice-ufrag:${usernameFragment}`,
    `a=ice-pwd:${password}`,
    ...candidateLines(own).map((line) => `a=${line}`),
    'a=end-of-candidates',
  ];
  return `${lines.join('\r\n')}\r\n`;
}
