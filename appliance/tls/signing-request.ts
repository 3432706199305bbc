/**
 * Reads a certificate signing request (PKCS #10, RFC 2986) and proves that who sent it has the private key. Of what it asks for
 * only the public key counts: name, purpose and lifetime are ours to say.
 */

import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { appError } from '../../storage/base/errors.ts';
import { bitStringBytes, type DerElement, derElement, derElements, objectIdentifierText } from './der-reader.ts';

/** One of an RSA key of 8192 bits, with more of a name than anybody has. */
export const requestCharactersMax = 16_384;

const sequenceTag = 0x30;

/** How a request may be signed: the hash for Node; null where the algorithm has its own. */
const hashes: Readonly<Record<string, 'sha256' | 'sha384' | 'sha512' | null>> = {
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.3.101.112': null,
};

/**
 * The public key of a signing request in PEM.
 *
 * @throws AppError invalid_argument  it is none, its key is of a kind that we do not certify, or its signature is not by that key
 */
export function signingRequestKey(pem: string): KeyObject {
  const [, base64] =
    /^-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----\s+([A-Za-z0-9+/=\s]+?)-----END (?:NEW )?CERTIFICATE REQUEST-----\s*$/.exec(
      pem.length <= requestCharactersMax ? pem.trimStart() : '',
    ) ?? [];
  if (base64 === undefined) throw refused('is no certificate signing request in PEM');
  const request = derElement(Buffer.from(base64, 'base64'), sequenceTag);
  const [information, algorithm, signature] = derElements(request.content, { countMax: 3 });
  const [, , key] = derElements(contentOf(information), { countMax: 4 });
  const hash = hashes[objectIdentifierText(derElements(contentOf(algorithm), { countMax: 2 })[0])];
  if (information === undefined || key === undefined || hash === undefined) {
    throw refused('is signed in a way that is not known here: ECDSA, RSA with SHA-2, or Ed25519');
  }
  const publicKey = readKey(key.bytes);
  if (!isProven(information.bytes, bitStringBytes(signature), { publicKey, hash })) {
    throw refused('is not signed by its own key');
  }
  return publicKey;
}

function contentOf(element: DerElement | undefined): Uint8Array {
  return derElement(element?.bytes ?? new Uint8Array(0), sequenceTag).content;
}

function readKey(spki: Uint8Array): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch {
    throw refused('has no public key that can be read');
  }
  if (!isCertified(key)) {
    throw refused(
      'has a key of a kind that is not certified here: P-256, P-384, P-521, RSA of 2048 to 8192 bits, Ed25519',
    );
  }
  return key;
}

function isCertified({ asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject): boolean {
  const { namedCurve = '', modulusLength = 0, publicExponent = 0n } = asymmetricKeyDetails;
  if (asymmetricKeyType === 'ec') return ['prime256v1', 'secp384r1', 'secp521r1'].includes(namedCurve);
  // A long exponent costs whoever verifies by it.
  if (asymmetricKeyType === 'rsa')
    return modulusLength >= 2_048 && modulusLength <= 8_192 && publicExponent < 2n ** 32n;
  return asymmetricKeyType === 'ed25519';
}

function isProven(
  bytes: Uint8Array,
  signature: Uint8Array,
  by: { readonly publicKey: KeyObject; readonly hash: string | null },
): boolean {
  try {
    return verify(by.hash, bytes, by.publicKey, signature);
  } catch {
    return false;
  }
}

function refused(why: string) {
  return appError('invalid_argument', `csr ${why}`, { field: 'csr' });
}
