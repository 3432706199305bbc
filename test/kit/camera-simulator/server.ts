/**
 * Many simulated cameras in one process: RTSP with interleaved RTP over TCP, real-time pacing, sender reports. Camera i is
 * `rtsp://host:port/camera-i`. Every camera's frame k is due at a fixed time whether somebody listens or not, so a frame that
 * was not stored can be named, and the time it stood for.
 */

import { createServer, type Server, type Socket } from 'node:net';
import type { Clip } from './clip.ts';
import { frameNumberNal, writeFrameNumber } from './frame-number.ts';

export type SimulatorOptions = {
  readonly cameras: number;
  /** `burst`: one write a picture; `paced`: one write an RTP packet over 80 % of the picture's time, like many small segments. */
  readonly mode: 'burst' | 'paced';
};

export type CameraStats = {
  readonly camera: number;
  readonly framesSent: number;
  readonly firstFrame: number;
  readonly lastFrame: number;
  readonly connections: number;
  readonly cutOff: number;
};

const payloadBytesMax = 1_400;
const queuedBytesMax = 32 * 1024 * 1024;
const audioSamplesPerFrame = 1_024;
const audioHz = 48_000;
const videoHz = 90_000;

/** Framed RTP packets of one access unit, with what must be patched for each connection. */
type Packets = { readonly bytes: Buffer; readonly at: readonly number[]; readonly digitsAt: number };

type Connection = {
  readonly socket: Socket;
  readonly camera: number;
  isPlaying: boolean;
  hasVideo: boolean;
  hasAudio: boolean;
  videoSequence: number;
  audioSequence: number;
  nextFrame: number;
  nextAudio: number;
  packet: number;
  unit: Buffer | undefined;
  nextReportMs: number;
};

type CameraState = { framesSent: number; firstFrame: number; lastFrame: number; connections: number; cutOff: number };

export class CameraSimulator {
  readonly #clip: Clip;
  readonly #options: SimulatorOptions;
  readonly #video: readonly Packets[];
  readonly #audio: readonly Packets[];
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #cameras: CameraState[];
  /** Of cameras that leave something out, by `ageMs`. */
  readonly #silentUntilMs = new Map<number, number>();
  readonly #beginMs = performance.now();
  readonly #keyAt: ReadonlySet<number>;
  #ticker: NodeJS.Timeout | undefined;

  constructor(clip: Clip, options: SimulatorOptions) {
    this.#clip = clip;
    this.#options = options;
    this.#keyAt = new Set(clip.keyIndexes);
    const numberNal = frameNumberNal(clip.options.codec);
    this.#video = clip.units.map((nals) =>
      packetised(clip.options.codec, [numberNal.nal, ...nals], numberNal.digitsAt),
    );
    this.#audio = clip.audioFrames.map((frame) => aacPacket(frame));
    this.#cameras = Array.from({ length: options.cameras }, () => ({
      framesSent: 0,
      firstFrame: -1,
      lastFrame: -1,
      connections: 0,
      cutOff: 0,
    }));
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  start(port = 0): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', () => {
        const address = this.#server.address();
        this.#ticker = setInterval(() => this.#tick(), 1);
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  }

  /** Time since frame 0 of camera 0 was due. */
  get ageMs(): number {
    return performance.now() - this.#beginMs;
  }

  stats(): CameraStats[] {
    return this.#cameras.map((state, camera) => ({ camera, ...state }));
  }

  /** From now on a camera sends nothing for a while; its connections stay, its clock and frame numbers go on. */
  leaveOut(camera: number, durationMs: number): void {
    this.#silentUntilMs.set(camera, this.ageMs + durationMs);
  }

  /** Breaks every connection of a camera, as a reboot does. */
  disconnect(camera: number): void {
    for (const connection of this.#connections) if (connection.camera === camera) connection.socket.destroy();
  }

  close(): Promise<void> {
    clearInterval(this.#ticker);
    for (const { socket } of this.#connections) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    const connection: Connection = {
      ...{ socket, camera: 0, isPlaying: false, hasVideo: false, hasAudio: false, videoSequence: 0, audioSequence: 0 },
      ...{ nextFrame: 0, nextAudio: 0, packet: -1, unit: undefined, nextReportMs: 0 },
    };
    let current = connection;
    let text = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#connections.delete(current));
    socket.on('data', (chunk) => {
      text = Buffer.concat([text, chunk]);
      for (;;) {
        if (text[0] === 0x24) {
          const end = 4 + text.readUInt16BE(2);
          if (text.length < end) return;
          text = text.subarray(end);
          continue;
        }
        const end = text.indexOf('\r\n\r\n');
        if (end < 0) return;
        const request = text.toString('latin1', 0, end);
        text = text.subarray(end + 4);
        const camera = Number(/\/camera-(\d+)/.exec(request)?.[1] ?? 0);
        if (camera !== current.camera && !current.isPlaying) current = Object.assign(current, { camera });
        this.#answer(current, request);
      }
    });
  }

  #answer(connection: Connection, request: string): void {
    const method = request.slice(0, request.indexOf(' '));
    const url = request.split(' ', 2)[1] ?? '';
    const sequence = /^cseq:\s*(\d+)/im.exec(request)?.[1] ?? '0';
    const session = `Session: ${10_000 + connection.camera};timeout=60`;
    let status = '200 OK';
    let headers: readonly string[] = [];
    let body = '';
    if (connection.camera >= this.#options.cameras) {
      status = '404 Not Found';
    } else if (method === 'OPTIONS') {
      headers = ['Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER'];
    } else if (method === 'DESCRIBE') {
      body = this.#description();
      headers = [
        `Content-Base: ${url.replace(/\/?$/, '/')}`,
        'Content-Type: application/sdp',
        `Content-Length: ${Buffer.byteLength(body)}`,
      ];
    } else if (method === 'SETUP') {
      const isAudio = url.includes('trackID=1');
      if (isAudio) connection.hasAudio = true;
      else connection.hasVideo = true;
      headers = [`Transport: RTP/AVP/TCP;unicast;interleaved=${isAudio ? '2-3' : '0-1'}`, session];
    } else {
      headers = [session];
    }
    const lines = [`RTSP/1.0 ${status}`, `CSeq: ${sequence}`, ...headers];
    connection.socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`);
    if (method === 'PLAY') this.#play(connection);
    if (method === 'TEARDOWN') connection.socket.end();
  }

  #play(connection: Connection): void {
    const elapsedMs = performance.now() - this.#beginMs;
    // Like most cameras: the first picture is the next key frame.
    let frame = Math.max(0, Math.ceil((elapsedMs - this.#phaseMs(connection.camera)) / this.#frameMs));
    while (!this.#keyAt.has(this.#unitIndex(connection.camera, frame))) frame++;
    connection.nextFrame = frame;
    connection.nextAudio = Math.ceil((elapsedMs / 1000) * (audioHz / audioSamplesPerFrame));
    connection.nextReportMs = elapsedMs;
    connection.isPlaying = true;
    const state = this.#cameras[connection.camera];
    if (state !== undefined) {
      state.connections++;
      if (state.firstFrame < 0) state.firstFrame = frame;
    }
    this.#connections.add(connection);
  }

  get #frameMs(): number {
    return 1000 / this.#clip.options.framesPerSecond;
  }

  /** Cameras do not send their key frames at the same instant either: each begins the clip elsewhere. */
  #unitIndex(camera: number, frame: number): number {
    return (frame + camera * 7) % this.#video.length;
  }

  #phaseMs(camera: number): number {
    return cameraPhaseMs(camera, this.#clip.options.framesPerSecond);
  }

  #tick(): void {
    const elapsedMs = performance.now() - this.#beginMs;
    for (const connection of this.#connections) {
      if (connection.socket.writableLength > queuedBytesMax) {
        const state = this.#cameras[connection.camera];
        if (state !== undefined) state.cutOff++;
        connection.socket.destroy();
        continue;
      }
      if (elapsedMs < (this.#silentUntilMs.get(connection.camera) ?? 0)) {
        this.#passOver(connection, elapsedMs);
        continue;
      }
      if (connection.hasVideo) this.#sendVideo(connection, elapsedMs - this.#phaseMs(connection.camera));
      if (connection.hasAudio) this.#sendAudio(connection, elapsedMs);
      if (elapsedMs >= connection.nextReportMs) this.#sendReports(connection, elapsedMs);
    }
  }

  /** What is due is never sent; a picture that was begun is sent whole first. */
  #passOver(connection: Connection, elapsedMs: number): void {
    const videoMs = elapsedMs - this.#phaseMs(connection.camera);
    if (connection.unit !== undefined) this.#sendVideo(connection, videoMs);
    else while (videoMs >= connection.nextFrame * this.#frameMs) connection.nextFrame++;
    while (elapsedMs >= (connection.nextAudio * audioSamplesPerFrame * 1000) / audioHz) connection.nextAudio++;
  }

  #sendVideo(connection: Connection, elapsedMs: number): void {
    for (;;) {
      const dueMs = connection.nextFrame * this.#frameMs;
      if (elapsedMs < dueMs) return;
      const packets = this.#video[this.#unitIndex(connection.camera, connection.nextFrame)];
      if (packets === undefined) return;
      connection.unit ??= this.#patched(connection, packets);
      const unit = connection.unit;
      if (this.#options.mode === 'burst') {
        connection.socket.write(unit);
      } else {
        const count = packets.at.length;
        for (let next = connection.packet + 1; next < count; next++) {
          if (elapsedMs < dueMs + (0.8 * this.#frameMs * next) / count) return;
          connection.socket.write(unit.subarray(packets.at[next], packets.at[next + 1] ?? unit.length));
          connection.packet = next;
        }
      }
      connection.unit = undefined;
      connection.packet = -1;
      const state = this.#cameras[connection.camera];
      if (state !== undefined) {
        state.framesSent++;
        state.lastFrame = connection.nextFrame;
      }
      connection.nextFrame++;
    }
  }

  /** A copy of its own: the socket may hold it while the kernel's buffer is full. */
  #patched(connection: Connection, packets: Packets): Buffer {
    const unit = Buffer.from(packets.bytes);
    const rtpTime = Math.round((connection.nextFrame * videoHz) / this.#clip.options.framesPerSecond) >>> 0;
    for (const at of packets.at) {
      unit.writeUInt16BE(connection.videoSequence & 0xffff, at + 6);
      unit.writeUInt32BE(rtpTime, at + 8);
      connection.videoSequence++;
    }
    writeFrameNumber(unit, packets.digitsAt, connection.camera, connection.nextFrame);
    return unit;
  }

  #sendAudio(connection: Connection, elapsedMs: number): void {
    while (elapsedMs >= (connection.nextAudio * audioSamplesPerFrame * 1000) / audioHz) {
      const packets = this.#audio[connection.nextAudio % this.#audio.length];
      if (packets === undefined) return;
      const packet = Buffer.from(packets.bytes);
      packet.writeUInt16BE(connection.audioSequence++ & 0xffff, 6);
      packet.writeUInt32BE((connection.nextAudio * audioSamplesPerFrame) >>> 0, 8);
      connection.socket.write(packet);
      connection.nextAudio++;
    }
  }

  #sendReports(connection: Connection, elapsedMs: number): void {
    connection.nextReportMs = elapsedMs + 5_000;
    const wallMs = Date.now();
    if (connection.hasVideo) {
      const mediaMs = elapsedMs - this.#phaseMs(connection.camera);
      connection.socket.write(senderReport(1, 0x11223344, wallMs, Math.round((mediaMs / 1000) * videoHz)));
    }
    if (connection.hasAudio) {
      connection.socket.write(senderReport(3, 0x11223346, wallMs, Math.round((elapsedMs / 1000) * audioHz)));
    }
  }

  #description(): string {
    const { codec } = this.#clip.options;
    const sets = this.#clip.parameterSets.map((nal) => nal.toString('base64'));
    const video =
      codec === 'h264'
        ? ['a=rtpmap:96 H264/90000', `a=fmtp:96 packetization-mode=1;sprop-parameter-sets=${sets.join(',')}`]
        : ['a=rtpmap:96 H265/90000', `a=fmtp:96 sprop-vps=${sets[0]};sprop-sps=${sets[1]};sprop-pps=${sets[2]}`];
    const audio = [
      ...['m=audio 0 RTP/AVP 97', 'a=rtpmap:97 MPEG4-GENERIC/48000/1'],
      'a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1188',
      'a=control:trackID=1',
    ];
    const head = ['v=0', 'o=- 0 0 IN IP4 127.0.0.1', 's=simulator', 'c=IN IP4 0.0.0.0', 't=0 0', 'a=control:*'];
    const lines = [
      ...head,
      'm=video 0 RTP/AVP 96',
      ...video,
      'a=control:trackID=0',
      ...(this.#audio.length > 0 ? audio : []),
    ];
    return `${lines.join('\r\n')}\r\n`;
  }
}

/** Cameras do not send at the same instant: by how much a camera's frames are later than those of camera 0. */
export function cameraPhaseMs(camera: number, framesPerSecond: number): number {
  return (((camera * 37) % 100) * 10) / framesPerSecond;
}

function packetised(codec: 'h264' | 'h265', nals: readonly Buffer[], digitsInNal: number): Packets {
  const parts: Buffer[] = [];
  nals.forEach((nal, index) => {
    const isLastNal = index === nals.length - 1;
    if (nal.length <= payloadBytesMax) parts.push(rtpPacket(0, 96, isLastNal, nal));
    else parts.push(...fragmentUnits(codec, nal, isLastNal));
  });
  const at: number[] = [];
  let offset = 0;
  for (const part of parts) {
    at.push(offset);
    offset += part.length;
  }
  return { bytes: Buffer.concat(parts), at, digitsAt: 16 + digitsInNal };
}

/** RFC 6184 FU-A, RFC 7798 FU. */
function fragmentUnits(codec: 'h264' | 'h265', nal: Buffer, isLastNal: boolean): Buffer[] {
  const first = nal[0] ?? 0;
  const headBytes = codec === 'h264' ? 1 : 2;
  const type = codec === 'h264' ? first & 31 : (first >> 1) & 63;
  const step = payloadBytesMax - headBytes - 1;
  const packets: Buffer[] = [];
  for (let at = headBytes; at < nal.length; at += step) {
    const isEnd = at + step >= nal.length;
    const flags = (at === headBytes ? 0x80 : 0) | (isEnd ? 0x40 : 0) | type;
    const head = codec === 'h264' ? [(first & 0xe0) | 28, flags] : [(first & 0x81) | (49 << 1), nal[1] ?? 0, flags];
    const payload = Buffer.concat([Buffer.from(head), nal.subarray(at, Math.min(nal.length, at + step))]);
    packets.push(rtpPacket(0, 96, isLastNal && isEnd, payload));
  }
  return packets;
}

/** RFC 3640, AAC-hbr, one frame a packet. */
function aacPacket(frame: Buffer): Packets {
  const head = Buffer.from([0, 16, frame.length >> 5, (frame.length << 3) & 0xff]);
  return { bytes: rtpPacket(2, 97, true, Buffer.concat([head, frame])), at: [0], digitsAt: 0 };
}

function rtpPacket(channel: number, payloadType: number, hasMarker: boolean, payload: Buffer): Buffer {
  const packet = Buffer.alloc(16 + payload.length);
  packet[0] = 0x24;
  packet[1] = channel;
  packet.writeUInt16BE(12 + payload.length, 2);
  packet[4] = 0x80;
  packet[5] = payloadType | (hasMarker ? 0x80 : 0);
  packet.writeUInt32BE(0x11223344 + channel, 12);
  payload.copy(packet, 16);
  return packet;
}

function senderReport(channel: number, ssrc: number, wallMs: number, rtpTime: number): Buffer {
  const packet = Buffer.alloc(32);
  packet[0] = 0x24;
  packet[1] = channel;
  packet.writeUInt16BE(28, 2);
  packet[4] = 0x80;
  packet[5] = 200;
  packet.writeUInt16BE(6, 6);
  packet.writeUInt32BE(ssrc, 8);
  packet.writeUInt32BE((Math.floor(wallMs / 1000) + 2_208_988_800) >>> 0, 12);
  packet.writeUInt32BE(Math.floor(((wallMs % 1000) / 1000) * 2 ** 32) >>> 0, 16);
  packet.writeUInt32BE(rtpTime >>> 0, 20);
  return packet;
}
