/** Servers that tests talk to and that no distribution has: built in the background while packages and page are. */

import { spawn } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { minioThere } from './minio.mjs';

/**
 * Resolves when nothing is left to build, also where it failed: the tests that need it say so by name. The build says on
 * standard error how far it is.
 */
export function startTestServers() {
  if (minioThere() !== undefined) return Promise.resolve();
  return new Promise((resolve) => {
    const script = fileURLToPath(new URL('minio.mjs', import.meta.url));
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'ignore', 'inherit'] });
    const stop = () => child.kill();
    process.once('exit', stop);
    child.once('error', resolve);
    child.once('close', () => {
      process.off('exit', stop);
      resolve();
    });
  });
}
