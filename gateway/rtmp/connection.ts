/**
 * One accepted connection, from the first byte to its end: reads in turns like the cameras' connections, keeps the
 * deadlines of a stranger, and ends by itself on whatever the peer does wrong. Nothing that a peer sends can throw out of here.
 */

import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../../storage/base/clock.ts';
import { isAppError } from '../../storage/base/errors.ts';
import type { SharedReads, SourceEnd } from '../rtsp/index.ts';
import { ends } from './ends.ts';
import { rtmpLimits } from './limits.ts';
import { type MediaType, RtmpProtocol } from './protocol.ts';

/** Who receives what a publisher sends; given with the permission to publish. */
export type MediaReceiver = {
  /** @param bytes  borrowed until return */
  media(type: MediaType, timestampMs: number, bytes: Uint8Array): void;
  /** The connection is gone; called once. */
  ended(end: SourceEnd): void;
  /** A mistake of ours while handling what came; the connection is gone. */
  crashed(error: unknown): void;
};

/** What Node reads from a socket at a time: less was all there was. A TLS record is never more than a quarter of it. */
const fullReadBytes = 64 * 1024;

export type ConnectionOwner = {
  /** To be answered by `accept` or `refuse`, at once or later. The stream name holds the key. */
  publishAsked(connection: RtmpConnection, streamName: string): void;
  /** The connection is over, for a reason fit for the log; its peer may still have to read or to leave. */
  closed(connection: RtmpConnection, why: string): void;
  /** Nothing is left of it. */
  gone(connection: RtmpConnection): void;
};

export class RtmpConnection {
  readonly #clock: Clock;
  readonly #reads: SharedReads;
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #protocol: RtmpProtocol;
  readonly #cancel: (() => void)[] = [];
  #receiver: MediaReceiver | undefined;
  /** As the turns know it. */
  readonly #turns = {
    resume: () => {
      this.#oldBytes = this.#socket.readableLength;
      this.#socket.resume();
    },
  };
  /** Of the stream's own queue, read before this turn began. */
  #oldBytes = 0;
  #isAsked = false;
  /** Until it asked to publish. */
  #strangerBytes = 0;
  #isEnded = false;
  /** A mistake of ours on its way through the parser. */
  #crash: { readonly error: unknown } | undefined;

  constructor(
    deps: { readonly clock: Clock; readonly reads: SharedReads; readonly owner: ConnectionOwner },
    options: { readonly socket: Socket },
  ) {
    this.#clock = deps.clock;
    this.#reads = deps.reads;
    this.#owner = deps.owner;
    this.#socket = options.socket;
    this.#protocol = new RtmpProtocol({
      publish: (streamName) => this.#publish(streamName),
      play: () => this.refuse('NetStream.Play.Failed', 'this server takes publishers and has no players here'),
      unpublish: () => this.#unpublished(),
      media: (type, timestampMs, bytes) => this.#media(type, timestampMs, bytes),
      output: (bytes) => this.#write(bytes),
    });
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get peer(): string {
    return `${this.#socket.remoteAddress ?? 'unknown'}:${this.#socket.remotePort ?? 0}`;
  }

  /** False when nothing is left of it. */
  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  get isPublishing(): boolean {
    return this.#receiver !== undefined;
  }

  start(): void {
    const socket = this.#socket;
    socket.on('data', (bytes) => this.#read(bytes));
    socket.on('end', () =>
      this.end(
        this.#receiver === undefined
          ? gone
          : ends.lost('the publisher closed the connection without ending its stream'),
      ),
    );
    socket.on('error', (error) => this.end(ends.lost(`the connection broke: ${error.message}`)));
    socket.on('close', () => {
      this.end(ends.lost('the connection is gone'));
      this.#owner.gone(this);
    });
    this.#deadline(rtmpLimits.handshakeTimeoutMs, () => !this.#protocol.isShaken, 'no RTMP handshake came in time');
    this.#deadline(rtmpLimits.publishTimeoutMs, () => !this.#isAsked, 'nothing was published in time');
    socket.resume();
  }

  /** Lets the peer publish: media goes to the receiver until `ended`. */
  accept(receiver: MediaReceiver): void {
    if (this.#isEnded) return;
    this.#receiver = receiver;
    this.#protocol.acceptPublish();
    this.#socket.resume();
  }

  /** Tells the peer why not, and ends. */
  refuse(code: string, description: string): void {
    if (this.#isEnded) return;
    this.#protocol.refuse(code, description);
    this.#finish();
    this.#socket.end();
    this.#owner.closed(this, description);
  }

  /** Ends the connection at once; whoever receives is told the reason. */
  end(end: SourceEnd): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#clear();
    this.#socket.destroy();
    this.#owner.closed(this, end.message);
    this.#receiver?.ended(end);
  }

  /** The stream is over. The peer closes the connection: GStreamer takes it for a failure when we do. */
  #unpublished(): void {
    if (this.#isEnded) return;
    this.#finish();
    this.#owner.closed(this, ends.closed.message);
    this.#receiver?.ended(ends.closed);
  }

  /** Listens no more, and gives the peer time to read and to leave. */
  #finish(): void {
    this.#isEnded = true;
    this.#clear();
    // What still comes is read and thrown away: with it unread the system would drop our answer.
    this.#socket.resume();
    this.#clock.after(rtmpLimits.farewellMs, () => this.#socket.destroy());
  }

  #publish(streamName: string): void {
    if (this.#isAsked) {
      this.end(ends.protocol('the publisher asked to publish twice'));
      return;
    }
    this.#isAsked = true;
    // Nothing more is read from a stranger: what it sends waits in its own buffers for the answer.
    this.#socket.pause();
    this.#owner.publishAsked(this, streamName);
  }

  #media(type: MediaType, timestampMs: number, bytes: Uint8Array): void {
    if (this.#isEnded) return;
    try {
      this.#receiver?.media(type, timestampMs, bytes);
    } catch (error) {
      this.#crash = { error };
      throw error;
    }
  }

  #read(bytes: Uint8Array): void {
    if (this.#isEnded) return;
    if (!this.#isAsked && this.#strangerBytes > rtmpLimits.strangerBytesMax) {
      this.end(ends.protocol('the peer sends much and publishes nothing'));
      return;
    }
    this.#strangerBytes += bytes.length;
    try {
      this.#protocol.push(bytes);
    } catch (error) {
      const crash = this.#crash;
      if (crash === undefined) {
        this.end(ends.protocol(faultText(error)));
        return;
      }
      const receiver = this.#receiver;
      this.#receiver = undefined;
      this.end(ends.closed);
      receiver?.crashed(crash.error);
      return;
    }
    if (this.#isEnded || !this.isPublishing) return;
    // What was read while the connection waited for its turn is old; a short reading after it has emptied the kernel's buffer.
    const isOld = this.#oldBytes > 0;
    this.#oldBytes = Math.max(0, this.#oldBytes - bytes.length);
    const isUrgent = isOld || bytes.length >= fullReadBytes || this.#socket instanceof TLSSocket;
    if (!this.#reads.goesOn(this.#turns, bytes.length, { isUrgent })) this.#socket.pause();
  }

  #write(bytes: Uint8Array): void {
    if (this.#isEnded) return;
    this.#socket.write(bytes);
    if (this.#socket.writableLength > rtmpLimits.unreadBytesMax) {
      this.end(ends.protocol('the publisher does not read what it is answered'));
    }
  }

  #deadline(durationMs: number, isDue: () => boolean, why: string): void {
    this.#cancel.push(
      this.#clock.after(durationMs, () => {
        if (isDue()) this.end(ends.protocol(why));
      }),
    );
  }

  #clear(): void {
    for (const cancel of this.#cancel) cancel();
    this.#cancel.length = 0;
  }
}

/** Somebody who never published leaves: nobody has to act. */
const gone = ends.lost('the peer left before it published');

/** What the parser threw: our own words, or the package's where it fell over something that we did not foresee. */
function faultText(error: unknown): string {
  if (!isAppError(error)) return 'the publisher sent something that cannot be read';
  const facts = Object.entries(error.context).map(([name, value]) => `${name} ${String(value)}`);
  return `the publisher broke the protocol: ${error.message}${facts.length === 0 ? '' : ` (${facts.join(', ')})`}`;
}
