/** Which addresses peers are told, so that they find the way to us. */

import { BlockList, isIP, isIPv6 } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';
import { mediaPlaneLimits } from './limits.ts';

export type CandidateSources = {
  /** What the worker listens on: a wildcard, or one address. */
  readonly listenAddresses: readonly string[];
  /** By which the peer reached us, best first; what is no address is passed over. */
  readonly reachedAt: readonly (string | undefined)[];
  readonly interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>;
  /** What the configuration names besides, for machines behind NAT. */
  readonly announced: readonly string[];
};

/** Addresses, best first, none twice. */
export function candidateAddresses(sources: CandidateSources): string[] {
  const { listenAddresses, interfaces, announced } = sources;
  const found = new Set<string>();
  const reachedAt = sources.reachedAt.flatMap((address) => plainAddress(address) ?? []);
  const isWildcard = listenAddresses.some((address) => address === '0.0.0.0' || address === '::');
  if (isWildcard) {
    const families = new Set(listenAddresses.map((address) => isIP(address)));
    const isOfFamily = (address: string) => families.has(isIP(address));
    for (const address of reachedAt.filter(isOfFamily)) found.add(address);
    const own = Object.values(interfaces)
      .flatMap((addresses) => addresses ?? [])
      .filter(({ internal, address }) => !internal && isOfFamily(address) && !isLinkLocal(address))
      .map(({ address }) => address);
    for (const address of own.sort((left, right) => isIP(left) - isIP(right))) found.add(address);
  } else {
    for (const address of listenAddresses) found.add(address);
  }
  for (const address of announced) found.add(address);
  return [...found].slice(0, mediaPlaneLimits.addressesMax);
}

/** `::ffff:192.0.2.1` as 192.0.2.1, `[2001:db8::1]` without its brackets; undefined for names, and for addresses with a zone. */
function plainAddress(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const bare = text.replace(/^\[(.*)\]$/, '$1').replace(/^::ffff:(?=\d+\.)/i, '');
  if (isIP(bare) === 0 || bare.includes('%') || isLinkLocal(bare)) return undefined;
  return bare === '0.0.0.0' || bare === '::' ? undefined : bare;
}

/** Such an address means nothing without the name of an interface, which candidates have no place for. */
function isLinkLocal(address: string): boolean {
  if (!isIPv6(address)) return false;
  const linkLocal = new BlockList();
  linkLocal.addSubnet('fe80::', 10, 'ipv6');
  return linkLocal.check(address, 'ipv6');
}
