/** The TURN servers that the configuration names, with the secret they share with us. */

import { readFile } from 'node:fs/promises';
import type { TurnServers } from '../../gateway/kvs/index.ts';
import { must } from '../../storage/base/assert.ts';
import { appError } from '../../storage/base/errors.ts';
import type { Config } from '../config/index.ts';

/** coturn takes secrets of any length; nobody types more. */
const secretCharactersMax = 1_024;

/**
 * Reads the secret's file at each call, so that a secret changed there and in the TURN server counts at once.
 * @throws AppError unavailable  the file cannot be read, or holds no secret
 */
export async function readTurnServers({ turn }: Pick<Config['webrtc'], 'turn'>): Promise<TurnServers | undefined> {
  if (turn.urls.length === 0) return undefined;
  const file = must(turn.secretFile, 'checked with the configuration');
  const refuse = (message: string, cause?: unknown) =>
    appError('unavailable', message, {
      ...{ file, cause },
      hint: 'webrtc.turn.secretFile is to name a file that Weir may read and that holds nothing but the secret',
    });
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw refuse('the secret of the TURN server cannot be read', cause);
  });
  const secret = text.trim();
  if (secret === '' || secret.length > secretCharactersMax) throw refuse('there is no secret for the TURN server');
  return { uris: turn.urls, ttlS: turn.ttlSeconds, secret };
}
