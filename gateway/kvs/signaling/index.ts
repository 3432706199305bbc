/** What peers of a channel ask over HTTP before and beside their WebSocket. */

import type { Clock } from '../../../storage/base/clock.ts';
import type { KvsCall, KvsOperations } from '../call.ts';
import { requireChannel } from '../channels.ts';
import { awsError } from '../errors.ts';
import { choiceMember, required, textMember } from '../members.ts';
import { iceServers, type TurnServers } from './turn-credentials.ts';

export type { PeerLeaving, SignaledCandidate, StoragePeer, StorageSessionPort } from './storage-port.ts';
export { type TurnServers, turnUrisMax } from './turn-credentials.ts';

export type SignalingDeps = {
  readonly clock: Clock;
  /** Read anew for each question, so that a changed secret counts at once; undefined where no TURN server is configured. */
  readonly turnServers: () => Promise<TurnServers | undefined>;
};

/** Offers that wait for a master at once: each is an open connection. */
const offersMax = 100;
const clientIdPattern = /^[a-zA-Z0-9_.-]{1,256}$/;
/** AWS: base64 of an SDP offer. */
const payloadPattern = /^[a-zA-Z0-9+/=]{1,10000}$/;

export function signalingOperations({ clock, turnServers }: SignalingDeps): KvsOperations {
  let offers = 0;

  async function getIceServerConfig(call: KvsCall): Promise<object> {
    const { input, nowMs } = call;
    textMember(input, 'ClientId', clientIdPattern);
    textMember(input, 'Username', clientIdPattern);
    choiceMember(input, 'Service', ['TURN']);
    const channel = requireChannel(call, 'kinesisvideo:GetIceServerConfig');
    const servers = await turnServers();
    if (servers === undefined) {
      throw awsError('InvalidArgumentException', 'No TURN server is configured here: webrtc.turn names none.');
    }
    return {
      IceServerList: iceServers(servers, { who: channel.id, nowMs }).map(({ uris, username, password, ttlS }) => ({
        Uris: uris,
        Username: username,
        Password: password,
        Ttl: ttlS,
      })),
    };
  }

  /** Nobody can be a master before there is a WebSocket, so an offer waits as long as any message would, and ends unanswered. */
  async function sendAlexaOffer(call: KvsCall): Promise<object> {
    required(textMember(call.input, 'SenderClientId', clientIdPattern), 'SenderClientId');
    required(textMember(call.input, 'MessagePayload', payloadPattern), 'MessagePayload');
    const { messageTtlS } = requireChannel(call, 'kinesisvideo:SendAlexaOfferToMaster');
    if (offers >= offersMax) throw awsError('ClientLimitExceededException', `${offersMax} offers wait already.`);
    offers++;
    // A client that is gone needs no answer.
    await clock.sleep(messageTtlS * 1_000, call.signal).catch(() => {});
    offers--;
    return {};
  }

  return new Map([
    ['/v1/get-ice-server-config', { action: 'kinesisvideo:GetIceServerConfig', run: getIceServerConfig }],
    ['/v1/send-alexa-offer-to-master', { action: 'kinesisvideo:SendAlexaOfferToMaster', run: sendAlexaOffer }],
  ]);
}
