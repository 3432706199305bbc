/**
 * STUN (RFC 8489) as far as a Binding request and its answer go: who asks is told from which address and port. No authentication, no
 * sessions, nothing kept. Pure; anything else is answered by silence.
 */

import { isIP } from 'node:net';
import { stunLimits } from './limits.ts';

/** Where a datagram came from, as the socket names it: `192.0.2.1`, `::ffff:192.0.2.1`, `fe80::1%eth0`. */
export type StunSource = { readonly address: string; readonly port: number };

const headBytes = 20;
const cookie = 0x2112a442;
const cookieAt = 4;
const bindingRequest = 0x0001;
const bindingSuccess = 0x0101;
const bindingError = 0x0111;
const errorCode = 0x0009;
const unknownAttributes = 0x000a;
const xorMappedAddress = 0x0020;
/** From here on an attribute may be skipped by who does not know it. */
const firstOptional = 0x8000;

/**
 * What must be understood and is: attributes of answers, which count for nothing in a question, and of authentication, which a
 * server without it passes over.
 */
const understood = new Set([0x0001, 0x0006, 0x0008, 0x0009, 0x000a, 0x0014, 0x0015, 0x001c, 0x001d, 0x001e, 0x0020]);

/**
 * The answer to a datagram: at most 24 bytes more than it has. Undefined for what is no whole Binding request.
 * @param request  borrowed
 */
export function answerTo(request: Uint8Array, source: StunSource): Uint8Array | undefined {
  const unknown = unknownIn(request);
  if (unknown === undefined) return undefined;
  if (unknown.length > 0) return refusal(request, unknown);
  const address = addressBytes(source.address);
  if (address === undefined) return undefined;
  const answer = answerHead(request, bindingSuccess, 8 + address.length);
  const view = viewOf(answer);
  view.setUint16(headBytes, xorMappedAddress);
  view.setUint16(headBytes + 2, 4 + address.length);
  view.setUint8(headBytes + 5, address.length === 4 ? 1 : 2);
  view.setUint16(headBytes + 6, source.port ^ (cookie >>> 16));
  // Cookie and transaction id, which follow each other, are what an address is hidden with from routers that rewrite it.
  for (const [i, byte] of address.entries()) answer[headBytes + 8 + i] = byte ^ (request[cookieAt + i] ?? 0);
  return answer;
}

/** Attributes that would have to be understood, each once; undefined when this is no whole Binding request. */
function unknownIn(request: Uint8Array): number[] | undefined {
  const { length } = request;
  if (length < headBytes || length > stunLimits.requestBytesMax || length % 4 !== 0) return undefined;
  const view = viewOf(request);
  if (view.getUint16(0) !== bindingRequest || view.getUint32(cookieAt) !== cookie) return undefined;
  if (view.getUint16(2) !== length - headBytes) return undefined;
  const unknown = new Set<number>();
  for (let at = headBytes; at < length; ) {
    const type = view.getUint16(at);
    at += 4 + Math.ceil(view.getUint16(at + 2) / 4) * 4;
    if (at > length) return undefined;
    if (type < firstOptional && !understood.has(type)) unknown.add(type);
  }
  return [...unknown];
}

/** 420, without a phrase: what is sent to whom did not ask is to be small. */
function refusal(request: Uint8Array, unknown: readonly number[]): Uint8Array {
  const listBytes = unknown.length * 2;
  const answer = answerHead(request, bindingError, 8 + 4 + Math.ceil(listBytes / 4) * 4);
  const view = viewOf(answer);
  view.setUint16(headBytes, errorCode);
  view.setUint16(headBytes + 2, 4);
  view.setUint8(headBytes + 6, 4);
  view.setUint8(headBytes + 7, 20);
  view.setUint16(headBytes + 8, unknownAttributes);
  view.setUint16(headBytes + 10, listBytes);
  for (const [i, type] of unknown.entries()) view.setUint16(headBytes + 12 + i * 2, type);
  return answer;
}

function answerHead(request: Uint8Array, type: number, bodyBytes: number): Uint8Array {
  const answer = new Uint8Array(headBytes + bodyBytes);
  answer.set(request.subarray(0, headBytes));
  const view = viewOf(answer);
  view.setUint16(0, type);
  view.setUint16(2, bodyBytes);
  return answer;
}

/** 4 or 16 bytes; IPv4 that came through an IPv6 socket is IPv4. */
function addressBytes(address: string): readonly number[] | undefined {
  const plain = address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '');
  switch (isIP(plain)) {
    case 4:
      return plain.split('.').map(Number);
    case 6:
      return ipv6Bytes(plain);
    default:
      return undefined;
  }
}

function ipv6Bytes(address: string): readonly number[] {
  const bytesOf = (part: string) =>
    part.split(':').flatMap((group) => {
      if (group === '') return [];
      if (group.includes('.')) return group.split('.').map(Number);
      const value = Number.parseInt(group, 16);
      return [value >> 8, value & 0xff];
    });
  const [first = [], last = []] = address.split('::').map(bytesOf);
  return [...first, ...Array<number>(16 - first.length - last.length).fill(0), ...last];
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
