/**
 * Temporary access keys, which no table knows: what there is to know of one lies sealed in its session token, the secret too. So
 * whoever shows the token tells us who they are, and the signature tells that they have the secret. What they may do does not
 * stand in it: policies are looked up by their names at each use.
 */

import { z } from 'zod';
import type { Clock } from '../../storage/base/clock.ts';
import type { PolicyStatement } from '../../storage/catalog/index.ts';
import type { SecretBox } from '../secrets/index.ts';

/** Who is behind a key: a lasting one, a device by its certificate, or a role that one of both assumed. */
export type Identity =
  | { readonly kind: 'access-key'; readonly id: string }
  /** `alias`: the one of its policies that it asked for, or `allPoliciesAlias`. */
  | { readonly kind: 'device'; readonly id: string; readonly alias: string }
  | {
      readonly kind: 'role';
      readonly policy: string;
      readonly session: string;
      readonly restriction?: readonly PolicyStatement[] | undefined;
      readonly by: Identity;
    };

/** The role alias that means all policies of a device. */
export const allPoliciesAlias = 'weir';

/** A role that assumes a role that assumes ...: each is asked about at every use. */
export const rolesDeepMax = 4;

export type TemporaryKey = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiresMs: number;
};

/** What a session token says. */
export type OpenedToken = {
  readonly secretAccessKey: string;
  readonly expiresMs: number;
  readonly identity: Identity;
};

/** As `WEIR` of lasting keys, and `ASIA` beside `AKIA` at AWS. */
const idPrefix = 'WEIT';
const idAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const idRandomCharacters = 16;
const secretBytes = 30;

/** What a box of the site key opens again. Those of devices have about 350: native producers take 2,048. */
const tokenCharactersMax = 4_096;

const statement = z.strictObject({
  effect: z.enum(['allow', 'deny']),
  actions: z.array(z.string()),
  resources: z.array(z.string()),
});

const identity: z.ZodType<Identity> = z.lazy(() =>
  z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('access-key'), id: z.string() }),
    z.strictObject({ kind: z.literal('device'), id: z.string(), alias: z.string() }),
    z.strictObject({
      kind: z.literal('role'),
      policy: z.string(),
      session: z.string(),
      restriction: z.array(statement).optional(),
      by: identity,
    }),
  ]),
);

const tokenShape = z.tuple([z.literal(1), z.string(), z.string(), z.number(), identity]);

export class TemporaryKeys {
  readonly #clock: Pick<Clock, 'wallMs'>;
  readonly #random: (bytes: number) => Uint8Array;
  readonly #box: SecretBox;

  constructor(deps: {
    readonly clock: Pick<Clock, 'wallMs'>;
    readonly random: (bytes: number) => Uint8Array;
    readonly box: SecretBox;
  }) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#box = deps.box;
  }

  /** Undefined where the token would be longer than we take. Ends on a whole second, as it is told. */
  make(of: Identity, { durationMs }: { readonly durationMs: number }): TemporaryKey | undefined {
    const letters = Array.from(this.#random(idRandomCharacters), (byte) => idAlphabet[byte & 31]).join('');
    const accessKeyId = idPrefix + letters;
    const secretAccessKey = Buffer.from(this.#random(secretBytes)).toString('base64url');
    const expiresMs = Math.floor((this.#clock.wallMs() + durationMs) / 1_000) * 1_000;
    const sessionToken = this.#box.seal(JSON.stringify([1, accessKeyId, secretAccessKey, expiresMs, of]));
    if (sessionToken.length > tokenCharactersMax) return undefined;
    return { accessKeyId, secretAccessKey, sessionToken, expiresMs };
  }

  /** What the token says; undefined when it is none of ours, or another key's. Whether it is over is for the caller to see. */
  open(accessKeyId: string, sessionToken: string): OpenedToken | undefined {
    if (!isTemporary(accessKeyId) || !isSealed(sessionToken)) return undefined;
    let said: unknown;
    try {
      said = JSON.parse(this.#box.unseal(sessionToken));
    } catch {
      // Anybody can send one: nothing of ours is damaged.
      return undefined;
    }
    const parsed = tokenShape.safeParse(said);
    if (!parsed.success) return undefined;
    const [, id, secretAccessKey, expiresMs, of] = parsed.data;
    return id === accessKeyId ? { secretAccessKey, expiresMs, identity: of } : undefined;
  }
}

/** Spelled as we spell them: what opens in spite of another spelling is not what we gave out. */
function isSealed(token: string): boolean {
  const [, body = ''] =
    /^v1\.[0-9a-f]{8}\.([A-Za-z0-9_-]+)$/.exec(token.length <= tokenCharactersMax ? token : '') ?? [];
  return body !== '' && Buffer.from(body, 'base64url').toString('base64url') === body;
}

/** True for ids of keys that come with a session token. */
export function isTemporary(accessKeyId: string): boolean {
  return accessKeyId.startsWith(idPrefix);
}

/** How many roles lie above the lasting key or device. */
export function rolesDeep(of: Identity): number {
  return of.kind === 'role' ? 1 + rolesDeep(of.by) : 0;
}

/** For what outlives a request: a streaming session is asked about by it later. */
export function identityToText(of: Identity): string {
  return JSON.stringify(of);
}

/** Undefined when it is none of this release. */
export function identityFromText(text: string): Identity | undefined {
  try {
    return identity.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
