/** What every role is made of. */

import type { Clock } from '../../storage/base/clock.ts';
import type { Log } from '../../storage/base/log.ts';
import type { Paths } from '../../storage/model/paths.ts';
import type { Config } from '../config/index.ts';
import type { RoleLink, StartMessage } from './role-link.ts';

export type RoleContext = {
  readonly clock: Clock;
  readonly log: Log;
  /** Cryptographically random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  readonly name: string;
  readonly config: Config;
  readonly paths: Paths;
  readonly link: RoleLink;
  readonly start: StartMessage;
};
