/** Our ICE candidates: every address by UDP, and by TCP for networks that let nothing else out. Pure. */

import { isIPv6 } from 'node:net';
import type { OwnTransport } from './types.ts';

export type OwnCandidate = {
  readonly foundation: string;
  readonly component: 1;
  readonly transport: 'udp' | 'tcp';
  readonly priority: number;
  readonly ip: string;
  readonly port: number;
  readonly type: 'host';
  readonly tcptype?: 'passive';
};

/** RFC 8445, 5.1.2.1: host candidates; UDP before TCP whatever the address, then in the order of the addresses. */
const hostPreference = 126;
const udpPreference = 40_000;
const tcpPreference = 20_000;

export function candidatesOf({ addresses, port }: Pick<OwnTransport, 'addresses' | 'port'>): OwnCandidate[] {
  return (['udp', 'tcp'] as const).flatMap((transport) =>
    addresses.map((ip, index): OwnCandidate => {
      const local = (transport === 'udp' ? udpPreference : tcpPreference) - index;
      return {
        foundation: `${transport}${index}${isIPv6(ip) ? 'v6' : ''}`,
        component: 1,
        transport,
        priority: hostPreference * 2 ** 24 + local * 2 ** 8 + 255,
        ...{ ip, port, type: 'host' },
        ...(transport === 'tcp' ? { tcptype: 'passive' } : {}),
      };
    }),
  );
}

/** As browsers name them, for who trickles: `candidate:udp0 1 udp 2122 192.0.2.1 8189 typ host`. */
export function candidateLines(own: Pick<OwnTransport, 'addresses' | 'port'>): string[] {
  return candidatesOf(own).map(
    ({ foundation, component, transport, priority, ip, port, type, tcptype }) =>
      `candidate:${foundation} ${component} ${transport} ${priority} ${ip} ${port} typ ${type}${tcptype === undefined ? '' : ` tcptype ${tcptype}`}`,
  );
}
