/** What the routes of WHEP and WHIP work with. */

import type { IceServer } from '../../gateway/kvs/index.ts';
import type { WhepSessions, WhipSessions } from '../../gateway/webrtc/index.ts';

export type LiveSessions = {
  readonly whep: Pick<WhepSessions, 'open' | 'sessions'>;
  readonly whip: Pick<WhipSessions, 'open' | 'sessions'>;
  /**
   * TURN servers with credentials made for this client; none where none are configured.
   * @param who  letters and digits: tells one client from another in the TURN server's log and quota
   */
  readonly iceServers: (who: string) => Promise<readonly IceServer[]>;
};
