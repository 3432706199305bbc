/** The form of every certificate that we issue: an X.509 version 3 one, signed by ECDSA with SHA-256. Values in, PEM out. */

import { createHash, type KeyObject, sign, type X509Certificate } from 'node:crypto';
import {
  bitString,
  boolean,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  tagged,
  time,
  utf8String,
} from './der.ts';

export type Pem = { readonly certificate: string; readonly key: string };

/** Object identifiers of what stands in our certificates. */
export const oid = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

/** PEM of a certificate with these facts. @param facts.signingKey  the issuer's, on P-256 */
export function certificateOf(facts: {
  readonly serial: Uint8Array;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly publicKey: KeyObject;
  readonly signingKey: KeyObject;
  readonly extensions: readonly Uint8Array[];
}): string {
  const algorithm = sequence(objectIdentifier(oid.ecdsaWithSha256));
  const version3 = integer(Uint8Array.of(2));
  const toBeSigned = sequence(
    tagged(0, version3),
    integer(facts.serial),
    algorithm,
    facts.issuer,
    sequence(time(facts.notBeforeMs), time(facts.notAfterMs)),
    facts.subject,
    facts.publicKey.export({ type: 'spki', format: 'der' }),
    tagged(3, sequence(...facts.extensions)),
  );
  const signature = sign('sha256', toBeSigned, facts.signingKey);
  return pemText(sequence(toBeSigned, algorithm, bitString(signature, { unusedBits: 0 })));
}

/** A private key as files have it: PKCS #8, PEM. */
export function keyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** The name of an authority of ours. */
export function authorityName(commonName: string): Uint8Array {
  return sequence(attribute(oid.organization, 'Weir'), attribute(oid.commonName, commonName));
}

export function attribute(type: string, text: string): Uint8Array {
  return set(sequence(objectIdentifier(type), utf8String(text)));
}

export function commonNameOf(certificate: X509Certificate): string {
  return /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? '';
}

export function extension(type: string, value: Uint8Array): Uint8Array {
  return sequence(objectIdentifier(type), octetString(value));
}

export function critical(type: string, value: Uint8Array): Uint8Array {
  return sequence(objectIdentifier(type), boolean(true), octetString(value));
}

/** RFC 7093 method 1: the leftmost 20 bytes of the SHA-256 of the public key. */
export function keyIdentifier(key: KeyObject): Uint8Array {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
    .subarray(0, 20);
}

function pemText(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
