/** Looks for devices by multicast: a probe on each chosen interface, answers until the time is over. */

import { createSocket, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import type { Clock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import type { Log } from '../../../storage/base/log.ts';
import { onvifLimits } from '../limits.ts';
import { type FoundDevice, matchesOf, mergedDevices, probeMessage, probeTypes } from './probe-messages.ts';

const group = '239.255.255.250';
const groupPort = 3702;
/** A second probe for those whose first one was lost (WS-Discovery, section 2.4: 50 to 250 ms apart). */
const againMs = 250;

export type NetworkInterface = { readonly name: string; readonly address: string };

/** IPv4 interfaces that lead somewhere. */
export function searchableInterfaces(): NetworkInterface[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses
      .filter(({ family, internal }) => family === 'IPv4' && !internal)
      .map(({ address }) => ({ name, address })),
  );
}

/**
 * Asks on each interface and listens until the time is over.
 *
 * @param options.interfaces  names or addresses of our own; all that lead somewhere when absent
 * @throws AppError invalid_argument  there is no such interface
 * @throws AppError unavailable       no interface can be searched on
 */
export async function searchNetwork(
  deps: { readonly clock: Clock; readonly log: Log; readonly newId: () => string },
  options: {
    readonly interfaces?: readonly string[] | undefined;
    readonly searchMs: number;
    readonly signal: AbortSignal;
  },
): Promise<FoundDevice[]> {
  const { clock, log, newId } = deps;
  const { interfaces, searchMs, signal } = options;
  const addresses = addressesOf(interfaces);
  const found: FoundDevice[] = [];
  const messageIds = new Set<string>();
  let datagrams = 0;
  const hear = (datagram: Uint8Array, sender: { readonly address: string }) => {
    if (++datagrams > onvifLimits.datagramsMax) return;
    found.push(...matchesOf(datagram, { address: sender.address, messageIds }));
  };
  const sockets: Socket[] = [];
  try {
    for (const address of addresses) {
      const socket = await opened(address, hear).catch((error: unknown) => {
        log.warn('network interface cannot be searched on', { address, error });
      });
      if (socket !== undefined) sockets.push(socket);
    }
    if (sockets.length === 0) {
      throw appError('unavailable', 'no network interface can be searched on', {
        hint: 'name addresses instead: a container without the network of its host hears no multicast',
      });
    }
    const probes = probeTypes.map((type) => {
      const messageId = `urn:uuid:${newId()}`;
      messageIds.add(messageId);
      return probeMessage({ messageId, type });
    });
    const sendAll = () => {
      // A send that fails is an interface that went away: its answers are missing, no more.
      for (const socket of sockets) for (const probe of probes) socket.send(probe, groupPort, group, () => {});
    };
    sendAll();
    await clock.sleep(Math.min(againMs, searchMs), signal);
    sendAll();
    await clock.sleep(Math.max(0, searchMs - againMs), signal);
  } finally {
    for (const socket of sockets) socket.close();
  }
  return mergedDevices(found);
}

function addressesOf(wanted: readonly string[] | undefined): string[] {
  if (wanted === undefined) return searchableInterfaces().map(({ address }) => address);
  const all = Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.filter(({ family }) => family === 'IPv4').map(({ address }) => ({ name, address })),
  );
  return wanted.flatMap((text) => {
    const matching = all.filter(({ name, address }) => name === text || address === text);
    if (matching.length === 0) {
      throw appError('invalid_argument', `this machine has no network interface "${text}"`, {
        hint: `there are ${[...new Set(all.map(({ name }) => name))].join(', ')}`,
      });
    }
    return matching.map(({ address }) => address);
  });
}

function opened(
  address: string,
  hear: (datagram: Uint8Array, sender: { readonly address: string }) => void,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address, port: 0 }, () => {
      socket.removeAllListeners('error');
      // Answers of hosts that are not there come back as errors.
      socket.on('error', () => {});
      socket.on('message', hear);
      socket.setMulticastInterface(address);
      resolve(socket);
    });
  });
}
