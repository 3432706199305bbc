/** Stream keys for publishers: made here, told once. */

import { streamKeySha256 } from '../../storage/model/stream-key.ts';

/** A key for its owner to enter, and what is kept of it. */
export type NewStreamKey = { readonly streamKey: string; readonly keySha256: string };

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
const keyCharacters = 32;

/** 160 random bits as 32 characters that every encoder's form takes and people can read out. */
export function newStreamKey(random: (bytes: number) => Uint8Array): NewStreamKey {
  // A byte modulo 32 is still uniform.
  const streamKey = Array.from(random(keyCharacters), (byte) => alphabet[byte % alphabet.length]).join('');
  return { streamKey, keySha256: streamKeySha256(streamKey) };
}
