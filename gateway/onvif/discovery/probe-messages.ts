/** WS-Discovery (April 2005) as ONVIF uses it: the probe that is sent and the matches that come back. Pure. */

import { onvifLimits } from '../limits.ts';
import { childOf, childrenOf, elementAt, escapeXml, readXml, textAt } from '../xml.ts';
import { factsOfScopes, type ScopeFacts, scopesIn } from './scopes.ts';

export type FoundDevice = ScopeFacts & {
  /** The device's own name for itself, the same on all its addresses: mostly `urn:uuid:`. */
  readonly endpoint: string;
  /** Addresses of its device service, the ones at the sender's address first. */
  readonly urls: readonly string[];
  /** Where its answer came from. */
  readonly address: string;
};

/** What devices are asked for: cameras of profile S answer to the first, some of profile T only to the second. */
export const probeTypes = ['dn:NetworkVideoTransmitter', 'tds:Device'] as const;

/** A probe as one datagram. */
export function probeMessage(options: {
  readonly messageId: string;
  readonly type: (typeof probeTypes)[number];
}): Uint8Array {
  const addressing = 'http://schemas.xmlsoap.org/ws/2004/08/addressing';
  const discovery = 'http://schemas.xmlsoap.org/ws/2005/04/discovery';
  return Buffer.from(
    [
      '<?xml version="1.0" encoding="UTF-8"?>',
      `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="${addressing}"><s:Header>`,
      `<a:Action s:mustUnderstand="1">${discovery}/Probe</a:Action>`,
      `<a:MessageID>${escapeXml(options.messageId)}</a:MessageID>`,
      `<a:ReplyTo><a:Address>${addressing}/role/anonymous</a:Address></a:ReplyTo>`,
      '<a:To s:mustUnderstand="1">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header>',
      `<s:Body><d:Probe xmlns:d="${discovery}"><d:Types xmlns:dn="http://www.onvif.org/ver10/network/wsdl" `,
      `xmlns:tds="http://www.onvif.org/ver10/device/wsdl">${options.type}</d:Types></d:Probe></s:Body></s:Envelope>`,
    ].join(''),
  );
}

/**
 * Devices in one datagram: those that answer one of our probes. Anything else is nothing.
 *
 * @param from.messageIds  of the probes that were sent
 */
export function matchesOf(
  datagram: Uint8Array,
  from: { readonly address: string; readonly messageIds: ReadonlySet<string> },
): FoundDevice[] {
  let envelope: ReturnType<typeof readXml>;
  try {
    envelope = readXml(new TextDecoder().decode(datagram));
  } catch {
    return [];
  }
  const relatesTo = elementAt(envelope, 'Header', 'RelatesTo')?.text;
  // Some devices answer with a RelatesTo of their own making; without any it is no answer to us.
  if (relatesTo === undefined || (/^(urn:)?uuid:/i.test(relatesTo) && !from.messageIds.has(relatesTo))) return [];
  const body = childOf(envelope, 'Body');
  // Some leave the list's element out.
  return childrenOf(childOf(body, 'ProbeMatches') ?? body, 'ProbeMatch')
    .slice(0, 16)
    .flatMap((match) => {
      const endpoint = textAt(match, 'EndpointReference', 'Address');
      const urls = addressesOf(childOf(match, 'XAddrs')?.text ?? '', from.address);
      if (endpoint === undefined || urls.length === 0) return [];
      return {
        endpoint,
        ...factsOfScopes(scopesIn(childOf(match, 'Scopes')?.text ?? '')),
        urls,
        address: from.address,
      };
    });
}

/** All devices once each, in the order of their addresses; what several answers tell is put together. */
export function mergedDevices(found: readonly FoundDevice[]): FoundDevice[] {
  const devices = new Map<string, FoundDevice>();
  for (const device of found) {
    const known = devices.get(device.endpoint);
    if (known === undefined && devices.size >= onvifLimits.devicesMax) continue;
    devices.set(
      device.endpoint,
      known === undefined
        ? device
        : {
            ...known,
            name: known.name ?? device.name,
            hardware: known.hardware ?? device.hardware,
            location: known.location ?? device.location,
            urls: [...new Set([...known.urls, ...device.urls])].slice(0, 8),
          },
    );
  }
  const inOrder = new Intl.Collator('en', { numeric: true });
  return [...devices.values()].sort((a, b) => inOrder.compare(a.address, b.address));
}

/** Usable addresses: those at the host that answered are sure to be reachable. */
function addressesOf(text: string, sender: string): string[] {
  const urls = text
    .slice(0, 4_096)
    .split(/\s+/)
    .filter((url) => /^https?:\/\//i.test(url) && URL.canParse(url))
    .slice(0, 8)
    .map((told) => {
      const url = new URL(told);
      url.username = '';
      url.password = '';
      return url;
    });
  const isSender = (url: URL) => url.hostname === sender;
  return [...urls.filter(isSender), ...urls.filter((url) => !isSender(url))].map((url) => url.href);
}
