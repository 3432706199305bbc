/**
 * Access keys of KVS clients: how one is made, and whose signature it is. Their secrets lie sealed under the site key, since
 * signatures are verified by the secret itself.
 */

import type { KeyAnswer, KeyLookup } from '../../gateway/kvs/index.ts';
import type { Log } from '../../storage/base/log.ts';
import type { AccessKey, Catalog } from '../../storage/catalog/index.ts';
import type { SecretBox } from '../secrets/index.ts';

/** Not AWS's `AKIA`: who finds one should know where it belongs, and scanners for keys of AWS should stay quiet. */
const idPrefix = 'WEIR';
const idAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
/** With the prefix 20 characters, as those of AWS. */
const idRandomCharacters = 16;
/** 40 characters, as secrets of AWS have; without + and /, which people forget to quote. */
const secretBytes = 30;

/** A new key's id and secret. */
export function newAccessKey(random: (bytes: number) => Uint8Array): { readonly id: string; readonly secret: string } {
  const letters = Array.from(random(idRandomCharacters), (byte) => idAlphabet[byte & 31]).join('');
  return { id: idPrefix + letters, secret: Buffer.from(random(secretBytes)).toString('base64url') };
}

export type AccessKeyDeps = {
  readonly catalog: Catalog;
  readonly secrets: SecretBox;
  readonly log: Log;
};

/** Secrets by which signatures are verified. A lasting key that comes with a session token is not what it says. */
export function accessKeyLookup({ catalog, secrets, log }: AccessKeyDeps, nowMs: number): KeyLookup {
  return ({ accessKeyId, sessionToken }): KeyAnswer => {
    const key = catalog.tables.accessKeys.findToVerify(accessKeyId, nowMs);
    if (key === undefined || sessionToken !== undefined) return { kind: 'unknown' };
    try {
      return { kind: 'secret', secretAccessKey: secrets.unseal(key.sealedSecret) };
    } catch (error) {
      log.error('the secret of an access key does not open', { accessKeyId, error });
      return { kind: 'unknown' };
    }
  };
}

/** A key's facts for answers. */
export function accessKeyAnswer(key: AccessKey) {
  return { ...key, policies: [...key.policies] };
}
