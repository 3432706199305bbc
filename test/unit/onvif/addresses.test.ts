/** Addresses: those that devices tell, and those that people search. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ownAddress } from '../../../gateway/onvif/device.ts';
import { matchesOf, mergedDevices, probeMessage } from '../../../gateway/onvif/discovery/probe-messages.ts';
import { factsOfScopes, scopesIn } from '../../../gateway/onvif/discovery/scopes.ts';
import { addressesIn } from '../../../gateway/onvif/discovery/search-addresses.ts';
import { streamUrl } from '../../../gateway/onvif/profiles.ts';
import { readXml, textAt } from '../../../gateway/onvif/xml.ts';

describe('an address that a device tells', () => {
  it.each([
    ['http://10.0.0.9/onvif/media', 'http://10.0.0.9:80/x', 'http://10.0.0.9/onvif/media'],
    ['http://10.0.0.9:8000/onvif/media', 'http://10.0.0.9/x', 'http://10.0.0.9:8000/onvif/media'],
    ['http://192.168.1.10:80/onvif/media', 'http://nat.example:8081/x', 'http://nat.example:8081/onvif/media'],
    ['http://10.0.0.9/onvif/media', 'https://10.0.0.9:8443/x', 'https://10.0.0.9:8443/onvif/media'],
    ['/onvif/sub?id=7', 'http://10.0.0.9:8080/x', 'http://10.0.0.9:8080/onvif/sub?id=7'],
    ['http://u:p@10.0.0.9/m', 'http://10.0.0.9/x', 'http://10.0.0.9/m'],
  ])('%s of a device at %s is asked at %s', (told, works, expected) => {
    expect(ownAddress(told, works)).toBe(expected);
  });

  it('is never at another host', () => {
    fc.assert(
      fc.property(fc.oneof(fc.webUrl(), fc.string(), fc.constant('//evil.example/x')), (told) => {
        const own = ownAddress(told, 'http://10.0.0.9:8080/x');
        if (own !== undefined) expect(new URL(own).hostname).toBe('10.0.0.9');
      }),
    );
    expect(ownAddress('file:///etc/passwd', 'http://10.0.0.9/x')).toBeUndefined();
  });

  it.each([
    ['rtsp://192.168.1.10:554/live?x=1', 'rtsp://cam.example:554/live?x=1'],
    ['rtsp://admin:secret@10.0.0.9/live', 'rtsp://cam.example/live'],
    ['rtsp://[fe80::1]:8554/live', 'rtsp://cam.example:8554/live'],
    ['RTSPS://x:0/live', 'rtsps://cam.example/live'],
    ['rtsp://0.0.0.0', 'rtsp://cam.example/'],
    ['http://x/live', undefined],
    ['rtsp://x/a b', undefined],
    [undefined, undefined],
  ])('%s of a stream becomes %s', (told, expected) => {
    expect(streamUrl(told, 'http://cam.example:8080/onvif/device_service')).toBe(expected);
  });
});

describe('addresses to search', () => {
  it('are single ones, networks and ranges, each once', () => {
    expect(addressesIn(['10.0.0.1', '10.0.0.0/30', '10.0.0.254-10.0.1.1', '10.0.0.1-3', 'cam.example'])).toEqual([
      ...['10.0.0.1', '10.0.0.2', '10.0.0.254', '10.0.0.255', '10.0.1.0', '10.0.1.1', '10.0.0.3', 'cam.example'],
    ]);
    expect(addressesIn(['10.0.0.0/24'])).toHaveLength(254);
    expect(addressesIn(['10.0.0.7/32'])).toEqual(['10.0.0.7']);
  });

  it.each(['10.0.0.0/8', '0.0.0.0-255.255.255.255', '10.0.0.9-3', '10.0.0.0/33', '1.2.3', 'a b', '10.0.0.1-2-3', ''])(
    '%s are refused',
    (text) => {
      expect(() => addressesIn([text])).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    },
  );
});

describe('answers to a probe', () => {
  const messageIds = new Set(['urn:uuid:1']);
  const match = (body: string, relatesTo = 'urn:uuid:1') =>
    Buffer.from(
      `<s:E xmlns:s="s"><s:Header><a:RelatesTo>${relatesTo}</a:RelatesTo></s:Header><s:Body>${body}</s:Body></s:E>`,
    );
  const device = (urls: string, endpoint = 'urn:uuid:c') =>
    `<d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>${endpoint}</a:Address></a:EndpointReference><d:Scopes>onvif://www.onvif.org/name/A</d:Scopes><d:XAddrs>${urls}</d:XAddrs></d:ProbeMatch></d:ProbeMatches>`;

  it("are put together by endpoint, the sender's own address first", () => {
    const from = { address: '10.0.0.9', messageIds };
    const first = matchesOf(match(device('http://169.254.1.1/d http://10.0.0.9/d')), from);
    const second = matchesOf(match(device('http://10.0.0.9:8080/d')), from);

    expect(mergedDevices([...first, ...second])).toEqual([
      expect.objectContaining({
        endpoint: 'urn:uuid:c',
        name: 'A',
        urls: ['http://10.0.0.9/d', 'http://169.254.1.1/d', 'http://10.0.0.9:8080/d'],
      }),
    ]);
  });

  it('to probes of others, without an address, or of any bytes are nothing', () => {
    const from = { address: '10.0.0.9', messageIds };

    expect(matchesOf(match(device('http://10.0.0.9/d'), 'urn:uuid:2'), from)).toEqual([]);
    expect(matchesOf(match(device('ftp://10.0.0.9/d javascript:x')), from)).toEqual([]);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => matchesOf(bytes, from).length === 0));
  });

  it('tell names with blanks, written as they may be', () => {
    const text =
      ' onvif://www.onvif.org/name/Front Door\n onvif://www.onvif.org/hardware/IPC%2D7_b onvif://www.onvif.org/location/%zz';

    expect(factsOfScopes(scopesIn(text))).toEqual({ name: 'Front Door', hardware: 'IPC-7 b', location: '%zz' });
  });

  it('are asked for in words that devices read', () => {
    const probe = readXml(Buffer.from(probeMessage({ messageId: 'urn:uuid:7', type: 'tds:Device' })).toString());

    expect(textAt(probe, 'Header', 'MessageID')).toBe('urn:uuid:7');
    expect(textAt(probe, 'Body', 'Probe', 'Types')).toBe('tds:Device');
  });
});
