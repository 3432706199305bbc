/** Viewers and publishers by WebRTC, in the role `serve`: their sessions, what they watch and send, and what Prometheus learns of them. */

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { iceServers } from '../../gateway/kvs/index.ts';
import type { Conversions } from '../../gateway/playback/index.ts';
import {
  Bridges,
  type MediaPlane,
  type SessionEvents,
  WhepSessions,
  WhipReceiver,
  WhipSessions,
} from '../../gateway/webrtc/index.ts';
import { fractionOf } from '../../storage/base/chance.ts';
import { type Closable, Lifetime } from '../../storage/base/lifecycle.ts';
import type { LaneClient } from '../../storage/lane/index.ts';
import type { LiveSessions } from '../admin/index.ts';
import type { RoleContext } from './role-context.ts';
import { readTurnServers } from './turn-servers.ts';

export type LiveSessionParts = {
  readonly plane: MediaPlane;
  readonly conversions: Conversions;
  readonly laneOf: (streamId: string) => LaneClient;
  readonly registry: Registry;
};

/** To be closed before the media plane, so that sessions end by themselves and not with their worker. */
export function liveSessions(context: RoleContext, parts: LiveSessionParts): LiveSessions & Closable {
  const { clock, log, random, config } = context;
  const { plane, conversions, laneOf, registry } = parts;
  const deps = { clock, log, random };
  const lifetime = new Lifetime();
  const bridges = lifetime.own(new Bridges({ ...deps, laneOf, conversions, ffmpeg: config.ffmpegPath }));
  const receiver = new WhipReceiver({ clock, log, random: fractionOf(random), ownerOf: laneOf });
  const events = countedEvents(registry);
  const whep = new WhepSessions({ ...deps, plane, bridges, events });
  const whip = new WhipSessions({ ...deps, plane, receiver, events });
  for (const { sessions } of [whep, whip]) lifetime.own(sessions);
  const registers = [registry];
  new Gauge({
    ...{ name: 'weir_webrtc_sessions', help: 'WHEP viewers and WHIP publishers', labelNames: ['kind'], registers },
    collect() {
      this.set({ kind: 'viewer' }, whep.sessions.count);
      this.set({ kind: 'publisher' }, whip.sessions.count);
    },
  });
  return {
    ...{ whep, whip, close: () => lifetime.close() },
    iceServers: async (who) => {
      const servers = await readTurnServers(config.webrtc);
      return servers === undefined ? [] : iceServers(servers, { who, nowMs: clock.wallMs() });
    },
  };
}

function countedEvents(registry: Registry): SessionEvents {
  const registers = [registry];
  const opened = new Counter({
    name: 'weir_webrtc_sessions_opened_total',
    help: 'Offers of viewers and publishers that were answered',
    ...{ labelNames: ['kind'], registers },
  });
  const ended = new Counter({
    name: 'weir_webrtc_sessions_ended_total',
    help: 'Sessions of viewers and publishers that ended, and how',
    ...{ labelNames: ['kind', 'end'], registers },
  });
  const connect = new Histogram({
    name: 'weir_webrtc_connect_seconds',
    help: 'From the answer to an encrypted connection',
    ...{ labelNames: ['kind', 'protocol'], registers, buckets: [0.1, 0.3, 1, 3, 10, 30] },
  });
  return {
    onOpened: (kind) => opened.inc({ kind }),
    onConnected: (kind, { protocol, tookMs }) => connect.observe({ kind, protocol }, tookMs / 1_000),
    onEnded: (kind, end) => ended.inc({ kind, end }),
  };
}
