/** Makes certificates: our own authority once, and server certificates signed by it. Values in, PEM out; no files. */

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  X509Certificate,
} from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import {
  bitString,
  boolean,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  tagged,
  taggedPrimitive,
  time,
  utf8String,
} from './der.ts';

export type Pem = { readonly certificate: string; readonly key: string };

const dayMs = 86_400_000;
/** People trust it once on every device: longer than any of those lives. A machine without a clock battery may make it in 1970. */
const authorityDays = 20 * 365;
/** Apple's devices refuse more than 825 days even under a private authority, public ones 398. */
const serverDays = 397;
/** Not before our first release: so an authority made under a clock ahead of time is not in the future once it is right. */
const earliestMs = Date.UTC(2025, 0, 1);

const oid = {
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
} as const;

/**
 * A new authority (ECDSA P-256), named after the machine, so that two appliances can be told apart in a list of authorities.
 *
 * @param options.serial  16 random bytes
 */
export function createAuthority(options: {
  readonly hostName: string;
  readonly wallMs: number;
  readonly serial: Uint8Array;
}): Pem {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = authorityName(`Weir on ${options.hostName.slice(0, 50)}`);
  return certificateOf({
    serial: options.serial,
    issuer: name,
    subject: name,
    notBeforeMs: Math.min(earliestMs, options.wallMs - dayMs),
    notAfterMs: Math.max(earliestMs, options.wallMs) + authorityDays * dayMs,
    privateKey,
    publicKey,
    signingKey: privateKey,
    extensions: [
      critical(oid.basicConstraints, sequence(boolean(true), integer(Uint8Array.of(0)))),
      // keyCertSign and cRLSign.
      critical(oid.keyUsage, bitString(Uint8Array.of(0b0000_0110), { unusedBits: 1 })),
      extension(oid.subjectKeyIdentifier, octetString(keyIdentifier(publicKey))),
    ],
  });
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
  const server = certificateOf({
    serial: options.serial,
    issuer: authorityName(commonNameOf(issuer)),
    subject: sequence(attribute(oid.commonName, (options.names[0] ?? 'weir').slice(0, 64))),
    notBeforeMs: options.wallMs - dayMs,
    notAfterMs: options.wallMs + serverDays * dayMs,
    privateKey,
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
  return { key: server.key, certificate: `${server.certificate}${options.authority.certificate.trimEnd()}\n` };
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

function certificateOf(facts: {
  readonly serial: Uint8Array;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly signingKey: KeyObject;
  readonly extensions: readonly Uint8Array[];
}): Pem {
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
  const certificate = sequence(toBeSigned, algorithm, bitString(signature, { unusedBits: 0 }));
  const key = facts.privateKey.export({ type: 'pkcs8', format: 'pem' });
  return { certificate: pemText(certificate), key: key.toString() };
}

function authorityName(commonName: string): Uint8Array {
  return sequence(attribute(oid.organization, 'Weir'), attribute(oid.commonName, commonName));
}

function attribute(type: string, text: string): Uint8Array {
  return set(sequence(objectIdentifier(type), utf8String(text)));
}

function commonNameOf(certificate: X509Certificate): string {
  return /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? '';
}

function extension(type: string, value: Uint8Array): Uint8Array {
  return sequence(objectIdentifier(type), octetString(value));
}

function critical(type: string, value: Uint8Array): Uint8Array {
  return sequence(objectIdentifier(type), boolean(true), octetString(value));
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

/** RFC 7093 method 1: the leftmost 20 bytes of the SHA-256 of the public key. */
function keyIdentifier(key: KeyObject): Uint8Array {
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
