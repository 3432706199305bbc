/**
 * The authority of devices: it signs certificates by which devices show who they are, and nothing else. It is another one than
 * the server's, so that neither side's certificates are worth anything on the other: no client trusts this authority, and the
 * endpoint that asks for client certificates trusts no other.
 *
 *   tls/devices.pem, tls/devices.key     made when the first device is; the key never leaves the machine
 */

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../storage/base/clock.ts';
import { appError, errnoOf } from '../../storage/base/errors.ts';
import { writeFileAtomic } from '../../storage/base/files.ts';
import { createAuthority } from './authority.ts';
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
import { bitString, objectIdentifier, octetString, sequence, taggedPrimitive } from './der.ts';
import { signingRequestKey } from './signing-request.ts';

const dayMs = 86_400_000;
/** X.520: a common name has 64 characters at most. The whole name stands in the catalog. */
const commonNameCharactersMax = 64;

export type DeviceAuthorityDeps = {
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly random: (bytes: number) => Uint8Array;
};

/** What a device is given, and what is kept of it. */
export type DeviceIdentity = {
  readonly certificatePem: string;
  /** PEM; undefined when the device made its key itself. */
  readonly keyPem: string | undefined;
  /** SHA-256 of the certificate, 64 hexadecimal digits. */
  readonly fingerprint: string;
  /** Hexadecimal. */
  readonly serial: string;
  readonly expiresMs: number;
};

export class DeviceAuthority {
  readonly #deps: DeviceAuthorityDeps;
  readonly #directory: string;
  #opening: Promise<Pem> | undefined;

  constructor(deps: DeviceAuthorityDeps, options: { readonly directory: string }) {
    this.#deps = deps;
    this.#directory = options.directory;
  }

  /** PEM of its certificate. It is made at the first call. @throws AppError failed_precondition  its files are damaged */
  async certificatePem(): Promise<string> {
    return (await this.#open()).certificate;
  }

  /**
   * Certifies a device.
   *
   * @param wishes.csr   PEM; undefined makes a key (P-256)
   * @throws AppError invalid_argument     as `signingRequestKey`
   * @throws AppError failed_precondition  the authority's files are damaged
   */
  async issue(wishes: {
    readonly name: string;
    readonly days: number;
    readonly csr: string | undefined;
  }): Promise<DeviceIdentity> {
    const { name, days, csr } = wishes;
    const keys = csr === undefined ? newKeys() : { publicKey: signingRequestKey(csr), privateKey: undefined };
    const authority = await this.#open();
    const issuer = new X509Certificate(authority.certificate);
    const nowMs = this.#deps.clock.wallMs();
    const certificatePem = certificateOf({
      serial: this.#deps.random(16),
      issuer: authorityName(commonNameOf(issuer)),
      subject: sequence(attribute(oid.commonName, name.slice(0, commonNameCharactersMax))),
      notBeforeMs: nowMs - dayMs,
      notAfterMs: Math.min(nowMs + days * dayMs, Date.parse(issuer.validTo)),
      publicKey: keys.publicKey,
      signingKey: createPrivateKey(authority.key),
      extensions: [
        critical(oid.basicConstraints, sequence()),
        // digitalSignature.
        critical(oid.keyUsage, bitString(Uint8Array.of(0b1000_0000), { unusedBits: 7 })),
        // Critical: who does not understand it must not take the certificate for a server's.
        critical(oid.extendedKeyUsage, sequence(objectIdentifier(oid.clientAuth))),
        extension(oid.subjectKeyIdentifier, octetString(keyIdentifier(keys.publicKey))),
        extension(
          oid.authorityKeyIdentifier,
          sequence(taggedPrimitive(0, keyIdentifier(createPublicKey(authority.certificate)))),
        ),
      ],
    });
    const certificate = new X509Certificate(certificatePem);
    return {
      certificatePem,
      keyPem: keys.privateKey === undefined ? undefined : keyPem(keys.privateKey),
      fingerprint: certificateFingerprint(certificate),
      serial: certificate.serialNumber.toLowerCase(),
      expiresMs: Date.parse(certificate.validTo),
    };
  }

  /** Once, whoever asks first: there must not be two. */
  #open(): Promise<Pem> {
    this.#opening ??= this.#readOrMake().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #readOrMake(): Promise<Pem> {
    return (await this.#read()) ?? (await this.#make());
  }

  async #read(): Promise<Pem | undefined> {
    const [certificate, key] = await Promise.all(['pem', 'key'].map((end) => readText(this.#file(end))));
    if (certificate === undefined) return undefined;
    try {
      const isOurs = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key ?? ''));
      if (isOurs) return { certificate, key: key ?? '' };
    } catch {}
    throw appError('failed_precondition', `the authority of devices in ${this.#directory} is damaged`, {
      hint: 'bring devices.pem and devices.key back from a backup, or remove both and give every device a new certificate',
    });
  }

  /** The key first: a key without its certificate is made anew, with which nothing was signed yet. */
  async #make(): Promise<Pem> {
    const { clock, random } = this.#deps;
    const pem = createAuthority({
      hostName: hostname(),
      wallMs: clock.wallMs(),
      serial: random(16),
      what: 'devices',
    });
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await writeFileAtomic(this.#file('key'), pem.key, { mode: 0o600 });
    await writeFileAtomic(this.#file('pem'), pem.certificate);
    return pem;
  }

  #file(end: string): string {
    return join(this.#directory, `devices.${end}`);
  }
}

/** As the catalog keeps it: 64 hexadecimal digits. */
export function certificateFingerprint(certificate: Pick<X509Certificate, 'fingerprint256'>): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase();
}

function newKeys(): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
