/** Whether a port can be listened on, asked before a worker is given it: the worker says only that it could not. */

import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { assert } from '../../../storage/base/assert.ts';
import { type AppError, appError, errnoOf } from '../../../storage/base/errors.ts';
import { mediaPlaneLimits } from './limits.ts';

/** What is to be listened on for one address of the configuration: IPv6 beside IPv4 where the system has it. */
export async function listenAddressesOf(host: string): Promise<string[]> {
  if (host !== '::') return [host];
  const trouble = await udpTrouble('::', 0);
  return trouble === undefined ? ['0.0.0.0', '::'] : ['0.0.0.0'];
}

/** Why UDP or TCP of this port can't be had on one of the addresses; undefined when all can. */
export async function portTrouble(addresses: readonly string[], port: number): Promise<AppError | undefined> {
  for (const address of addresses) {
    const udp = await udpTrouble(address, port);
    if (udp !== undefined) return toPerson(udp, { protocol: 'UDP', address, port });
    const tcp = await tcpTrouble(address, port);
    if (tcp !== undefined) return toPerson(tcp, { protocol: 'TCP', address, port });
  }
  return undefined;
}

/** A port that is free for UDP and TCP on all of the addresses, at this moment. */
export async function freePort(addresses: readonly string[]): Promise<number> {
  for (let attempt = 0; attempt < mediaPlaneLimits.freePortAttemptsMax; attempt++) {
    const port = await anyTcpPort(addresses[0] ?? '127.0.0.1');
    if ((await portTrouble(addresses, port)) === undefined) return port;
  }
  throw appError('unavailable', 'no port is free for UDP and TCP');
}

type PortPlace = { readonly protocol: 'UDP' | 'TCP'; readonly address: string; readonly port: number };

function toPerson(errno: string, { protocol, address, port }: PortPlace): AppError {
  const facts = { errno, address, port };
  switch (errno) {
    case 'EADDRINUSE':
      return appError('unavailable', `${protocol} port ${port} is used by another program`, {
        ...facts,
        hint: 'end that program, or name another port in webrtc.port and restart',
      });
    case 'EADDRNOTAVAIL':
      return appError('unavailable', `this machine does not have the address ${address}`, {
        ...facts,
        hint: 'name an address of this machine in webrtc.address or listen.address and restart',
      });
    case 'EACCES':
    case 'EPERM':
      return appError('unavailable', `${protocol} port ${port} may not be listened on by this user`, {
        ...facts,
        hint: 'name a port above 1023 in webrtc.port and restart',
      });
    default:
      return appError('unavailable', `${protocol} port ${port} cannot be listened on: ${errno}`, {
        ...facts,
        hint: 'name another port in webrtc.port and restart',
      });
  }
}

function udpTrouble(address: string, port: number): Promise<string | undefined> {
  const isIpv6 = address.includes(':');
  return new Promise((resolve) => {
    const socket = createSocket({ type: isIpv6 ? 'udp6' : 'udp4', ipv6Only: isIpv6 });
    socket.once('error', (error) => {
      socket.close();
      resolve(errnoOf(error) ?? error.message);
    });
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve(undefined)));
  });
}

function tcpTrouble(address: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(errnoOf(error) ?? error.message));
    server.listen({ host: address, port, exclusive: true, ipv6Only: address.includes(':') }, () =>
      server.close(() => resolve(undefined)),
    );
  });
}

function anyTcpPort(address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) =>
      reject(toPerson(errnoOf(error) ?? error.message, { protocol: 'TCP', address, port: 0 })),
    );
    server.listen({ host: address, port: 0 }, () => {
      const bound = server.address();
      assert(typeof bound === 'object' && bound !== null, 'a TCP server that listens has a port');
      server.close(() => resolve(bound.port));
    });
  });
}
