/** Chance as a parameter: secrets are made of random bytes, delays and first numbers of fractions. */

/** Draws fractions of 32 bits, at least 0 and below 1, from random bytes. */
export function fractionOf(random: (bytes: number) => Uint8Array): () => number {
  return () => Buffer.from(random(4)).readUInt32BE() / 2 ** 32;
}
