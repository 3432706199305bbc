/** A tar archive (POSIX ustar) of a few texts: thirty lines, where a package brings streams, links and owners that nobody needs here. */

import { assert } from '../../storage/base/assert.ts';

export type ArchivedText = { readonly name: string; readonly text: string };

const blockBytes = 512;
const nameBytesMax = 100;

/** @param entries  names of letters, digits, `.`, `-`, `_` and `/`, at most 100 bytes each */
export function tarOf(entries: readonly ArchivedText[], options: { readonly atMs: number }): Uint8Array {
  const blocks = entries.flatMap(({ name, text }) => {
    const bytes = Buffer.from(text);
    const padding = (blockBytes - (bytes.length % blockBytes)) % blockBytes;
    return [headerOf(name, bytes.length, options.atMs), bytes, Buffer.alloc(padding)];
  });
  // Two empty blocks are the end.
  return Buffer.concat([...blocks, Buffer.alloc(2 * blockBytes)]);
}

function headerOf(name: string, byteLength: number, atMs: number): Buffer {
  assert(/^[A-Za-z0-9._/-]+$/.test(name) && name.length <= nameBytesMax, 'names in an archive are ours');
  const header = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, digits: number) =>
    header.write(value.toString(8).padStart(digits, '0'), at);
  header.write(name, 0);
  octal(0o600, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(byteLength, 124, 11);
  octal(Math.floor(atMs / 1000), 136, 11);
  header.fill(' ', 148, 156);
  header.write('0', 156);
  header.write('ustar\u000000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  octal(sum, 148, 6);
  header[154] = 0;
  return header;
}
