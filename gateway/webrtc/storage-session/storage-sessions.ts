/** All storage sessions of this process, as signalling knows them: one to a channel, from the first peer that joins to the last that leaves. */

import { appError } from '../../../storage/base/errors.ts';
import type { PeerLeaving, StoragePeer, StorageSessionPort } from '../../kvs/index.ts';
import type { AudioDependencies } from '../audio/index.ts';
import type { MediaPlane } from '../media-plane/index.ts';
import { storageSessionLimits } from './limits.ts';
import type { RecordingParts } from './recording.ts';
import { StorageSession } from './session.ts';

export type StorageSessionsDeps = AudioDependencies & RecordingParts & { readonly plane: Pick<MediaPlane, 'place'> };

/** A session with what it needs until it runs. */
type Running = { readonly session: StorageSession; readonly started: Promise<void> };

export class StorageSessions implements StorageSessionPort {
  readonly #deps: StorageSessionsDeps;
  /** By channel id. */
  readonly #running = new Map<string, Running>();
  readonly #ending = new Set<Promise<void>>();
  #isClosed = false;

  constructor(deps: StorageSessionsDeps) {
    this.#deps = deps;
  }

  /** Peers of all sessions, those whose places are kept included. */
  get participants(): number {
    return [...this.#running.values()].reduce((sum, { session }) => sum + session.participants, 0);
  }

  get size(): number {
    return this.#running.size;
  }

  readonly join = async (peer: StoragePeer): Promise<void> => {
    const { session, started } = this.#sessionFor(peer);
    await started;
    await session.join(peer);
    // It may have left while its offer was made.
    if (!peer.isConnected()) session.left(peer, 'gone');
  };

  readonly answer = async (peer: StoragePeer, sdp: string): Promise<void> => {
    const running = this.#running.get(peer.channel.id);
    if (running === undefined || !running.session.has(peer)) {
      throw appError('failed_precondition', 'no offer waits for an answer: join the storage session first');
    }
    await running.session.answer(peer, sdp);
  };

  readonly offer = async (peer: StoragePeer): Promise<void> => {
    const operation = peer.role === 'master' ? 'JoinStorageSession' : 'JoinStorageSessionAsViewer';
    throw appError('failed_precondition', `the channel stores its media: call ${operation}, the offer comes from here`);
  };

  /** Our side of ICE is lite: it answers whoever knows the password, so a peer's addresses are of no use to it. */
  readonly candidate = (): void => {};

  readonly left = (peer: StoragePeer, leaving: PeerLeaving): void => {
    this.#running.get(peer.channel.id)?.session.left(peer, leaving);
  };

  /** What is whole is recorded. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const [channelId, running] of this.#running) this.#end(channelId, running);
    await Promise.all(this.#ending);
  }

  /** @throws AppError unavailable, resource_exhausted */
  #sessionFor({ channel, streamId }: StoragePeer): Running {
    if (this.#isClosed) throw appError('unavailable', 'the server ends');
    const known = this.#running.get(channel.id);
    if (known?.session.streamId === streamId) return known;
    // The channel stores its media elsewhere by now.
    if (known !== undefined) this.#end(channel.id, known);
    if (this.#running.size >= storageSessionLimits.sessionsMax) {
      throw appError(
        'resource_exhausted',
        `there are ${storageSessionLimits.sessionsMax} storage sessions, which is the most`,
      );
    }
    const worker = this.#deps.plane.place(channel.id, { isRecorded: true });
    const session = new StorageSession(
      { ...this.#deps, worker, onEnded: () => this.#end(channel.id, running) },
      { channelId: channel.id, streamId },
    );
    const running: Running = { session, started: session.start() };
    running.started.catch(() => this.#end(channel.id, running));
    this.#running.set(channel.id, running);
    return running;
  }

  #end(channelId: string, running: Running): void {
    if (this.#running.get(channelId) === running) this.#running.delete(channelId);
    const ending = running.session
      .close()
      .catch((error: unknown) => this.#deps.log.error('a storage session did not end well', { channelId, error }))
      .finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }
}
