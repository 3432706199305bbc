/** Bytes of a pipe, whose pieces are cut anywhere. Pure. */

/** What was left and what came, as a plain `Uint8Array`, so that its `slice` copies as a `Buffer`'s would not: a view where nothing was left. */
export function joined(rest: Uint8Array, chunk: Uint8Array): Uint8Array {
  if (rest.length === 0) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
  const bytes = new Uint8Array(rest.length + chunk.length);
  bytes.set(rest);
  bytes.set(chunk, rest.length);
  return bytes;
}
