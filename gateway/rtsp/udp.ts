/**
 * The pair of UDP ports of one track. Packets are taken from the camera's address whatever their port (NAT, and cameras that
 * send from another port than they said), and from another address only after the camera's own stayed silent.
 */

import { createSocket, type Socket } from 'node:dgram';
import type { Clock } from '../../storage/base/clock.ts';
import { rtspLimits } from './limits.ts';
import { faults } from './source.ts';

export type UdpHandler = {
  /** One packet; the bytes belong to the receiver from here on. */
  rtp(packet: Uint8Array): void;
  rtcp(packet: Uint8Array): void;
};

const bindTriesMax = 32;
const firstPort = 20_000;
const portSpan = 40_000;
/** After so long without a packet from the camera's address, packets from elsewhere are believed. */
const foreignAfterMs = 2_000;

export class UdpPair {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #handler: UdpHandler;
  #rtp: Socket | undefined;
  #rtcp: Socket | undefined;
  #ports: readonly [number, number] = [0, 0];
  #addresses: readonly string[] = [];
  #serverPorts: readonly [number, number] | undefined;
  #openedMs = 0;
  #hasReceived = false;

  constructor(deps: { readonly clock: Clock; readonly random: () => number; readonly handler: UdpHandler }) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#handler = deps.handler;
  }

  /** RTP's port, even, and RTCP's, the next one. */
  get ports(): readonly [number, number] {
    return this.#ports;
  }

  /** @throws SourceFault  no pair of ports is free */
  async open(family: 'IPv4' | 'IPv6'): Promise<void> {
    this.#openedMs = this.#clock.monotonicMs();
    for (let tries = 0; tries < bindTriesMax; tries++) {
      const port = firstPort + 2 * Math.floor((this.#random() * portSpan) / 2);
      const rtp = await bind(family, port);
      if (rtp === undefined) continue;
      const rtcp = await bind(family, port + 1);
      if (rtcp === undefined) {
        rtp.close();
        continue;
      }
      this.#rtp = rtp;
      this.#rtcp = rtcp;
      this.#ports = [port, port + 1];
      rtp.on('message', (packet, from) => {
        if (this.#isWelcome(from.address)) this.#handler.rtp(packet);
      });
      rtcp.on('message', (packet, from) => {
        if (this.#isWelcome(from.address)) this.#handler.rtcp(packet);
      });
      return;
    }
    throw faults.protocol('no pair of UDP ports is free on this server', 'choose TCP as the transport of this camera');
  }

  /** Says whom to listen to and opens the way through a NAT or firewall with two packets that mean nothing. */
  expect(options: {
    readonly serverAddress: string | undefined;
    readonly source: string | undefined;
    readonly serverPorts: readonly [number, number] | undefined;
  }): void {
    const { serverAddress, source, serverPorts } = options;
    this.#addresses = [serverAddress, source].filter((address) => address !== undefined).map(plainAddress);
    this.#serverPorts = serverPorts;
    if (serverPorts === undefined) return;
    const rtp = Uint8Array.of(0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    this.#rtp?.send(rtp, serverPorts[0], this.#addresses[0], () => {});
    this.sendRtcp(Uint8Array.of(0x80, 201, 0, 1, 0, 0, 0, 0));
  }

  sendRtcp(packet: Uint8Array): void {
    const [address] = this.#addresses;
    if (this.#serverPorts === undefined || address === undefined) return;
    this.#rtcp?.send(packet, this.#serverPorts[1], address, () => {});
  }

  close(): void {
    this.#rtp?.close();
    this.#rtcp?.close();
    this.#rtp = undefined;
    this.#rtcp = undefined;
  }

  #isWelcome(address: string): boolean {
    const isKnown = this.#addresses.includes(plainAddress(address));
    if (isKnown) this.#hasReceived = true;
    if (isKnown || this.#hasReceived) return isKnown;
    return this.#clock.monotonicMs() - this.#openedMs > foreignAfterMs;
  }
}

/** A bound socket, or undefined when the port is taken. */
function bind(family: 'IPv4' | 'IPv6', port: number): Promise<Socket | undefined> {
  const socket = createSocket({
    type: family === 'IPv6' ? 'udp6' : 'udp4',
    recvBufferSize: rtspLimits.udpReceiveBufferBytes,
  });
  return new Promise((resolve) => {
    socket.once('error', () => {
      socket.close();
      resolve(undefined);
    });
    socket.bind(port, () => {
      socket.removeAllListeners('error');
      // ICMP errors (port unreachable) come here: the camera is gone or not there yet, the watchdog tells.
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

/** `::ffff:10.0.0.5` and zone names are other spellings of the same address. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:/i, '').replace(/%.*$/, '');
}
