/** Looks for devices at given addresses, for networks that carry no multicast: each is asked for its clock, which needs no login. */

import { isIPv4 } from 'node:net';
import { appError, errnoOf, isAppError } from '../../../storage/base/errors.ts';
import { type DeviceDeps, OnvifDevice } from '../device.ts';
import { onvifLimits } from '../limits.ts';
import { unheard } from '../soap-words.ts';
import { childrenOf, textAt } from '../xml.ts';
import type { FoundDevice } from './probe-messages.ts';
import { factsOfScopes } from './scopes.ts';

const devicePath = '/onvif/device_service';

/**
 * Single addresses of what people write: `10.0.0.21`, `10.0.0.0/24`, `10.0.0.20-10.0.0.40`, `10.0.0.20-40`, or a host's name.
 *
 * @throws AppError invalid_argument  it is none of these, or all together are more than `addressesMax`
 */
export function addressesIn(texts: readonly string[]): string[] {
  const all = new Set<string>();
  for (const text of texts) {
    for (const address of addressesOf(text.trim())) {
      all.add(address);
      if (all.size > onvifLimits.addressesMax) throw tooMany(text);
    }
  }
  return [...all];
}

/**
 * Asks every address on one port after another, until one answers. A host that is silent on one port is not asked on the others:
 * it is most likely not there, and waiting for each would take minutes.
 *
 * @returns the devices that answered as ONVIF devices do, in the order of the addresses
 */
export async function searchAddresses(
  deps: DeviceDeps,
  options: { readonly addresses: readonly string[]; readonly ports: readonly number[]; readonly signal: AbortSignal },
): Promise<FoundDevice[]> {
  const { addresses, ports, signal } = options;
  const found: FoundDevice[][] = [];
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < addresses.length && !signal.aborted; index = next++) {
      found[index] = await askHost(deps, { address: addresses[index] ?? '', ports, signal });
    }
  };
  await Promise.all(Array.from({ length: Math.min(onvifLimits.addressesAtOnce, addresses.length) }, worker));
  return found.flat().slice(0, onvifLimits.devicesMax);
}

async function askHost(
  deps: DeviceDeps,
  host: { readonly address: string; readonly ports: readonly number[]; readonly signal: AbortSignal },
): Promise<FoundDevice[]> {
  const { address, ports, signal } = host;
  const found: FoundDevice[] = [];
  for (const port of ports) {
    try {
      const device = await askPort(deps, { address, port, signal });
      if (device !== undefined) found.push(device);
    } catch (error) {
      // What refuses, or answers in another language, may have its ONVIF elsewhere.
      const isLost = isAppError(error, 'deadline_exceeded') || isAppError(error, 'permission_denied');
      if (signal.aborted || isLost || isUnroutable(error)) break;
    }
  }
  return found;
}

/** @throws AppError  nobody is there, or it does not speak ONVIF */
async function askPort(
  deps: DeviceDeps,
  { address, port, signal }: { readonly address: string; readonly port: number; readonly signal: AbortSignal },
): Promise<FoundDevice | undefined> {
  const scheme = port === 443 || port === 8443 ? 'https' : 'http';
  const url = new URL(`${scheme}://${address}:${port}${devicePath}`).href;
  const device = new OnvifDevice(deps, { url, tls: 'any' });
  const options = { signal, isPublic: true, timeoutMs: onvifLimits.addressMs };
  const answer = await device.ask((client) => client.getSystemDateAndTime(unheard), options);
  if (answer.name !== 'GetSystemDateAndTimeResponse') return undefined;
  const scopes = await device
    .ask((client) => client.getScopes(unheard), options)
    .then((told) => childrenOf(told, 'Scopes').flatMap((scope) => textAt(scope, 'ScopeItem') ?? []))
    .catch((): string[] => []);
  return { endpoint: url, ...factsOfScopes(scopes), urls: [url], address };
}

function isUnroutable(error: unknown): boolean {
  return isAppError(error) && ['EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND'].includes(errnoOf(error.cause) ?? '');
}

function* addressesOf(text: string): Generator<string> {
  const network = /^([\d.]+)\/(\d{1,2})$/.exec(text);
  const range = /^([\d.]+)-([\d.]+)$/.exec(text);
  if (network !== null) {
    const [, base = '', bitsText = ''] = network;
    const bits = Number(bitsText);
    if (!isIPv4(base) || bits > 32) throw notAnAddress(text);
    const size = 2 ** (32 - bits);
    const first = Math.floor(numberOf(base) / size) * size;
    // Network and broadcast address are nobody's.
    const edge = size > 2 ? 1 : 0;
    yield* between(first + edge, first + size - 1 - edge, text);
  } else if (range !== null) {
    const [, first = '', last = ''] = range;
    const whole = last.includes('.') ? last : first.replace(/\d+$/, last);
    if (!isIPv4(first) || !isIPv4(whole) || numberOf(whole) < numberOf(first)) throw notAnAddress(text);
    yield* between(numberOf(first), numberOf(whole), text);
  } else if (isIPv4(text) || (/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(text) && /[a-z]/i.test(text))) yield text;
  else throw notAnAddress(text);
}

function* between(first: number, last: number, text: string): Generator<string> {
  if (last - first >= onvifLimits.addressesMax) throw tooMany(text);
  for (let address = first; address <= last; address++) {
    yield [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
  }
}

function numberOf(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function notAnAddress(text: string) {
  return appError('invalid_argument', `"${text}" is no address, network or range`, {
    hint: 'write 10.0.0.21, 10.0.0.0/24 or 10.0.0.20-40',
  });
}

function tooMany(text: string) {
  return appError('invalid_argument', `these are more than ${onvifLimits.addressesMax} addresses`, {
    hint: `make "${text}" smaller: a /24 has 254`,
  });
}
