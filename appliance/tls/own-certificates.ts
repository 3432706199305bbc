/**
 * TLS from the first start: an authority of our own, made once, and a server certificate that is renewed before it ends and when
 * the machine's names or addresses change. Clients that trust the authority notice nothing of a renewal.
 *
 *   tls/authority.pem, tls/authority.key     made once; the key never leaves the machine
 *   tls/server.pem, tls/server.key           renewed; the certificate with its chain
 */

import { mkdir, readFile } from 'node:fs/promises';
import { hostname, type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../storage/base/clock.ts';
import { appError, errnoOf } from '../../storage/base/errors.ts';
import { writeFileAtomic } from '../../storage/base/files.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { certificateFacts, createAuthority, createServerCertificate } from './authority.ts';
import type { Pem } from './certificate.ts';
import type { TlsMaterial } from './tls-material.ts';

const dayMs = 86_400_000;
/** A month of warning before the end, in which any hour with the machine on will do. */
const renewBeforeMs = 30 * dayMs;
/** Addresses change when a machine is carried to its site; a person waits for the page then. */
const checkPeriodMs = 60_000;
/** A machine of many containers has an address for each: more than these serve no browser. */
const addressesMax = 40;

export type OwnCertificatesDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  /** The machine's names and addresses; replaced in tests. */
  readonly machineNames?: () => readonly string[];
};

/** Where the server's certificate with its chain, and its key, lie: for processes that only read them. */
export function ownServerPaths(directory: string): readonly [certificatePath: string, keyPath: string] {
  return [join(directory, 'server.pem'), join(directory, 'server.key')];
}

export class OwnCertificates implements TlsMaterial {
  readonly #deps: OwnCertificatesDeps;
  readonly #options: { readonly directory: string; readonly names: readonly string[] };
  readonly #lifetime = new Lifetime();
  readonly #callbacks = new Set<() => void>();
  #authority: Pem | undefined;
  #server: Pem | undefined;

  constructor(deps: OwnCertificatesDeps, options: { readonly directory: string; readonly names: readonly string[] }) {
    this.#deps = deps;
    this.#options = options;
  }

  /** @throws AppError failed_precondition  the authority's files are there but damaged: nobody would trust a new one */
  async start(): Promise<void> {
    await mkdir(this.#options.directory, { recursive: true, mode: 0o700 });
    this.#authority = (await this.#readAuthority()) ?? (await this.#makeAuthority());
    this.#server = await this.#read('server');
    await this.#renewIfNeeded();
    this.#lifetime.loop(async (signal) => {
      for (;;) {
        await this.#deps.clock.sleep(checkPeriodMs, signal);
        await this.#renewIfNeeded().catch((error: unknown) => {
          this.#deps.log.error('certificate not renewed', { error });
        });
      }
    });
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  readonly identity = (): { readonly key: string; readonly cert: string } => {
    if (this.#server === undefined) throw appError('failed_precondition', 'certificates are used before their start');
    return { key: this.#server.key, cert: this.#server.certificate };
  };

  readonly authorityPem = (): string | undefined => this.#authority?.certificate;

  readonly onRenewed = (callback: () => void): (() => void) => {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  };

  async #renewIfNeeded(): Promise<void> {
    const authority = this.#authority;
    if (authority === undefined) return;
    const names = this.#names();
    const why = whyRenew({ server: this.#server, authority, names, wallMs: this.#deps.clock.wallMs() });
    if (why === undefined) return;
    const server = createServerCertificate({
      authority,
      names,
      wallMs: this.#deps.clock.wallMs(),
      serial: this.#deps.random(16),
    });
    await this.#write('server', server);
    this.#server = server;
    this.#deps.log.info('server certificate made', { why, names });
    for (const callback of this.#callbacks) callback();
  }

  #names(): string[] {
    const machine = this.#deps.machineNames?.() ?? namesOfMachine(hostname(), networkInterfaces());
    return [...new Set([...this.#options.names, ...machine])];
  }

  async #readAuthority(): Promise<Pem | undefined> {
    const authority = await this.#read('authority');
    if (authority === undefined) return undefined;
    try {
      if (certificateFacts(authority.certificate).isSignedBy(authority.certificate)) return authority;
    } catch (error) {
      throw this.#damaged(error);
    }
    throw this.#damaged(undefined);
  }

  #damaged(cause: unknown): Error {
    return appError('failed_precondition', `our authority in ${this.#options.directory} is damaged`, {
      cause,
      hint: 'bring authority.pem and authority.key back from a backup, or remove both and let every device trust a new one',
    });
  }

  async #makeAuthority(): Promise<Pem> {
    const authority = createAuthority({
      hostName: hostname(),
      wallMs: this.#deps.clock.wallMs(),
      serial: this.#deps.random(16),
    });
    await this.#write('authority', authority);
    this.#deps.log.info('own authority made', { fingerprint: certificateFacts(authority.certificate).fingerprint });
    return authority;
  }

  async #read(name: string): Promise<Pem | undefined> {
    const [certificate, key] = await Promise.all([this.#readText(`${name}.pem`), this.#readText(`${name}.key`)]);
    return certificate === undefined || key === undefined ? undefined : { certificate, key };
  }

  async #readText(name: string): Promise<string | undefined> {
    try {
      return await readFile(join(this.#options.directory, name), 'utf8');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** The key first: a certificate without its key would stop the next start, a key without certificate is made anew. */
  async #write(name: string, pem: Pem): Promise<void> {
    await writeFileAtomic(join(this.#options.directory, `${name}.key`), pem.key, { mode: 0o600 });
    await writeFileAtomic(join(this.#options.directory, `${name}.pem`), pem.certificate);
  }
}

/** Host name, `.local` name (mDNS), loopback and every address that others may use, without link-local ones. */
export function namesOfMachine(hostName: string, interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): string[] {
  const host = hostName.toLowerCase();
  const hostNames = /^[a-z0-9.-]{1,253}$/.test(host) ? [host, ...(host.includes('.') ? [] : [`${host}.local`])] : [];
  const addresses = Object.values(interfaces)
    .flatMap((list) => list ?? [])
    .filter((entry) => !entry.internal && !/^(fe80:|169\.254\.)/i.test(entry.address))
    .map((entry) => entry.address)
    .slice(0, addressesMax);
  return [...hostNames, 'localhost', '127.0.0.1', '::1', ...addresses];
}

function whyRenew(facts: {
  readonly server: Pem | undefined;
  readonly authority: Pem;
  readonly names: readonly string[];
  readonly wallMs: number;
}): string | undefined {
  if (facts.server === undefined) return 'there is none';
  try {
    const { notBeforeMs, notAfterMs, names, isSignedBy } = certificateFacts(facts.server.certificate);
    if (notAfterMs - facts.wallMs < renewBeforeMs) return 'the old one ends soon';
    if (notBeforeMs > facts.wallMs) return 'the old one lies in the future';
    if (!isSignedBy(facts.authority.certificate)) return 'the old one is of another authority';
    const missing = facts.names.find((name) => !names.includes(name));
    return missing === undefined ? undefined : `${missing} is new`;
  } catch {
    return 'the old one cannot be read';
  }
}
