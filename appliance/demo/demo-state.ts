/** What the demo remembers over restarts: its port, which is in the camera's URL, and that the camera was added once. */

import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { writeFileAtomic } from '../../storage/base/files.ts';

const shape = z.object({ port: z.number().int().min(1).max(65_535), isCameraAdded: z.boolean() });

export type DemoState = z.infer<typeof shape>;

/** Undefined when it is not there or damaged: the demo then begins anew. */
export async function readDemoState(path: string): Promise<DemoState | undefined> {
  try {
    return shape.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

export function writeDemoState(path: string, state: DemoState): Promise<void> {
  return writeFileAtomic(path, `${JSON.stringify(state)}\n`);
}
