/**
 * The real worker of WebRTC. Test files ask for it while they are loaded (`const workerPath = await findMediaWorker()`), where no
 * test's time runs while it is built.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** The path of the program. @throws Error  there is none: what is missing to build it, or why that failed */
export async function findMediaWorker(): Promise<string> {
  const script = join(import.meta.dirname, '../../appliance/setup/mediasoup.mjs');
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
    process.stderr.write(text);
  });
  const [code] = (await once(child, 'close')) as [number];
  if (code === 0) return out.trim();
  throw new Error(err);
}
