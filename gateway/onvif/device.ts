/**
 * One ONVIF device: where its services are, what its clock says, and a question to it with the answer's element. Everything goes
 * to the host that people entered, whatever addresses the device tells: those are often wrong behind NAT, and must never lead
 * a login elsewhere.
 */

import { appError, isAppError } from '../../storage/base/errors.ts';
import type { Credentials } from '../rtsp/index.ts';
import { type DeviceClock, deviceClockOf } from './device-clock.ts';
import { onvifLimits } from './limits.ts';
import { answerOf } from './soap-answer.ts';
import { postSoap, type SoapDeps } from './soap-post.ts';
import { unheard, type WordingClient, wordsOf } from './soap-words.ts';
import { usernameToken } from './ws-security.ts';
import { childrenOf, textAt, type XmlElement } from './xml.ts';

/** How a device is reached. */
export type DeviceAddress = {
  /** Of its device service: http:// or https://, without user and password. */
  readonly url: string;
  readonly tls: 'verify' | 'any';
  readonly username?: string;
  readonly password?: string;
};

export type DeviceDeps = SoapDeps;

/** Services that we have a use for. */
export type ServiceName = 'media' | 'media2' | 'ptz' | 'events';

type AskOptions = {
  readonly signal: AbortSignal;
  /** Where to; the device service when absent. */
  readonly url?: string;
  /** True for what a device answers to everyone. */
  readonly isPublic?: boolean;
  readonly timeoutMs?: number;
  readonly answerBytesMax?: number;
};

const serviceNamespaces: Readonly<Record<string, ServiceName>> = {
  'http://www.onvif.org/ver10/media/wsdl': 'media',
  'http://www.onvif.org/ver20/media/wsdl': 'media2',
  'http://www.onvif.org/ver20/ptz/wsdl': 'ptz',
  'http://www.onvif.org/ver10/events/wsdl': 'events',
};

/** Their names in the older answer to GetCapabilities. */
const capabilityNames: Readonly<Record<string, ServiceName>> = { Media: 'media', PTZ: 'ptz', Events: 'events' };

export class OnvifDevice {
  readonly #deps: DeviceDeps;
  readonly #address: DeviceAddress;
  #deviceClock: DeviceClock | undefined;
  #services: ReadonlyMap<ServiceName, string> = new Map();

  constructor(deps: DeviceDeps, address: DeviceAddress) {
    this.#deps = deps;
    this.#address = address;
  }

  get url(): string {
    return this.#address.url;
  }

  /** As it was read last; undefined before `connect`, and for devices that tell no time. */
  get clock(): DeviceClock | undefined {
    return this.#deviceClock;
  }

  hasService(name: ServiceName): boolean {
    return this.#services.has(name);
  }

  /**
   * Reads clock and services: everything else needs both.
   * @throws AppError as `ask`
   */
  async connect(signal: AbortSignal): Promise<void> {
    await this.readClock(signal);
    this.#services = await this.#readServices(signal);
  }

  /** Reads the device's clock. Undefined when the device tells none. @throws AppError as `ask` */
  async readClock(signal: AbortSignal): Promise<DeviceClock | undefined> {
    const { clock } = this.#deps;
    let sentMs = 0;
    const timed = (isPublic: boolean) => {
      sentMs = clock.monotonicMs();
      return this.#askOnce((client) => client.getSystemDateAndTime(unheard), { signal, isPublic });
    };
    // Meant for everyone, or nobody could log in with the right time; a few want a login all the same.
    const answer = await timed(true).catch((error: unknown) => {
      if (isAppError(error, 'unauthenticated') && this.#credentials() !== undefined) return timed(false);
      throw error;
    });
    const tripMs = clock.monotonicMs() - sentMs;
    this.#deviceClock = deviceClockOf(answer, { nowMs: clock.wallMs(), tripMs });
    return this.#deviceClock;
  }

  /**
   * Asks one question, once more when a login was refused because the device's clock was set meanwhile: cameras that restart
   * begin somewhere, and get the right time a while later.
   *
   * @param say  one call of the package's client, which words it
   * @returns the element inside the answer's body
   * @throws AppError unauthenticated      user or password are refused, or missing
   * @throws AppError unimplemented        the device says that it cannot do that
   * @throws AppError failed_precondition  it refuses with another reason, or sends us elsewhere
   * @throws AppError data_loss            its answer cannot be read
   * @throws AppError unavailable, deadline_exceeded, resource_exhausted, cancelled  see `postSoap`
   */
  async ask(say: (client: WordingClient) => void, options: AskOptions): Promise<XmlElement> {
    try {
      return await this.#askOnce(say, options);
    } catch (error) {
      const isLogin = options.isPublic !== true && this.#credentials() !== undefined;
      if (!isAppError(error, 'unauthenticated') || !isLogin || !(await this.#hasClockMoved(options.signal)))
        throw error;
      return await this.#askOnce(say, options);
    }
  }

  async #hasClockMoved(signal: AbortSignal): Promise<boolean> {
    const before = this.#deviceClock;
    const now = await this.readClock(signal);
    if (before === undefined || now === undefined) return before !== now;
    return Math.abs(now.offsetMs - before.offsetMs) > before.accuracyMs + now.accuracyMs;
  }

  async #askOnce(say: (client: WordingClient) => void, options: AskOptions): Promise<XmlElement> {
    const { signal, url = this.#address.url, isPublic = false } = options;
    const { timeoutMs = onvifLimits.requestMs, answerBytesMax = onvifLimits.answerBytesMax } = options;
    const credentials = isPublic ? undefined : this.#credentials();
    const words = wordsOf(say, credentials === undefined ? '' : this.#security(credentials));
    const request = { ...words, url, tls: this.#address.tls, credentials, timeoutMs, answerBytesMax, signal };
    const { status, text } = await postSoap(this.#deps, request);
    return answerOf(text, { status, url, credentials });
  }

  /** Asks one of its services. @throws AppError unimplemented  it has no such service; and as `ask` */
  askService(name: ServiceName, say: (client: WordingClient) => void, signal: AbortSignal): Promise<XmlElement> {
    const url = this.#services.get(name);
    if (url === undefined) throw appError('unimplemented', `the device has no ${name} service`);
    return this.ask(say, { url, signal });
  }

  /** An address that the device told, with the host that it is really reached at. Undefined when it is none. */
  ownAddress(told: string): string | undefined {
    return ownAddress(told, this.#address.url);
  }

  async #readServices(signal: AbortSignal): Promise<Map<ServiceName, string>> {
    try {
      const answer = await this.ask((client) => client.getServices(false, unheard), { signal });
      const told = childrenOf(answer, 'Service').map((service) => ({
        name: serviceNamespaces[textAt(service, 'Namespace') ?? ''],
        address: textAt(service, 'XAddr'),
      }));
      const services = this.#known(told);
      if (services.size > 0) return services;
    } catch (error) {
      if (isAppError(error, 'unauthenticated') || isAppError(error, 'cancelled')) throw error;
      // Devices of before 2011 do not know the question, and say so in many ways.
    }
    const answer = await this.ask((client) => client.getCapabilities(unheard), { signal });
    const told = Object.entries(capabilityNames).map(([tag, name]) => ({
      name,
      address: textAt(answer, 'Capabilities', tag, 'XAddr'),
    }));
    return this.#known(told);
  }

  #known(told: readonly { readonly name: ServiceName | undefined; readonly address: string | undefined }[]) {
    const services = new Map<ServiceName, string>();
    for (const { name, address } of told) {
      const own = address === undefined ? undefined : this.ownAddress(address);
      if (name !== undefined && own !== undefined) services.set(name, own);
    }
    return services;
  }

  #credentials(): Credentials | undefined {
    const { username, password } = this.#address;
    return username === undefined ? undefined : { username, password: password ?? '' };
  }

  #security(credentials: Credentials): string {
    const { clock, random } = this.#deps;
    const deviceMs = clock.wallMs() + (this.#deviceClock?.offsetMs ?? 0);
    return usernameToken(credentials, { deviceMs, nonce: random(16) });
  }
}

/**
 * An http address that a device told, with scheme, host and, where the host was another one, port of the address that works.
 * Some devices tell a path alone.
 */
export function ownAddress(told: string, works: string): string | undefined {
  if (!/^(https?:\/\/|\/(?!\/))/i.test(told) || !URL.canParse(told, works)) return undefined;
  const address = new URL(told, works);
  const reached = new URL(works);
  const isSameHost = address.hostname === reached.hostname;
  // Never less protected than what people entered; what is told for a wrong host is told for its wrong port too.
  if (!isSameHost || (reached.protocol === 'https:' && address.protocol === 'http:')) address.port = reached.port;
  if (!isSameHost || reached.protocol === 'https:') address.protocol = reached.protocol;
  address.hostname = reached.hostname;
  address.username = '';
  address.password = '';
  return address.href;
}
