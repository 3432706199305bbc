/** Makes certificates: our own authority once, and server certificates signed by it. Values in, PEM out; no files. */

import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import {
  attribute,
  authorityName,
  certificateOf,
  commonNameOf,
  critical,
  extension,
  keyIdentifier,
  keyPem,
  oid,
  type Pem,
} from './certificate.ts';
import { bitString, boolean, integer, objectIdentifier, octetString, sequence, taggedPrimitive } from './der.ts';

const dayMs = 86_400_000;
/** People trust it once on every device: longer than any of those lives. A machine without a clock battery may make it in 1970. */
const authorityDays = 20 * 365;
/** Apple's devices refuse more than 825 days even under a private authority, public ones 398. */
const serverDays = 397;
/** Not before our first release: so an authority made under a clock ahead of time is not in the future once it is right. */
const earliestMs = Date.UTC(2025, 0, 1);

/**
 * A new authority (ECDSA P-256), named after the machine, so that two appliances can be told apart in a list of authorities.
 *
 * @param options.serial  16 random bytes
 * @param options.what    what it is the authority of, where that is not the server: `devices`
 */
export function createAuthority(options: {
  readonly hostName: string;
  readonly wallMs: number;
  readonly serial: Uint8Array;
  readonly what?: string;
}): Pem {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ours = options.what === undefined ? 'Weir' : `Weir ${options.what}`;
  const name = authorityName(`${ours} on ${options.hostName.slice(0, 63 - 4 - ours.length)}`);
  const certificate = certificateOf({
    serial: options.serial,
    issuer: name,
    subject: name,
    notBeforeMs: Math.min(earliestMs, options.wallMs - dayMs),
    notAfterMs: Math.max(earliestMs, options.wallMs) + authorityDays * dayMs,
    publicKey,
    signingKey: privateKey,
    extensions: [
      critical(oid.basicConstraints, sequence(boolean(true), integer(Uint8Array.of(0)))),
      // keyCertSign and cRLSign.
      critical(oid.keyUsage, bitString(Uint8Array.of(0b0000_0110), { unusedBits: 1 })),
      extension(oid.subjectKeyIdentifier, octetString(keyIdentifier(publicKey))),
    ],
  });
  return { certificate, key: keyPem(privateKey) };
}

/**
 * A server certificate for these names and addresses, with its chain: the authority's certificate below it.
 *
 * @param options.serial  16 random bytes
 */
export function createServerCertificate(options: {
  readonly authority: Pem;
  readonly names: readonly string[];
  readonly wallMs: number;
  readonly serial: Uint8Array;
}): Pem {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signingKey = createPrivateKey(options.authority.key);
  const issuer = new X509Certificate(options.authority.certificate);
  const certificate = certificateOf({
    serial: options.serial,
    issuer: authorityName(commonNameOf(issuer)),
    subject: sequence(attribute(oid.commonName, (options.names[0] ?? 'weir').slice(0, 64))),
    notBeforeMs: options.wallMs - dayMs,
    notAfterMs: options.wallMs + serverDays * dayMs,
    publicKey,
    signingKey,
    extensions: [
      critical(oid.basicConstraints, sequence()),
      // digitalSignature: all that TLS 1.2 and 1.3 ask of an ECDSA key.
      critical(oid.keyUsage, bitString(Uint8Array.of(0b1000_0000), { unusedBits: 7 })),
      extension(oid.extendedKeyUsage, sequence(objectIdentifier(oid.serverAuth))),
      extension(oid.subjectAltName, sequence(...options.names.map(alternativeName))),
      extension(oid.subjectKeyIdentifier, octetString(keyIdentifier(publicKey))),
      extension(
        oid.authorityKeyIdentifier,
        sequence(taggedPrimitive(0, keyIdentifier(createPublicKey(options.authority.certificate)))),
      ),
    ],
  });
  return { key: keyPem(privateKey), certificate: `${certificate}${options.authority.certificate.trimEnd()}\n` };
}

/** What decides whether a certificate still serves: until when, for which names, signed by whom. */
export type CertificateFacts = {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Host names and addresses, these in their shortest spelling. */
  readonly names: readonly string[];
  /** SHA-256 of the whole certificate, hexadecimal with colons, as browsers show it. */
  readonly fingerprint: string;
  readonly isSignedBy: (authorityPem: string) => boolean;
};

/** Reads the first certificate of a PEM text. Throws what Node throws when it is none. */
export function certificateFacts(pem: string): CertificateFacts {
  const certificate = new X509Certificate(pem);
  return {
    notBeforeMs: Date.parse(certificate.validFrom),
    notAfterMs: Date.parse(certificate.validTo),
    names: (certificate.subjectAltName ?? '')
      .split(', ')
      .map((entry) => entry.replace(/^(DNS|IP Address):/, ''))
      .filter((name) => name !== '')
      .map((name) => (isIPv6(name) ? shortIpv6(name) : name)),
    fingerprint: certificate.fingerprint256,
    isSignedBy: (authorityPem) => certificate.verify(new X509Certificate(authorityPem).publicKey),
  };
}

function alternativeName(name: string): Uint8Array {
  if (isIPv4(name)) return taggedPrimitive(7, Uint8Array.from(name.split('.').map(Number)));
  if (isIPv6(name)) return taggedPrimitive(7, ipv6Bytes(name));
  return taggedPrimitive(2, Buffer.from(name, 'ascii'));
}

function ipv6Bytes(address: string): Uint8Array {
  const [left = '', right] = shortIpv6(address).split('::');
  const head = left === '' ? [] : left.split(':');
  const tail = right === undefined || right === '' ? [] : right.split(':');
  const zeros: string[] = Array(8 - head.length - tail.length).fill('0');
  const bytes = Buffer.alloc(16);
  [...head, ...zeros, ...tail].forEach((group, i) => {
    bytes.writeUInt16BE(Number.parseInt(group, 16), 2 * i);
  });
  return bytes;
}

/** The one spelling of RFC 5952: lower case, the longest run of zeros left out. */
function shortIpv6(address: string): string {
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}
