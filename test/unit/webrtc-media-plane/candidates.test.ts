/** Which addresses peers are told. */

import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, it } from 'vitest';
import { candidateAddresses } from '../../../gateway/webrtc/media-plane/candidates.ts';

function address(text: string, isInternal = false): NetworkInterfaceInfo {
  const rest = { netmask: '', mac: '', internal: isInternal, cidr: null };
  return text.includes(':')
    ? { address: text, family: 'IPv6', scopeid: 0, ...rest }
    : { address: text, family: 'IPv4', ...rest };
}

const interfaces = {
  lo: [address('127.0.0.1', true), address('::1', true)],
  eth0: [address('2001:db8::5'), address('fe80::5'), address('192.0.2.5')],
  docker0: [address('172.17.0.1')],
};
const everywhere = { listenAddresses: ['0.0.0.0', '::'], interfaces, announced: ['203.0.113.7'] };

describe('peers of a worker that listens everywhere are told', () => {
  it('the address that they reached us by, then our own, IPv4 first, then the announced ones', () => {
    expect(candidateAddresses({ ...everywhere, reachedAt: ['172.17.0.1'] })).toEqual([
      ...['172.17.0.1', '192.0.2.5', '2001:db8::5', '203.0.113.7'],
    ]);
  });

  it('loopback when they came by it, and not otherwise', () => {
    expect(candidateAddresses({ ...everywhere, reachedAt: ['::ffff:127.0.0.1'] })[0]).toBe('127.0.0.1');
    expect(candidateAddresses({ ...everywhere, reachedAt: [undefined] })).not.toContain('127.0.0.1');
  });

  it('the address that stands in the URL, where a host passes the port on to us', () => {
    const reachedAt = ['192.0.2.5', '198.51.100.1'];

    expect(candidateAddresses({ ...everywhere, reachedAt })).toContain('198.51.100.1');
    expect(candidateAddresses({ ...everywhere, reachedAt: ['[2001:db8::9]'] })[0]).toBe('2001:db8::9');
  });

  it('no names, no wildcards, nothing that needs the name of an interface', () => {
    const reachedAt = ['weir.example.org', '0.0.0.0', '::', 'fe80::5', 'fe80::5%eth0', ''];

    expect(candidateAddresses({ ...everywhere, reachedAt })).toEqual([
      '192.0.2.5',
      '172.17.0.1',
      '2001:db8::5',
      '203.0.113.7',
    ]);
  });

  it('no IPv6 where the worker does not listen on it', () => {
    const sources = { ...everywhere, listenAddresses: ['0.0.0.0'], reachedAt: ['2001:db8::5'] };

    expect(candidateAddresses(sources)).toEqual(['192.0.2.5', '172.17.0.1', '203.0.113.7']);
  });

  it('sixteen at most', () => {
    const many = { eth0: Array.from({ length: 40 }, (_, i) => address(`192.0.2.${i + 1}`)) };

    expect(candidateAddresses({ ...everywhere, interfaces: many, reachedAt: [] })).toHaveLength(16);
  });
});

it('peers of a worker that listens on one address are told that one alone, and the announced ones', () => {
  const sources = { listenAddresses: ['127.0.0.1'], interfaces, announced: [], reachedAt: ['192.0.2.5'] };

  expect(candidateAddresses(sources)).toEqual(['127.0.0.1']);
  expect(candidateAddresses({ ...sources, announced: ['203.0.113.7'] })).toEqual(['127.0.0.1', '203.0.113.7']);
});
