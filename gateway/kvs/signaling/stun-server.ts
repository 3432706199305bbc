/** The STUN server of this appliance, as clients are told of it where no TURN server is configured. Pure. */

import type { IceServer } from './turn-credentials.ts';

/** As at AWS, whose credentials are good for so long; native clients refuse half a minute and less. */
const ttlS = 300;

/**
 * @param endpoint  by which the client reached us: `https://192.168.1.10:8443`. Its host is where we answer STUN, too
 * @param port      of our STUN, by UDP
 */
export function stunServer(endpoint: string, port: number): IceServer {
  // RFC 7064: an IPv6 address stands in brackets, as in the URL.
  const { hostname } = new URL(endpoint);
  // STUN asks for neither, but the shapes of AWS have both, never empty.
  return { uris: [`stun:${hostname}:${port}`], username: 'stun', password: 'none', ttlS };
}
