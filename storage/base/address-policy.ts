/**
 * Which addresses this server connects to because somebody asked it to: cameras, their redirects, other services of the site.
 * Who may add a camera shall not reach by it what only this machine reaches. Names are judged by what they resolve to, at the
 * moment of the connection.
 */

import { type LookupAddress, type LookupOptions, lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { type AppError, appError } from './errors.ts';

/**
 * What machines in a cloud answer their own secrets at, by AWS (for containers, too), Azure, Alibaba and Oracle; no camera has
 * these. Others of 169.254.0.0/16 are what cameras without DHCP give themselves. The last is the first, behind NAT64.
 */
const metadataAddresses = [
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  'fd00:ec2::254',
  'fd00:ec2::23',
  '168.63.129.16',
  '100.100.100.200',
  '192.0.0.192',
  '64:ff9b::a9fe:a9fe',
];

/** A network as people write it: `10.1.0.0/16`, `fd00::/8`, `192.0.2.7`. */
export function isNetwork(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/');
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  if (prefix === undefined) return true;
  return /^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
}

export class AddressPolicy {
  readonly #networks: readonly string[];
  readonly #allowed: BlockList | undefined;
  readonly #refused: BlockList;
  readonly #isLoopbackRefused: boolean;

  /**
   * @param options.networks           allowed ones, each as `isNetwork` takes it; none for all
   * @param options.isLoopbackRefused  this machine itself is no target, whatever the networks say
   */
  constructor(options: { readonly networks: readonly string[]; readonly isLoopbackRefused?: boolean }) {
    this.#networks = options.networks;
    this.#allowed = options.networks.length === 0 ? undefined : blockListOf(options.networks);
    this.#isLoopbackRefused = options.isLoopbackRefused ?? false;
    this.#refused = blockListOf([...metadataAddresses, ...(this.#isLoopbackRefused ? loopbackNetworks : [])]);
  }

  /** The same without this machine itself: where another one sends us by a redirect. */
  withoutLoopback(): AddressPolicy {
    return new AddressPolicy({ networks: this.#networks, isLoopbackRefused: true });
  }

  /** @param address  IPv4 or IPv6, no name */
  allows(address: string): boolean {
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (this.#refused.check(address, family)) return false;
    return this.#allowed === undefined || this.#allowed.check(address, family);
  }

  /** Why a host is no target, as permission_denied; undefined for what may be tried: names are judged by `lookup`. */
  refusalOf(host: string): AppError | undefined {
    return isIP(host) === 0 || this.allows(host) ? undefined : this.#refusal(host);
  }

  /** For sockets: resolves a name to those of its addresses that are allowed; fails with permission_denied if none is. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    const all: LookupOptions & { readonly all: true } = { ...options, all: true };
    lookup(hostname, all, (error, found) => {
      if (error !== null) {
        callback(error, '');
        return;
      }
      const allowed = found.filter(({ address }) => this.allows(address));
      const [first] = allowed;
      if (first === undefined) callback(this.#refusal(hostname, found), '');
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };

  #refusal(host: string, found: readonly LookupAddress[] = []): AppError {
    const addresses = found.map(({ address }) => address).join(', ');
    const what = addresses === '' ? host : `${host} (${addresses})`;
    return appError('permission_denied', `${what} is no address that this server may connect to`, {
      hint:
        this.#networks.length > 0
          ? `allowed are ${this.#networks.join(', ')}; an administrator can add a network to the configuration`
          : 'addresses of this machine itself and of cloud metadata are refused here',
    });
  }
}

const loopbackNetworks = ['127.0.0.0/8', '0.0.0.0/8', '::1', '::'];

/** True for an address of this machine that no other machine can reach. */
export function isLoopback(address: string): boolean {
  return blockListOf(loopbackNetworks).check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return list;
}
