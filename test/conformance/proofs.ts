/** Which tests prove which points: their names begin with the numbers, `(39, 57) each fragment is ...`. */

import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** A test that names points of the checklist. */
export type Proof = { readonly file: string; readonly name: string; readonly points: readonly number[] };

const nameStart = /^\(([\d, ]+)\)(?: |$)/;
/** A name, or the part of one that stands in a table of cases. */
const literalName = /(['"`])(\([\d, ]+\)(?: [^\n]*?)?)\1/g;

/** Points that a test's name claims; none when it claims none. */
export function pointsOf(name: string): number[] {
  return (
    nameStart
      .exec(name)?.[1]
      ?.split(',')
      .map((number) => Number(number.trim())) ?? []
  );
}

/** Every test under `test/` that claims a point, read from the sources. */
export async function proofsIn(root: string): Promise<Proof[]> {
  const found: Proof[] = [];
  for (const entry of await readdir(join(root, 'test'), { recursive: true })) {
    if (!entry.endsWith('.test.ts')) continue;
    const path = join(root, 'test', entry);
    const source = await readFile(path, 'utf8');
    for (const [, , name = ''] of source.matchAll(literalName)) {
      found.push({ file: relative(root, path), name, points: pointsOf(name) });
    }
  }
  return found.sort((a, b) => (a.file === b.file ? 0 : a.file < b.file ? -1 : 1));
}
