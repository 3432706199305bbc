/** Our end of a transport, and a router, as they would be. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { types } from 'mediasoup';
import { generateRouterRtpCapabilities } from 'mediasoup/ortc';
import { codecsSpeaking, routerCodecs } from '../../../gateway/webrtc/media-plane/router-codecs.ts';
import type { OwnTransport } from '../../../gateway/webrtc/sdp/index.ts';

export const own: OwnTransport = {
  iceParameters: { usernameFragment: 'ourfragment', password: 'ourpasswordourpassword', iceLite: true },
  dtlsParameters: {
    role: 'auto',
    fingerprints: [
      { algorithm: 'sha-1', value: Array(20).fill('AB').join(':') },
      { algorithm: 'sha-256', value: Array(32).fill('CD').join(':') },
    ],
  },
  addresses: ['192.0.2.7', '2001:db8::7'],
  port: 8189,
};

export const routerCapabilities: types.RtpCapabilities = generateRouterRtpCapabilities(structuredClone(routerCodecs));

export function speakingCapabilities(payloadTypes: Parameters<typeof codecsSpeaking>[0]): types.RtpCapabilities {
  return generateRouterRtpCapabilities(codecsSpeaking(payloadTypes));
}

/** A description as a peer sent it, with the line ends of the wire. */
export function described(name: string): string {
  const path = join(import.meta.dirname, '..', '..', 'fixtures', 'sdp', `${name}.sdp`);
  return readFileSync(path, 'utf8').replaceAll('\n', '\r\n');
}

/** Lines of an m-line of a description, by its place. */
export function linesOf(text: string, index: number): string[] {
  return (text.split(/^(?=m=)/m)[index + 1] ?? '').split('\r\n').filter((line) => line !== '');
}
