/** Where a program lies. */

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { env } from 'node:process';

/** The first of that name in PATH that may be run, or undefined. */
export function commandPath(name, environment = env) {
  for (const directory of (environment.PATH ?? '').split(delimiter)) {
    if (directory === '') continue;
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // In one of the next.
    }
  }
  return undefined;
}
