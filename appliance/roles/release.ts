/** Which release of Weir this is. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { installDirectory } from './setting-paths.ts';

/** As `package.json` says it: `0.1.0`. Read when it is asked for: what records does not need it. */
export function releaseVersion(): string {
  return String(JSON.parse(readFileSync(join(installDirectory, 'package.json'), 'utf8')).version);
}
