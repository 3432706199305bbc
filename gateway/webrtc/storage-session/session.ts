/**
 * The storage session of one channel: one master, whose media is recorded, and viewers, who see it. A master that joins anew takes the
 * place of the one before when its media can flow; viewers notice nothing but a new picture.
 */

import type { types } from 'mediasoup';
import { type AppError, appError } from '../../../storage/base/errors.ts';
import type { PeerLeaving, StoragePeer } from '../../kvs/index.ts';
import type { AudioDependencies } from '../audio/index.ts';
import type { MediaWorker } from '../media-plane/index.ts';
import { Exchange, type SentLine } from './exchange.ts';
import { storageSessionLimits } from './limits.ts';
import { Participant } from './participant.ts';
import { Recording, type RecordingParts } from './recording.ts';
import { SessionSound } from './session-sound.ts';

export type StorageSessionDeps = AudioDependencies &
  RecordingParts & {
    readonly worker: MediaWorker;
    /** Nobody is there any more, or nothing can be: `close` is the caller's. Called once. */
    readonly onEnded: () => void;
  };

export type StorageSessionOptions = { readonly channelId: string; readonly streamId: string };

/** The master whose media flows. */
type Live = {
  readonly participant: Participant;
  readonly recording: Recording;
  readonly picture: types.Consumer;
  readonly leave: () => void;
  lastMediaMs: number;
};

export class StorageSession {
  readonly streamId: string;
  readonly #channelId: string;
  readonly #deps: StorageSessionDeps;
  readonly #exchange: Exchange;
  readonly #sound: SessionSound;
  #picture: SentLine | undefined;
  #live: Live | undefined;
  /** The newest master that was offered a session, and whose media does not flow yet. */
  #joining: Participant | undefined;
  /** By client id: also those that were lost, for as long as their places are kept. */
  readonly #viewers = new Map<string, Participant>();
  readonly #leaveOf = new Map<Participant, () => void>();
  #masterMs: number;
  #stopLooking: () => void = () => {};
  #stopWatching: () => void = () => {};
  #turn: Promise<unknown> = Promise.resolve();
  #isEnded = false;
  #closed: Promise<void> | undefined;

  constructor(deps: StorageSessionDeps, { channelId, streamId }: StorageSessionOptions) {
    this.#deps = deps;
    this.#channelId = channelId;
    this.streamId = streamId;
    this.#exchange = new Exchange(deps);
    this.#sound = new SessionSound({ ...deps, exchange: this.#exchange });
    this.#masterMs = deps.clock.monotonicMs();
  }

  get participants(): number {
    return (this.#live === undefined ? 0 : 1) + (this.#joining === undefined ? 0 : 1) + this.#viewers.size;
  }

  /** @throws AppError unavailable  the worker is gone */
  async start(): Promise<void> {
    await this.#exchange.start(() => this.#askKeyFrame());
    this.#picture = await this.#exchange.openLine('video');
    this.#stopWatching = this.#deps.worker.onDied(() => this.#end('the WebRTC worker died'));
    this.#stopLooking = this.#deps.clock.every(storageSessionLimits.lookMs, () => this.#look());
  }

  /** Sends a new offer. @throws AppError resource_exhausted, unavailable */
  join(peer: StoragePeer): Promise<void> {
    return this.#inTurn(async () => {
      const isKnown = peer.role === 'viewer' && this.#viewers.has(peer.clientId ?? '');
      if (peer.role === 'viewer' && !isKnown && this.#viewers.size >= storageSessionLimits.viewersMax) {
        const { viewersMax } = storageSessionLimits;
        throw appError('resource_exhausted', `the storage session has ${viewersMax} viewers, which is the most`);
      }
      const participant = await this.#newParticipant(peer);
      if (peer.role === 'master') {
        this.#joining?.close();
        this.#joining = participant;
      } else {
        this.#dropViewer(peer.clientId ?? '');
        this.#viewers.set(peer.clientId ?? '', participant);
      }
      try {
        await participant.offer();
      } catch (error) {
        this.#drop(participant);
        throw error;
      }
    });
  }

  /** @throws AppError invalid_argument, failed_precondition */
  answer(peer: StoragePeer, sdp: string): Promise<void> {
    return this.#inTurn(async () => {
      const participant = this.#ofPeer(peer);
      if (participant === undefined) throw appError('failed_precondition', 'no offer waits for an answer: join first');
      try {
        await participant.answer(sdp);
      } finally {
        if (participant.isClosed) this.#drop(participant);
      }
    });
  }

  /** A connection is over. Media goes on without it, unless nothing is to go on. */
  left(peer: StoragePeer, leaving: PeerLeaving): void {
    const participant = this.#ofPeer(peer);
    if (participant === undefined) return;
    const isOver = leaving === 'denied' || leaving === 'channel-gone' || leaving === 'closing';
    if (isOver || participant.sent === undefined) this.#drop(participant, leaving);
  }

  has(peer: StoragePeer): boolean {
    return this.#ofPeer(peer) !== undefined;
  }

  /** May be called twice. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#isEnded = true;
    this.#stopLooking();
    this.#stopWatching();
    await this.#turn.catch(() => {});
    this.#joining?.close();
    for (const viewer of this.#viewers.values()) this.#dropViewer(viewer.peer.clientId ?? '');
    const live = this.#live;
    this.#live = undefined;
    // Before its transport: what is whole is recorded.
    await live?.recording.close();
    live?.participant.close();
    await this.#sound.close();
    this.#picture?.close();
    this.#exchange.close();
  }

  async #newParticipant(peer: StoragePeer): Promise<Participant> {
    const { clock, random, worker } = this.#deps;
    const picture = this.#picture;
    if (picture === undefined || this.#isEnded) throw appError('unavailable', 'the storage session is ending');
    const hearing = await this.#sound.addHearer(peer);
    return new Participant(
      {
        ...{ clock, random, worker, hearing, picture: picture.producer },
        onConnected: (participant) => void this.#inTurn(() => this.#onConnected(participant)).catch(() => {}),
      },
      peer,
    );
  }

  async #onConnected(participant: Participant): Promise<void> {
    const { log } = this.#deps;
    const { peer, sent } = participant;
    if (participant.isClosed || this.#isEnded) return;
    log.info('storage session peer connected', { ...factsOf(peer), streamId: this.streamId });
    if (participant.isMaster) {
      await this.#takeMaster(participant);
      return;
    }
    if (sent?.audio === undefined) return;
    const leave = await this.#sound.addTalker(peer, sent.audio, { isMaster: false });
    // It may have left meanwhile.
    if (participant.isClosed) leave();
    else this.#leaveOf.set(participant, leave);
  }

  async #takeMaster(participant: Participant): Promise<void> {
    const { worker, clock } = this.#deps;
    const { video, audio } = participant.sent ?? {};
    if (participant !== this.#joining || video === undefined || audio === undefined) return;
    await this.#dropLive('replaced by a newer master');
    this.#joining = undefined;
    const undo = [() => participant.close()];
    try {
      const leave = await this.#sound.addTalker(participant.peer, audio, { isMaster: true });
      undo.push(leave);
      const source = {};
      const picture = await this.#exchange.tap(video, (packet) => {
        if (this.#live?.participant === participant) this.#live.lastMediaMs = clock.monotonicMs();
        this.#picture?.send(packet, source);
      });
      const recording = this.#recordingOf(participant, { worker, video, audio });
      this.#live = { participant, recording, picture, leave, lastMediaMs: clock.monotonicMs() };
      recording.start();
      this.#askKeyFrame();
    } catch (error) {
      // It would go on sending to nobody: it hears of it by its connection, and joins again.
      this.#deps.log.warn('a storage session cannot take its master', { ...factsOf(participant.peer), error });
      for (const step of undo.reverse()) step();
    }
  }

  #recordingOf(
    { peer }: Participant,
    media: { readonly worker: MediaWorker; readonly video: types.Producer; readonly audio: types.Producer },
  ): Recording {
    const head = { streamId: this.streamId, requestId: `storage-session-${peer.connectionId}` };
    return new Recording(
      { ...this.#deps, sound: this.#sound, onRefused: (error) => this.#onRefused(error) },
      { ...media, head },
    );
  }

  #onRefused(error: AppError): void {
    this.#deps.log.warn('storage session ends: the stream does not take its media', { error, streamId: this.streamId });
    this.#end('the stream does not take its media');
  }

  /** Limits of AWS, and ours. */
  #look(): void {
    const { clock } = this.#deps;
    const nowMs = clock.monotonicMs();
    const limits = storageSessionLimits;
    const live = this.#live;
    this.#sound.look();
    for (const participant of this.#all()) {
      const { joinedMs, connectedMs, lostMs, peer } = participant;
      const isViewer = peer.role === 'viewer';
      if (!peer.mayStay()) this.#drop(participant, 'not allowed any longer');
      else if (nowMs - joinedMs > limits.participantMsMax) this.#drop(participant, 'an hour is over');
      else if (connectedMs === undefined && nowMs - joinedMs > limits.connectingMsMax)
        this.#drop(participant, 'not connected');
      else if (isViewer && lostMs !== undefined && nowMs - lostMs > limits.viewerIdleMsMax)
        this.#drop(participant, 'lost');
    }
    if (live !== undefined && nowMs - live.lastMediaMs > limits.masterIdleMsMax) this.#drop(live.participant, 'idle');
    if (this.#live !== undefined) this.#masterMs = nowMs;
    if (nowMs - this.#masterMs > limits.masterAwaitedMsMax) {
      for (const viewer of this.#viewers.values()) this.#drop(viewer, 'no master came');
    }
    if (this.participants === 0) this.#end('nobody is left');
  }

  #drop(participant: Participant, why = 'ended'): void {
    const { peer } = participant;
    this.#deps.log.info('storage session peer left', { ...factsOf(peer), streamId: this.streamId, why });
    if (this.#live?.participant === participant) {
      void this.#inTurn(() => this.#dropLive(why)).catch(() => {});
      return;
    }
    if (this.#joining === participant) this.#joining = undefined;
    if (this.#viewers.get(peer.clientId ?? '') === participant) this.#dropViewer(peer.clientId ?? '');
    participant.close();
  }

  #dropViewer(clientId: string): void {
    const viewer = this.#viewers.get(clientId);
    if (viewer === undefined) return;
    this.#viewers.delete(clientId);
    this.#leaveOf.get(viewer)?.();
    this.#leaveOf.delete(viewer);
    viewer.close();
  }

  async #dropLive(why: string): Promise<void> {
    const live = this.#live;
    if (live === undefined) return;
    this.#live = undefined;
    this.#deps.log.info('storage session master ended', { ...factsOf(live.participant.peer), why });
    live.leave();
    live.picture.close();
    // Before its transport: what is whole is recorded.
    await live.recording.close();
    live.participant.close();
  }

  /** The newest of a connection's. */
  #ofPeer({ connectionId }: StoragePeer): Participant | undefined {
    const all = this.#all().filter(({ peer }) => peer.connectionId === connectionId);
    return all.find((participant) => participant === this.#joining) ?? all[0];
  }

  #all(): Participant[] {
    const masters = [this.#joining, this.#live?.participant].filter((each) => each !== undefined);
    return [...masters, ...this.#viewers.values()];
  }

  /** The one way to the sender: through the worker, which asks as often as is good. */
  #askKeyFrame(): void {
    this.#live?.picture.requestKeyFrame().catch(() => {});
  }

  #end(why: string): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#deps.log.info('storage session ended', { channelId: this.#channelId, streamId: this.streamId, why });
    this.#deps.onEnded();
  }

  /** One at a time: joins, answers and connections of one channel. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work, work);
    this.#turn = done.catch(() => {});
    return done;
  }
}

function factsOf({ connectionId, role, clientId, channel, subject }: StoragePeer) {
  return { connectionId, channel: channel.name, role, subject, ...(clientId === undefined ? {} : { clientId }) };
}
