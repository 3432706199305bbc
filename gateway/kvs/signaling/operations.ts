/** What peers of a channel ask over HTTP, before and beside their WebSocket. */

import type { Clock } from '../../../storage/base/clock.ts';
import type { KvsCall, KvsOperation, KvsOperations } from '../call.ts';
import { requireChannel } from '../channels.ts';
import { awsError } from '../errors.ts';
import { arnMember, choiceMember, required, textMember } from '../members.ts';
import type { KvsMeter } from '../meter/index.ts';
import { channelNow, type SignalingRole } from './connect.ts';
import type { SignalingHub } from './hub.ts';
import { signalingIdPattern } from './messages.ts';
import { stunServer } from './stun-server.ts';
import { type IceServer, iceServers, type TurnServers } from './turn-credentials.ts';

export type SignalingDeps = {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly meter: Pick<KvsMeter, 'addSignaling'>;
  readonly hub: Pick<SignalingHub, 'ask' | 'join'>;
  /** Read anew for each question, so that a changed secret counts at once; undefined where no TURN server is configured. */
  readonly turnServers: () => Promise<TurnServers | undefined>;
  /** UDP port on which this appliance answers STUN itself; undefined, as where it is left out, while it does not. */
  readonly stunPort?: () => number | undefined;
};

/** AWS: base64 of an SDP offer. */
const payloadPattern = /^[a-zA-Z0-9+/=]{1,10000}$/;

export function signalingOperations(deps: SignalingDeps): KvsOperations {
  return new Map([
    ['/v1/get-ice-server-config', counted(deps, 'GetIceServerConfig', getIceServerConfig)],
    ['/v1/send-alexa-offer-to-master', counted(deps, 'SendAlexaOfferToMaster', sendAlexaOffer)],
    ['/joinStorageSession', counted(deps, 'JoinStorageSession', join('master'))],
    ['/joinStorageSessionAsViewer', counted(deps, 'JoinStorageSessionAsViewer', join('viewer'))],
  ]);
}

/** What an operation is given besides its request: it says which channel it is about, once that is known to be there. */
type Run = (
  call: KvsCall,
  deps: SignalingDeps,
  onChannel: (about: { readonly channel: string; readonly role?: string }) => void,
) => Promise<object>;

/** Counts what became of a request, of a channel that is there. */
function counted(deps: SignalingDeps, operation: string, run: Run): KvsOperation {
  const { clock, meter } = deps;
  return {
    action: `kinesisvideo:${operation}`,
    async run(call) {
      const beganMs = clock.monotonicMs();
      let about: { readonly channel: string; readonly role?: string } | undefined;
      const count = (metric: string, value: number) => {
        if (about !== undefined) meter.addSignaling(metric, { operation, ...about }, value);
      };
      try {
        const answer = await run(call, deps, (known) => {
          about = known;
        });
        count('Failure', 0);
        count('Latency', clock.monotonicMs() - beganMs);
        return answer;
      } catch (error) {
        count('Failure', 1);
        throw error;
      }
    },
  };
}

const getIceServerConfig: Run = async (call, { turnServers, stunPort }, onChannel) => {
  const { input, nowMs } = call;
  textMember(input, 'ClientId', signalingIdPattern);
  textMember(input, 'Username', signalingIdPattern);
  choiceMember(input, 'Service', ['TURN']);
  const channel = requireChannel(call, 'kinesisvideo:GetIceServerConfig');
  onChannel({ channel: channel.name });
  const servers = await turnServers();
  if (servers !== undefined) return iceServerList(iceServers(servers, { who: channel.id, nowMs }));
  const port = stunPort?.();
  if (port !== undefined) return iceServerList([stunServer(call.endpoint, port)]);
  throw awsError('InvalidArgumentException', 'No TURN server is configured here: webrtc.turn names none.');
};

function iceServerList(servers: readonly IceServer[]): object {
  return {
    IceServerList: servers.map(({ uris, username, password, ttlS }) => ({
      Uris: uris,
      Username: username,
      Password: password,
      Ttl: ttlS,
    })),
  };
}

/** A master that is not there is waited for as long as any message waits; without an answer there is none in ours. */
const sendAlexaOffer: Run = async (call, { hub }, onChannel) => {
  const clientId = required(textMember(call.input, 'SenderClientId', signalingIdPattern), 'SenderClientId');
  const payload = required(textMember(call.input, 'MessagePayload', payloadPattern), 'MessagePayload');
  const channel = requireChannel(call, 'kinesisvideo:SendAlexaOfferToMaster');
  onChannel({ channel: channel.name });
  const answer = await hub.ask(channelNow(call, channel), { clientId, payload, signal: call.signal });
  return answer === undefined ? {} : { Answer: answer };
};

function join(role: SignalingRole): Run {
  const action = role === 'master' ? 'kinesisvideo:JoinStorageSession' : 'kinesisvideo:JoinStorageSessionAsViewer';
  return async (call, { hub }, onChannel) => {
    const { input } = call;
    // This API alone spells its members in lower case.
    const arn = required(arnMember(input, 'channelArn'), 'channelArn');
    const clientId = role === 'master' ? '' : required(textMember(input, 'clientId', signalingIdPattern), 'clientId');
    const channel = requireChannel({ ...call, input: { ChannelARN: arn } }, action);
    onChannel({ channel: channel.name, role: role.toUpperCase() });
    await hub.join(channelNow(call, channel), { role, clientId });
    return {};
  };
}
