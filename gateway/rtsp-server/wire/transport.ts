/** The Transport header of SETUP (RFC 2326 12.39): what a player offers, and the answer. Pure. */

import { rtspServerLimits } from '../limits.ts';

export type TransportOffer =
  /** In the connection itself; channels of RTP and RTCP, undefined when the player leaves the choice to us. */
  | { readonly kind: 'tcp'; readonly channels: readonly [number, number] | undefined }
  /** To these ports of the player's own address; another `destination` is never sent to. */
  | { readonly kind: 'udp'; readonly ports: readonly [number, number] };

/** The offers that we could take, in the player's order. Multicast, encrypted profiles and recording are none. */
export function parseTransports(value: string): readonly TransportOffer[] {
  return value
    .split(',')
    .slice(0, rtspServerLimits.transportsMax)
    .map(parseOffer)
    .filter((offer) => offer !== undefined);
}

export function formatTransport(
  chosen: TransportOffer & { readonly channels?: readonly [number, number] | undefined },
  facts: { readonly ssrc: number; readonly serverPorts: readonly [number, number] | undefined },
): string {
  const ssrc = `ssrc=${facts.ssrc.toString(16).padStart(8, '0').toUpperCase()}`;
  if (chosen.kind === 'tcp') {
    const [rtp, rtcp] = chosen.channels ?? [0, 1];
    return `RTP/AVP/TCP;unicast;interleaved=${rtp}-${rtcp};${ssrc}`;
  }
  const [rtp, rtcp] = facts.serverPorts ?? [0, 0];
  return `RTP/AVP;unicast;client_port=${chosen.ports.join('-')};server_port=${rtp}-${rtcp};${ssrc}`;
}

function parseOffer(text: string): TransportOffer | undefined {
  const [profile = '', ...rest] = text.split(';').map((part) => part.trim());
  const match = /^RTP\/AVPF?(?:\/(TCP|UDP))?$/i.exec(profile);
  const parameters = new Map(
    rest.map((part) => {
      const equals = part.indexOf('=');
      return equals < 0 ? [part.toLowerCase(), ''] : [part.slice(0, equals).toLowerCase(), part.slice(equals + 1)];
    }),
  );
  const isPlay = /^"?play"?$/i.test(parameters.get('mode') ?? 'play');
  if (match === null || !isPlay || parameters.has('multicast')) return undefined;
  if (match[1]?.toUpperCase() === 'TCP' || parameters.has('interleaved')) {
    const told = parameters.get('interleaved');
    const channels = told === undefined ? undefined : pairOf(told, 255);
    return told !== undefined && channels === undefined ? undefined : { kind: 'tcp', channels };
  }
  const ports = pairOf(parameters.get('client_port') ?? '', 65_535);
  // To port 0 nothing can be sent: Node throws.
  return ports === undefined || ports.includes(0) ? undefined : { kind: 'udp', ports };
}

function pairOf(text: string, max: number): readonly [number, number] | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const second = match[2] === undefined ? first + 1 : Number(match[2]);
  return first > max || second > max || first === second ? undefined : [first, second];
}
