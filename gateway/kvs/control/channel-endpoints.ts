/** Where peers of a channel connect: all behind the one address that clients reach. */

import type { KvsCall, KvsInput, KvsOperations } from '../call.ts';
import { mediaStorageOf, requireChannel } from '../channels.ts';
import { awsError } from '../errors.ts';
import { choiceMember, structureMember } from '../members.ts';
import { signalingPaths } from '../signaling/index.ts';

const protocols = ['WSS', 'HTTPS', 'WEBRTC'] as const;

type Protocol = (typeof protocols)[number];
type Role = 'MASTER' | 'VIEWER';

export const channelEndpoints: KvsOperations = new Map([
  ['/getSignalingChannelEndpoint', { action: 'kinesisvideo:GetSignalingChannelEndpoint', run: getEndpoint }],
]);

function getEndpoint(call: KvsCall): object {
  const wish = structureMember(call.input, 'SingleMasterChannelEndpointConfiguration') ?? {};
  const wanted = protocolsOf(wish);
  const role = choiceMember(wish, 'Role', ['MASTER', 'VIEWER']) ?? 'MASTER';
  const channel = requireChannel(call, 'kinesisvideo:GetSignalingChannelEndpoint');
  if (wanted.includes('WEBRTC') && mediaStorageOf(call, channel) === undefined) {
    throw awsError('InvalidArgumentException', 'MediaStorageConfiguration is required for WEBRTC protocol');
  }
  return {
    ResourceEndpointList: wanted.map((protocol) => ({
      Protocol: protocol,
      ResourceEndpoint: endpointOf(call.endpoint, protocol, role),
    })),
  };
}

/** http becomes ws, https wss. */
function endpointOf(endpoint: string, protocol: Protocol, role: Role): string {
  return protocol === 'WSS'
    ? `${endpoint.replace(/^http/, 'ws')}${signalingPaths[role === 'MASTER' ? 'master' : 'viewer']}`
    : endpoint;
}

/** Each once, in the order of the request; those that native clients ask for when nothing is said. */
function protocolsOf(wish: KvsInput): readonly Protocol[] {
  const given = wish.Protocols;
  if (given === undefined || given === null) return ['WSS', 'HTTPS'];
  if (!Array.isArray(given) || given.length < 1 || given.length > 5) {
    throw awsError('InvalidArgumentException', 'Protocols must be a list of 1 to 5');
  }
  const wanted = given.map((each) => {
    const protocol = protocols.find((known) => known === each);
    if (protocol === undefined)
      throw awsError('InvalidArgumentException', `Protocols must be of ${protocols.join(', ')}`);
    return protocol;
  });
  return [...new Set(wanted)];
}
