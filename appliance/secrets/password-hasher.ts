/** Passwords as argon2id hashes in PHC string form: $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>. */

import { argon2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { RandomBytes } from './site-key.ts';

const argon2Async = promisify(argon2);

type Parameters = { readonly memoryKiB: number; readonly passes: number; readonly parallelism: number };

/** OWASP's second choice of equal strength: 19 MiB, 2 passes, 1 lane; 19 MiB since cameras share the machine. */
const current: Parameters = { memoryKiB: 19_456, passes: 2, parallelism: 1 };
/** A stored hash may ask for more later, but not for so much that checking it starves the machine. */
const parametersMax: Parameters = { memoryKiB: 262_144, passes: 10, parallelism: 8 };

const saltBytes = 16;
const hashBytes = 32;

/** Hashes and verifies; how many may run at once is the caller's policy (`appliance/admin/passwords.ts`). */
export class Argon2Hasher {
  readonly #random: RandomBytes;

  constructor(random: RandomBytes) {
    this.#random = random;
  }

  readonly hash = async (password: string): Promise<string> => {
    const salt = this.#random(saltBytes);
    const hash = await digest(password, { salt, tagBytes: hashBytes, parameters: current });
    const { memoryKiB, passes, parallelism } = current;
    return `$argon2id$v=19$m=${memoryKiB},t=${passes},p=${parallelism}$${base64(salt)}$${base64(hash)}`;
  };

  /** False also for a text that is no hash. */
  readonly verify = async (password: string, stored: string): Promise<boolean> => {
    const parsed = parse(stored);
    if (parsed === undefined) return false;
    const { salt, parameters, hash } = parsed;
    return timingSafeEqual(await digest(password, { salt, parameters, tagBytes: hash.length }), hash);
  };
}

function digest(
  password: string,
  options: { readonly salt: Uint8Array; readonly tagBytes: number; readonly parameters: Parameters },
): Promise<Buffer> {
  const { memoryKiB, passes, parallelism } = options.parameters;
  return argon2Async('argon2id', {
    message: Buffer.from(password.normalize('NFC')),
    nonce: options.salt,
    parallelism,
    tagLength: options.tagBytes,
    memory: memoryKiB,
    passes,
  });
}

function parse(stored: string): { salt: Uint8Array; hash: Uint8Array; parameters: Parameters } | undefined {
  const match =
    /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,88})\$([A-Za-z0-9+/]{22,88})$/.exec(
      stored,
    );
  if (match === null) return undefined;
  const parameters = { memoryKiB: Number(match[1]), passes: Number(match[2]), parallelism: Number(match[3]) };
  const isInRange =
    parameters.parallelism >= 1 &&
    parameters.parallelism <= parametersMax.parallelism &&
    parameters.passes >= 1 &&
    parameters.passes <= parametersMax.passes &&
    parameters.memoryKiB >= 8 * parameters.parallelism &&
    parameters.memoryKiB <= parametersMax.memoryKiB;
  if (!isInRange) return undefined;
  return { salt: Buffer.from(match[4] ?? '', 'base64'), hash: Buffer.from(match[5] ?? '', 'base64'), parameters };
}

/** PHC strings leave out the padding. */
function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '');
}
