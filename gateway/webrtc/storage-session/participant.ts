/** One peer of a session: our offer to it, its answer, and the transport between. What its media is good for is the session's business. */

import type { types } from 'mediasoup';
import type { Clock } from '../../../storage/base/clock.ts';
import { appError, toAppError } from '../../../storage/base/errors.ts';
import type { StoragePeer } from '../../kvs/index.ts';
import type { MediaWorker } from '../media-plane/index.ts';
import {
  candidateLines,
  type OfferedMedia,
  type PeerDescription,
  type PeerMedia,
  producerParameters,
  readAnswer,
  receiverCapabilities,
  storageOffer,
} from '../sdp/index.ts';

export type ParticipantDeps = {
  readonly clock: Clock;
  readonly random: () => number;
  readonly worker: MediaWorker;
  /** Where it hears the others. */
  readonly hearing: { readonly producer: types.Producer; close(): void };
  /** The picture that a viewer gets. */
  readonly picture: types.Producer;
  /** Media can flow: called once. */
  readonly onConnected: (participant: Participant) => void;
};

/** What a peer sends, once it has answered. */
export type SentMedia = { readonly video?: types.Producer | undefined; readonly audio?: types.Producer | undefined };

/** The order of AWS's offers: sound first. */
const audioMid = '0';
const videoMid = '1';

export class Participant {
  readonly peer: StoragePeer;
  readonly joinedMs: number;
  readonly #deps: ParticipantDeps;
  #transport: types.WebRtcTransport | undefined;
  #offered: OfferedMedia[] = [];
  #consumers: types.Consumer[] = [];
  #sent: SentMedia | undefined;
  #connectedMs: number | undefined;
  /** Since when nothing comes of it. */
  #lostMs: number | undefined;
  #isClosed = false;

  constructor(deps: ParticipantDeps, peer: StoragePeer) {
    this.#deps = deps;
    this.peer = peer;
    this.joinedMs = deps.clock.monotonicMs();
  }

  get isMaster(): boolean {
    return this.peer.role === 'master';
  }

  /** Undefined before the answer. */
  get sent(): SentMedia | undefined {
    return this.#sent;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Since when media flowed first; undefined before. */
  get connectedMs(): number | undefined {
    return this.#connectedMs;
  }

  /** Since when the peer is not there; undefined while it is, or has never been. */
  get lostMs(): number | undefined {
    return this.#lostMs;
  }

  /** Sends our offer. @throws AppError unavailable, resource_exhausted  no transport can be had */
  async offer(): Promise<void> {
    const { worker, hearing, picture, random } = this.#deps;
    const transport = await worker.createPeer({ key: this.peer.channel.id, isRecorded: this.isMaster });
    this.#transport = transport;
    transport.on('dtlsstatechange', (state) => this.#onDtls(state));
    transport.on('icestatechange', (state) => this.#onIce(state));
    transport.observer.once('close', () => this.#onLost());
    try {
      const capabilities = worker.router.rtpCapabilities;
      const consume = (producer: types.Producer, mid: string) =>
        transport.consume({ producerId: producer.id, rtpCapabilities: capabilities, mid });
      const audio = await consume(hearing.producer, audioMid);
      const video = this.isMaster ? undefined : await consume(picture, videoMid);
      this.#consumers = video === undefined ? [audio] : [audio, video];
      this.#offered = [
        { mid: audioMid, kind: 'audio', direction: 'sendrecv', capabilities, sends: audio.rtpParameters },
        {
          ...{ mid: videoMid, kind: 'video', capabilities, sends: video?.rtpParameters },
          direction: this.isMaster ? 'recvonly' : 'sendonly',
        },
      ];
    } catch (error) {
      this.close();
      throw appError('unavailable', 'the WebRTC worker is gone', { cause: toAppError(error) });
    }
    const { iceParameters, dtlsParameters } = transport;
    const addresses = worker.candidateAddresses(this.peer.localAddress);
    const own = { iceParameters, dtlsParameters, addresses, port: worker.port };
    this.peer.sendOffer(
      storageOffer({
        ...own,
        media: this.#offered,
        sessionId: String(1 + Math.floor(random() * 2 ** 52)),
        sessionVersion: 1,
        areCandidatesInside: true,
      }),
    );
    // Besides: native clients begin with the first that comes. Browsers want to know a line; which one is all the same in a bundle.
    for (const candidate of candidateLines(own)) this.peer.sendCandidate({ candidate, sdpMLineIndex: 0 });
  }

  /**
   * Takes the peer's answer.
   * @throws AppError invalid_argument     not what a session needs: what is missing
   * @throws AppError failed_precondition  it has answered already
   */
  async answer(sdp: string): Promise<void> {
    const transport = this.#transport;
    if (transport === undefined || this.#isClosed)
      throw appError('failed_precondition', 'this offer is no longer good');
    if (this.#sent !== undefined) throw appError('failed_precondition', 'this offer was answered already');
    const answer = readAnswer(sdp, this.#offered);
    const [audio, video] = this.isMaster ? this.#masterLines(answer) : this.#viewerLines(answer);
    this.#sent = {};
    try {
      await transport.connect({ dtlsParameters: answer.dtls });
      // One after the other: both must be there before the session looks.
      const produced = [];
      for (const each of [audio, video]) produced.push(each === undefined ? undefined : await transport.produce(each));
      this.#sent = { audio: produced[0], video: produced[1] };
    } catch (error) {
      if (transport.closed) throw appError('unavailable', 'the WebRTC worker is gone', { cause: toAppError(error) });
      this.close();
      throw appError('invalid_argument', `the answer cannot be used: ${toAppError(error).message}`, { cause: error });
    }
    this.#tellConnected();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#transport?.close();
    this.#deps.hearing.close();
  }

  /** AWS: both tracks, H.264 sent, Opus sent. */
  #masterLines({ media }: PeerDescription): (types.ProducerOptions | undefined)[] {
    const [audio, video] = [lineOf(media, audioMid), lineOf(media, videoMid)];
    if (!sends(video)) throw appError('invalid_argument', 'a master must send video: H.264, a=sendonly');
    if (!sends(audio)) throw appError('invalid_argument', 'a master must send sound: Opus, a=sendonly or a=sendrecv');
    if (!receives(audio)) this.#consumers[0]?.close();
    const capabilities = this.#deps.worker.router.rtpCapabilities;
    return [audio, video].map((line) => ({ kind: line.kind, rtpParameters: producerParameters(line, capabilities) }));
  }

  /** AWS: H.264 received and nothing else of video; Opus received, both ways, or not at all. */
  #viewerLines({ media }: PeerDescription): (types.ProducerOptions | undefined)[] {
    const [audio, video] = [lineOf(media, audioMid), lineOf(media, videoMid)];
    const capabilities = this.#deps.worker.router.rtpCapabilities;
    if (sends(video)) throw appError('invalid_argument', 'a viewer sends no video: a=recvonly');
    if (!receives(video)) throw appError('invalid_argument', 'a viewer must receive video: H.264, a=recvonly');
    const isTaken = (line: PeerMedia) => (receiverCapabilities(line, capabilities).codecs ?? []).length > 0;
    if (!isTaken(video)) {
      throw appError('invalid_argument', 'the answer has no H.264 under the payload type of the offer');
    }
    if (!receives(audio) || !isTaken(audio)) this.#consumers[0]?.close();
    if (!sends(audio)) return [undefined, undefined];
    return [{ kind: 'audio', rtpParameters: producerParameters(audio, capabilities) }, undefined];
  }

  #onDtls(state: types.DtlsState): void {
    if (state === 'connected') {
      this.#connectedMs ??= this.#deps.clock.monotonicMs();
      this.#tellConnected();
    }
    if (state === 'closed' || state === 'failed') this.#onLost();
  }

  #onIce(state: types.IceState): void {
    if (state === 'disconnected' || state === 'closed') this.#onLost();
    else if (state === 'connected' || state === 'completed') this.#lostMs = undefined;
  }

  #onLost(): void {
    this.#lostMs ??= this.#deps.clock.monotonicMs();
  }

  /** DTLS may be there before the producers are. */
  #tellConnected(): void {
    const isReady = this.#connectedMs !== undefined && this.#sent !== undefined && !this.#isTold && !this.#isClosed;
    const isWhole = !this.isMaster || this.#sent?.video !== undefined;
    if (!isReady || !isWhole) return;
    this.#isTold = true;
    this.#deps.onConnected(this);
  }

  #isTold = false;
}

type Line = PeerMedia & { readonly kind: types.MediaKind };

function lineOf(media: readonly PeerMedia[], mid: string): Line | undefined {
  return media.find((line): line is Line => line.mid === mid && line.kind !== undefined && !line.isRejected);
}

function sends(line: Line | undefined): line is Line {
  return line?.direction === 'sendonly' || line?.direction === 'sendrecv';
}

function receives(line: Line | undefined): line is Line {
  return line?.direction === 'recvonly' || line?.direction === 'sendrecv';
}
