/** KVS storage sessions, in the role `serve`: their peers, what is recorded of them, and what Prometheus learns of them. */

import { Gauge, type Registry } from 'prom-client';
import {
  type MediaPlane,
  PeerMedia,
  StorageSessions,
  StreamPut,
  storageSessionLimits,
} from '../../gateway/webrtc/index.ts';
import { fractionOf } from '../../storage/base/chance.ts';
import { ByteBudget } from '../../storage/journal/index.ts';
import type { LaneClient } from '../../storage/lane/index.ts';
import type { RoleContext } from './role-context.ts';

export type StorageSessionParts = {
  readonly plane: MediaPlane;
  /** The process that records a stream. */
  readonly laneOf: (streamId: string) => LaneClient;
  readonly registry: Registry;
};

/** To be closed before the media plane: what is whole is recorded then. */
export function storageSessions(
  context: RoleContext,
  { plane, laneOf, registry }: StorageSessionParts,
): StorageSessions {
  const { clock, log, config } = context;
  const random = fractionOf(context.random);
  const budget = new ByteBudget(storageSessionLimits.queuedBytesMax);
  const sessions = new StorageSessions({
    ...{ clock, log, random, plane, ffmpeg: config.ffmpegPath },
    newMedia: ({ sink, onFault }, { worker, video, audio }) =>
      new PeerMedia({ clock, random, worker, sink, onFault }, { video, audio }),
    newPut: (events, head) =>
      new StreamPut({ clock, log, random, budget, owner: laneOf(head.streamId), ...events }, head),
  });
  const registers = [registry];
  new Gauge({
    ...{ name: 'weir_webrtc_storage_sessions', help: 'Channels whose media is stored just now', registers },
    collect() {
      this.set(sessions.size);
    },
  });
  new Gauge({
    ...{ name: 'weir_webrtc_storage_session_peers', help: 'Masters and viewers of storage sessions', registers },
    collect() {
      this.set(sessions.participants);
    },
  });
  return sessions;
}
