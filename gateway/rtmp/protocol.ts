/**
 * The RTMP protocol of one connection: `node-media-server`'s reader and writer with our bounds. Its handshake, chunk reader, chunk
 * writer and AMF writer are used as they are; where it trusts the peer (sizes, clocks, commands) its methods are replaced. The
 * README has the list with what was measured. Nothing else of that package is loaded: no server, no global state, no `process.exit`.
 *
 *   socket bytes -> push -> chunks -> messages -> commands | media
 */

// @ts-expect-error The package has no types: what is used of it is described below, by version 4.4.3.
import NodeMediaRtmp from 'node-media-server/src/protocol/rtmp.js';
import { appError } from '../../storage/base/errors.ts';
import { type AmfObject, type AmfValue, readAmf0 } from './amf.ts';
import { rtmpLimits } from './limits.ts';

/** Message types, RTMP 1.0 chapter 5.4 and 7.1. */
export const messageTypes = {
  setChunkSize: 1,
  abort: 2,
  acknowledgement: 3,
  userControl: 4,
  windowAcknowledgementSize: 5,
  setPeerBandwidth: 6,
  audio: 8,
  video: 9,
  dataAmf3: 15,
  commandAmf3: 17,
  data: 18,
  command: 20,
  aggregate: 22,
} as const;

const pingRequest = 6;
const pingResponse = 7;

export type MediaType = typeof messageTypes.audio | typeof messageTypes.video;

/** What comes out, synchronously from `push`. What a handler throws comes out of `push` as it is. */
export type ProtocolHandler = {
  /** A publisher names its stream; to be answered with `acceptPublish` or `refuse`. */
  publish(streamName: string): void;
  play(): void;
  /** The publisher ends its stream in order. */
  unpublish(): void;
  /** @param bytes  a tag's body as in FLV files; borrowed until return */
  media(type: MediaType, timestampMs: number, bytes: Uint8Array): void;
  /** @param bytes  to be sent; ours to keep */
  output(bytes: Uint8Array): void;
};

/** One chunk stream's message under way, as `node-media-server` keeps it. */
type Packet = {
  readonly header: { fmt: number; cid: number; timestamp: number; length: number; type: number; stream_id: number };
  clock: number;
  payload: Buffer;
  capacity: number;
  /** Of the payload, so far. */
  bytes: number;
};

/** What we use and replace of `Rtmp`. */
type NodeMediaRtmpClass = new () => {
  onOutputCallback: (bytes: Buffer) => void;
  handshakeState: number;
  parserBuffer: Buffer;
  parserBasicBytes: number;
  parserPacket: Packet;
  inPackets: Map<number, Packet>;
  inChunkSize: number;
  outChunkSize: number;
  flv: unknown;
  objectEncoding: number;
  parserData(bytes: Buffer): string | null;
  packetParse(): void;
  chunkMessageHeaderRead(): number;
  packetAlloc(): void;
  packetHandler(): void;
  sendACK(bytes: number): void;
  sendWindowACK(bytes: number): void;
  setPeerBandwidth(bytes: number, type: number): void;
  setChunkSize(bytes: number): void;
  sendStreamStatus(event: number, value: number): void;
  sendInvokeMessage(streamId: number, message: object): void;
  sendStatusMessage(streamId: number, level: string, code: string, description: string): void;
  respondConnect(transactionId: number): void;
};

/** First byte of a plain connection; 6 would be RTMPE, 22 TLS, 71 HTTP. */
const rtmpVersion = 3;
const handshakeIsDone = 3;
/** What we ask the peer to acknowledge by, and acknowledge by ourselves until it asks for another. */
const windowBytes = 2_500_000;
const windowBytesMin = 1_024;
/** `limit` of Set Peer Bandwidth: the peer may choose the smaller of both windows. */
const dynamicLimit = 2;
/** All our answers are on the one stream that `createStream` names. */
const mediaStreamId = 1;

export class RtmpProtocol extends (NodeMediaRtmp as NodeMediaRtmpClass) {
  readonly #handler: ProtocolHandler;
  #isPublishing = false;
  /** Until it publishes. */
  #messages = 0;
  #bytesRead = 0;
  #bytesAcknowledged = 0;
  #windowBytes = windowBytes;

  constructor(handler: ProtocolHandler) {
    super();
    this.#handler = handler;
    this.onOutputCallback = (bytes) => handler.output(bytes);
    // A parser of FLV files with a buffer of 1 MiB, which a connection never needs.
    this.flv = undefined;
  }

  get isShaken(): boolean {
    return this.handshakeState === handshakeIsDone;
  }

  /**
   * Takes what came from the socket, in any pieces.
   *
   * @throws AppError  the peer broke the protocol or a bound; the connection cannot go on
   */
  push(bytes: Uint8Array): void {
    if (this.#bytesRead === 0 && bytes.length > 0 && bytes[0] !== rtmpVersion) {
      throw appError('invalid_argument', 'peer does not speak RTMP', { firstByte: bytes[0] });
    }
    this.parserData(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    this.#bytesRead += bytes.length;
    if (this.#bytesRead - this.#bytesAcknowledged < this.#windowBytes) return;
    this.#bytesAcknowledged = this.#bytesRead;
    // A running count of 32 bits, which wraps.
    this.sendACK(this.#bytesRead >>> 0);
  }

  /** From now on media is taken. */
  acceptPublish(): void {
    this.#isPublishing = true;
    this.sendStatusMessage(mediaStreamId, 'status', 'NetStream.Publish.Start', 'publishing');
  }

  /** @param code  `NetStream.Publish.BadName` or another that the peer's kind of program knows */
  refuse(code: string, description: string): void {
    this.sendStatusMessage(mediaStreamId, 'error', code, description);
  }

  /** The head of a chunk is there: which message it belongs to. */
  override packetParse(): void {
    const head = this.parserBuffer;
    const first = head[0] ?? 0;
    const fmt = first >> 6;
    const cid = chunkStreamId(head, this.parserBasicBytes);
    let packet = this.inPackets.get(cid);
    if (packet === undefined) {
      if (this.inPackets.size >= rtmpLimits.chunkStreamsMax) {
        throw appError('resource_exhausted', 'publisher uses too many chunk streams', {
          max: rtmpLimits.chunkStreamsMax,
        });
      }
      // Type 1 lacks the stream's id alone: librtmp begins its control messages so.
      if (fmt > 1) throw appError('data_loss', 'chunk stream begins without a full head', { cid, fmt });
      packet = freshPacket(cid);
      this.inPackets.set(cid, packet);
    }
    if (packet.bytes > 0 && fmt !== 3) {
      throw appError('data_loss', 'chunk begins a message before the last one ended', { cid, bytes: packet.bytes });
    }
    this.parserPacket = packet;
    packet.header.fmt = fmt;
    this.chunkMessageHeaderRead();
  }

  /** A message begins; its clock is known. Bounds its size, and wraps the clock that the package lets run past 32 bits. */
  override packetAlloc(): void {
    const packet = this.parserPacket;
    const { length, type } = packet.header;
    packet.clock %= 2 ** 32;
    const bytesMax = this.#messageBytesMax(type);
    if (length > bytesMax) {
      throw appError('resource_exhausted', 'message is larger than its kind may be', { type, length, bytesMax });
    }
    if (packet.capacity >= length) return;
    let others = 0;
    for (const other of this.inPackets.values()) others += other === packet ? 0 : other.capacity;
    // Pictures differ in size: a quarter more spares most of the copies to come.
    const wish = Math.max(rtmpLimits.messageBytesFirst, Math.min(bytesMax, Math.ceil(length * 1.25)));
    const capacity = Math.max(length, Math.min(wish, rtmpLimits.messageBuffersBytesMax - others));
    if (others + capacity > rtmpLimits.messageBuffersBytesMax) {
      throw appError('resource_exhausted', 'publisher keeps too many large messages open', { others, length });
    }
    packet.payload = Buffer.allocUnsafeSlow(capacity);
    packet.capacity = capacity;
  }

  /** A message is whole. */
  override packetHandler(): void {
    const { header, payload, clock } = this.parserPacket;
    const bytes = payload.subarray(0, header.length);
    if (!this.#isPublishing && ++this.#messages > rtmpLimits.strangerMessagesMax) {
      throw appError('resource_exhausted', 'peer says much and publishes nothing', { messages: this.#messages });
    }
    switch (header.type) {
      case messageTypes.setChunkSize:
        this.#setChunkSize(readControl(bytes));
        return;
      case messageTypes.abort:
        this.#abort(readControl(bytes));
        return;
      case messageTypes.windowAcknowledgementSize:
        this.#windowBytes = Math.max(windowBytesMin, readControl(bytes));
        return;
      case messageTypes.userControl:
        if (bytes.length >= 6 && bytes.readUInt16BE(0) === pingRequest) {
          this.sendStreamStatus(pingResponse, bytes.readUInt32BE(2));
        }
        return;
      case messageTypes.command:
        this.#command(bytes);
        return;
      case messageTypes.commandAmf3:
        // A byte that says "AMF0 follows", then AMF0: nobody sends anything else.
        this.#command(bytes.subarray(1));
        return;
      case messageTypes.audio:
      case messageTypes.video:
        if (this.#isPublishing) this.#handler.media(header.type, clock, bytes);
        return;
      case messageTypes.aggregate:
        if (this.#isPublishing) this.#aggregate(clock, bytes);
        return;
      default:
        // Acknowledgements, bandwidth and metadata: nothing that we decide by.
        return;
    }
  }

  #messageBytesMax(type: number): number {
    // Nothing large is taken from somebody who has not named a valid key.
    if (!this.#isPublishing) return rtmpLimits.commandBytesMax;
    switch (type) {
      case messageTypes.video:
      case messageTypes.aggregate:
        return rtmpLimits.videoBytesMax;
      case messageTypes.audio:
        return rtmpLimits.audioBytesMax;
      case messageTypes.data:
      case messageTypes.dataAmf3:
        return rtmpLimits.metadataBytesMax;
      default:
        return rtmpLimits.commandBytesMax;
    }
  }

  #setChunkSize(asked: number): void {
    if (asked < rtmpLimits.chunkBytesMin || asked > 0x7fff_ffff) {
      throw appError('invalid_argument', 'chunk size is out of bounds', { asked, min: rtmpLimits.chunkBytesMin });
    }
    for (const packet of this.inPackets.values()) {
      // The reader counts chunks from a message's begin.
      if (packet !== this.parserPacket && packet.bytes > 0) {
        throw appError('data_loss', 'chunk size changes inside a message', { cid: packet.header.cid });
      }
    }
    this.inChunkSize = Math.min(asked, rtmpLimits.chunkBytesMax);
  }

  #abort(cid: number): void {
    const packet = this.inPackets.get(cid);
    if (packet !== undefined) packet.bytes = 0;
  }

  #command(bytes: Uint8Array): void {
    const [name, transaction, first, second] = readAmf0(bytes);
    const transactionId = typeof transaction === 'number' ? transaction : 0;
    switch (name) {
      case 'connect':
        this.#connect(transactionId, first instanceof Map ? (first as AmfObject) : new Map());
        return;
      case 'createStream':
        this.sendInvokeMessage(0, { cmd: '_result', transId: transactionId, cmdObj: null, info: mediaStreamId });
        return;
      case 'FCPublish':
        // Old encoders (FMLE and its heirs) wait for it.
        this.sendInvokeMessage(0, {
          cmd: 'onFCPublish',
          transId: 0,
          cmdObj: null,
          info: { code: 'NetStream.Publish.Start', description: 'FCPublish' },
        });
        return;
      case 'publish':
        if (this.#isPublishing) throw appError('invalid_argument', 'connection publishes twice');
        this.#handler.publish(typeof second === 'string' ? second : '');
        return;
      case 'play':
      case 'play2':
        this.#handler.play();
        return;
      case 'FCUnpublish':
      case 'closeStream':
      case 'deleteStream':
        if (this.#isPublishing) this.#handler.unpublish();
        return;
      default:
        // releaseStream, _checkbw and whatever else encoders ask for the sake of one server: nobody waits for an answer.
        return;
    }
  }

  #connect(transactionId: number, properties: AmfObject): void {
    const encoding: AmfValue = properties.get('objectEncoding');
    this.objectEncoding = encoding === 3 ? 3 : 0;
    this.sendWindowACK(windowBytes);
    this.setPeerBandwidth(windowBytes, dynamicLimit);
    this.setChunkSize(this.outChunkSize);
    this.respondConnect(transactionId);
  }

  /** Tags as in an FLV file, each with its length behind it; times relative to the first (RTMP 1.0 7.1.6). */
  #aggregate(clock: number, bytes: Buffer): void {
    let firstMs: number | undefined;
    for (let at = 0; at + 11 <= bytes.length; ) {
      const type = bytes.readUInt8(at) & 0x1f;
      const end = at + 11 + bytes.readUIntBE(at + 1, 3);
      if (end > bytes.length) throw appError('data_loss', 'aggregate message is cut off', { byteOffset: at });
      const tagMs = bytes.readUIntBE(at + 4, 3) + bytes.readUInt8(at + 7) * 2 ** 24;
      firstMs ??= tagMs;
      if (type === messageTypes.audio || type === messageTypes.video) {
        this.#handler.media(type, (clock + tagMs - firstMs) >>> 0, bytes.subarray(at + 11, end));
      }
      at = end + 4;
    }
  }
}

function freshPacket(cid: number): Packet {
  const header = { fmt: 0, cid, timestamp: 0, length: 0, type: 0, stream_id: 0 };
  return { header, clock: 0, payload: Buffer.alloc(0), capacity: 0, bytes: 0 };
}

/** The package reads ids of three bytes wrong (5.3.1.1: the third byte counts 256). */
function chunkStreamId(head: Buffer, basicBytes: number): number {
  if (basicBytes === 1) return (head[0] ?? 0) & 0x3f;
  return 64 + (head[1] ?? 0) + (basicBytes === 3 ? (head[2] ?? 0) * 256 : 0);
}

function readControl(bytes: Buffer): number {
  if (bytes.length < 4) throw appError('data_loss', 'control message is cut off', { byteLength: bytes.length });
  return bytes.readUInt32BE(0);
}
