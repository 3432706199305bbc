/** The role `demo`: the demo camera, and its entry in the catalog. */

import { join } from 'node:path';
import type { Closable } from '../../storage/base/lifecycle.ts';
import { ApiClient } from '../api-client/index.ts';
import { Demo } from '../demo/index.ts';
import type { RoleContext } from './role-context.ts';

export async function startDemo({ clock, log, random, config, paths }: RoleContext): Promise<Closable> {
  const api = new ApiClient({ runDirectory: paths.run });
  const demo = new Demo(
    { clock, log, random, api },
    { statePath: join(paths.state, 'demo.json'), ffmpegPath: config.ffmpegPath },
  );
  await demo.start();
  return demo;
}
