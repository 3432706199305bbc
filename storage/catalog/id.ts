/** Ids of cameras, streams, users and the like: short enough to read aloud, safe in paths and URLs. */

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
const idCharacters = 10;

/** 10 characters of a-z2-7: 50 random bits, so that a site's few thousand never meet. `random` gives that many random bytes. */
export function newId(random: (bytes: number) => Uint8Array): string {
  return Array.from(random(idCharacters), (byte) => alphabet[byte & 31]).join('');
}
