/**
 * Where what we send may go. Private networks are where a site's receivers are; link-local addresses, where clouds give machines
 * their credentials, are refused always. Names are looked up by us, and only what was checked is connected to, so a name that
 * changes between check and connection changes nothing.
 */

import { type LookupAddress, type LookupAllOptions, lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { appError } from '../../storage/base/errors.ts';

/** `site`: everywhere; `private`: this machine and private networks; `public`: none of these. */
export type AddressPolicy = 'site' | 'private' | 'public';

type Family = 'ipv4' | 'ipv6';

/** Nobody's receiver: link-local with the clouds' metadata, "this network", multicast, reserved. The last lines are IPv4 within IPv6. */
const refusedNets = netsOf([
  ['0.0.0.0', 8, 'ipv4'],
  ['169.254.0.0', 16, 'ipv4'],
  ['192.0.0.192', 32, 'ipv4'],
  ['100.100.100.200', 32, 'ipv4'],
  ['224.0.0.0', 3, 'ipv4'],
  ['::', 128, 'ipv6'],
  ['fe80::', 10, 'ipv6'],
  ['fd00:ec2::254', 128, 'ipv6'],
  ['ff00::', 8, 'ipv6'],
  ['64:ff9b::a9fe:0', 112, 'ipv6'],
  ['64:ff9b:1::', 48, 'ipv6'],
  ['2002:a9fe::', 32, 'ipv6'],
]);

const privateNets = netsOf([
  ['10.0.0.0', 8, 'ipv4'],
  ['100.64.0.0', 10, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  ['172.16.0.0', 12, 'ipv4'],
  ['192.168.0.0', 16, 'ipv4'],
  ['::1', 128, 'ipv6'],
  ['fc00::', 7, 'ipv6'],
]);

/** True when something may be sent to this address. */
export function isAllowed(address: string, policy: AddressPolicy): boolean {
  const version = isIP(address);
  if (version === 0) return false;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  if (refusedNets.check(address, family)) return false;
  return policy === 'site' || privateNets.check(address, family) === (policy === 'private');
}

/** Refuses an address that stands in the URL itself. @throws AppError permission_denied  nothing may be sent there */
export function refuseLiteral(url: URL, policy: AddressPolicy): void {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !isAllowed(host, policy)) throw refusal(host, policy);
}

/** Looks names up and leaves out what is not allowed: for the connections of `node:http`. */
export function guardedLookup(policy: AddressPolicy): LookupFunction {
  return (hostname, options, callback) => {
    const all: LookupAllOptions = { all: true, ...(options.hints === undefined ? {} : { hints: options.hints }) };
    lookup(hostname, all, (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => {
      const allowed = error === null ? found.filter(({ address }) => isAllowed(address, policy)) : [];
      const [first] = allowed;
      if (error !== null) callback(error, '', 0);
      else if (first === undefined) callback(refusal(hostname, policy), '', 0);
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

function refusal(host: string, policy: AddressPolicy) {
  return appError('permission_denied', `nothing is sent to ${host}: its address is not allowed`, {
    hint: `addresses allowed for webhooks: ${policy}; link-local ones never are`,
  });
}

function netsOf(nets: readonly (readonly [net: string, prefix: number, family: Family])[]): BlockList {
  const list = new BlockList();
  for (const [net, prefix, family] of nets) list.addSubnet(net, prefix, family);
  return list;
}
