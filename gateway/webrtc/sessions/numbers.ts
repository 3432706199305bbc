/** Numbers that descriptions of ours are told apart by. */

/** 62 random bits in decimal: RFC 8829, 5.2.1. */
export function newSessionNumber(random: (bytes: number) => Uint8Array): string {
  return (Buffer.from(random(8)).readBigUInt64BE() >> 2n).toString();
}
