/** Where the packets of one track go: into the reader's connection, or to its UDP ports. */

import type { Socket as UdpSocket } from 'node:dgram';
import type { Socket } from 'node:net';
import { writeU16 } from '../../../storage/base/bytes.ts';
import type { Clock } from '../../../storage/base/clock.ts';
import { forEachPacket, frameHeadBytes, onChannel } from '../../rtp/index.ts';
import { rtspServerLimits } from '../limits.ts';

export type TrackSink = {
  /** Bytes that wait for the reader; sinks of one connection share them. */
  readonly queuedBytes: number;
  /** Media handed over so far. */
  readonly sentBytes: number;
  /** @param burst  interleaved frames, shared with other readers: kept, never changed */
  send(burst: Uint8Array): void;
  report(packet: Uint8Array): void;
  close(): void;
};

export class TcpSink implements TrackSink {
  readonly #socket: Socket;
  readonly #channels: readonly [number, number];
  readonly #isDefaultChannel: boolean;
  #sentBytes = 0;

  constructor(
    socket: Socket,
    options: { readonly channels: readonly [number, number]; readonly defaultChannel: number },
  ) {
    this.#socket = socket;
    this.#channels = options.channels;
    this.#isDefaultChannel = options.channels[0] === options.defaultChannel;
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  send(burst: Uint8Array): void {
    if (this.#socket.destroyed) return;
    this.#sentBytes += burst.length;
    this.#socket.write(this.#isDefaultChannel ? burst : onChannel(burst, this.#channels[0]));
  }

  report(packet: Uint8Array): void {
    if (this.#socket.destroyed) return;
    const frame = new Uint8Array(frameHeadBytes + packet.length);
    frame[0] = 0x24;
    frame[1] = this.#channels[1];
    writeU16(frame, 2, packet.length);
    frame.set(packet, frameHeadBytes);
    this.#socket.write(frame);
  }

  close(): void {}
}

/** The two sockets that all readers by UDP share, and how to hear from a reader. */
export type UdpPair = { readonly rtp: UdpSocket; readonly rtcp: UdpSocket; readonly ports: readonly [number, number] };

/** Sends in small bursts, since a key frame at once would overrun the receiver's buffer. */
export class UdpSink implements TrackSink {
  readonly #clock: Clock;
  readonly #pair: UdpPair;
  readonly #address: string;
  readonly #ports: readonly [number, number];
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #sentBytes = 0;
  /** Packets of the first burst in the queue that went out already, in bytes. */
  #sentOfFirst = 0;
  #cancel: (() => void) | undefined;

  constructor(
    deps: { readonly clock: Clock; readonly pair: UdpPair },
    options: { readonly address: string; readonly ports: readonly [number, number] },
  ) {
    this.#clock = deps.clock;
    this.#pair = deps.pair;
    this.#address = options.address;
    this.#ports = options.ports;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  send(burst: Uint8Array): void {
    this.#sentBytes += burst.length;
    this.#queue.push(burst);
    this.#queuedBytes += burst.length;
    if (this.#cancel === undefined) this.#drain();
  }

  report(packet: Uint8Array): void {
    this.#pair.rtcp.send(packet, this.#ports[1], this.#address, ignore);
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#queue.length = 0;
    this.#queuedBytes = 0;
  }

  #drain(): void {
    this.#cancel = undefined;
    const { udpBurstBytes, udpDrainBursts, udpBurstMs } = rtspServerLimits;
    let budget = Math.max(udpBurstBytes, this.#queuedBytes / udpDrainBursts);
    for (let first = this.#queue[0]; first !== undefined && budget > 0; first = this.#queue[0]) {
      const from = this.#sentOfFirst;
      let sentTo = from;
      forEachPacket(first.subarray(from), (begin, end) => {
        if (budget <= 0) return;
        this.#pair.rtp.send(first, from + begin, end - begin, this.#ports[0], this.#address, ignore);
        budget -= end - begin;
        sentTo = from + end;
      });
      this.#queuedBytes -= sentTo - from;
      this.#sentOfFirst = sentTo;
      if (sentTo < first.length) break;
      this.#queue.shift();
      this.#sentOfFirst = 0;
    }
    if (this.#queue.length > 0) this.#cancel = this.#clock.after(udpBurstMs, () => this.#drain());
  }
}

/** A port that is closed, a network that is away: reports and requests tell whether the reader lives. */
function ignore(): void {}
