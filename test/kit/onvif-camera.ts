/**
 * An ONVIF camera of our own, written from the standard (Core 5, Media 2.2 and 1, PTZ, Event) for what third-party servers do
 * not have: Media2, a wrong clock, wrong addresses, presets, and answers that hurt. It plays no video.
 */

import { createHash } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export type CameraProfile = {
  readonly token: string;
  readonly source?: string;
  readonly encoding: string;
  readonly widthPixels: number;
  readonly heightPixels: number;
  readonly framesPerSecond?: number;
  readonly streamUri?: string;
  readonly hasPtz?: boolean;
};

export type OnvifCameraOptions = {
  readonly credentials?: { readonly username: string; readonly password: string };
  /** How a login must come: in the envelope (default) or by HTTP digest. */
  readonly login?: 'token' | 'digest';
  /** The camera's clock minus the machine's. */
  readonly clockOffsetMs?: number;
  /** Answers over TLS with this certificate. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** What it calls itself in addresses: behind NAT not where it is reached. */
  readonly host?: string;
  readonly services?: readonly ('media' | 'media2' | 'ptz' | 'events')[];
  readonly profiles?: readonly CameraProfile[];
  /** Old devices know GetCapabilities alone. */
  readonly hasServices?: boolean;
  /** Says something else than the camera would, by the operation's name; undefined for its own answer. */
  readonly instead?: (operation: string, response: ServerResponse) => boolean;
  /** Answers probes on this address of the machine. */
  readonly discovery?: { readonly address: string; readonly scopes?: readonly string[] };
};

type Message = { readonly xml: string };

const usualProfiles: readonly CameraProfile[] = [
  { token: 'main', encoding: 'H264', widthPixels: 1920, heightPixels: 1080, hasPtz: true },
  { token: 'sub', encoding: 'H264', widthPixels: 640, heightPixels: 360, hasPtz: true },
];

export class TestOnvifCamera {
  readonly #options: OnvifCameraOptions;
  readonly #server: Server;
  readonly #messages: Message[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #usedNonces = new Set<string>();
  #discovery: Socket | undefined;
  #clockOffsetMs: number;
  #subscriptions = new Set<string>();
  #subscriptionCount = 0;
  /** Operations in their order, with what matters of them. */
  readonly asked: {
    readonly operation: string;
    readonly body: string;
    readonly path: string;
    readonly atMs: number;
  }[] = [];
  readonly presets = new Map<string, string>();
  isMoving = false;
  dateTimeType = 'Manual';

  constructor(options: OnvifCameraOptions = {}) {
    this.#options = options;
    this.#clockOffsetMs = options.clockOffsetMs ?? 0;
    const listener = (request: IncomingMessage, response: ServerResponse) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = Buffer.concat(chunks).toString();
        this.#answer(body, { path: request.url ?? '', authorization: request.headers.authorization }, response);
      });
    };
    this.#server = options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const { discovery } = this.#options;
    if (discovery !== undefined) await this.#listenForProbes(discovery);
  }

  async close(): Promise<void> {
    this.#discovery?.close();
    this.dropConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `${this.#options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.port}/onvif/device_service`;
  }

  get clockOffsetMs(): number {
    return this.#clockOffsetMs;
  }

  set clockOffsetMs(offsetMs: number) {
    this.#clockOffsetMs = offsetMs;
  }

  /** Subscriptions that were made and not given back. */
  get subscriptions(): number {
    return this.#subscriptions.size;
  }

  operations(name: string) {
    return this.asked.filter(({ operation }) => operation === name);
  }

  /** As a camera that restarts: connections break, subscriptions are forgotten. */
  restart(): void {
    this.#subscriptions.clear();
    this.dropConnections();
  }

  dropConnections(): void {
    this.#server.closeAllConnections();
  }

  /** Tells one state to whoever pulls. */
  tell(message: {
    readonly topic: string;
    readonly source?: Readonly<Record<string, string>>;
    readonly data?: Readonly<Record<string, string>>;
    readonly operation?: 'Initialized' | 'Changed' | 'Deleted';
    /** The camera's own time; now by its clock when absent. */
    readonly atMs?: number;
  }): void {
    const items = (all: Readonly<Record<string, string>> = {}) =>
      Object.entries(all)
        .map(([name, value]) => `<tt:SimpleItem Name="${name}" Value="${value}"/>`)
        .join('');
    const time = new Date(message.atMs ?? Date.now() + this.#clockOffsetMs).toISOString();
    const operation = message.operation === undefined ? '' : ` PropertyOperation="${message.operation}"`;
    this.tellRaw(
      `<wsnt:NotificationMessage><wsnt:Topic Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">${message.topic}</wsnt:Topic>
      <wsnt:Message><tt:Message UtcTime="${time}"${operation}><tt:Source>${items(message.source)}</tt:Source><tt:Data>${items(message.data)}</tt:Data></tt:Message></wsnt:Message></wsnt:NotificationMessage>`,
    );
  }

  /** Tells one `NotificationMessage` as some device sends it. */
  tellRaw(xml: string): void {
    this.#messages.push({ xml });
    for (const wake of this.#waiting) wake();
  }

  #answer(
    body: string,
    { path, authorization }: { readonly path: string; readonly authorization: string | undefined },
    response: ServerResponse,
  ): void {
    const operation = /<s:Body[^>]*>\s*<(?:\w+:)?(\w+)/.exec(body)?.[1] ?? '';
    this.asked.push({ operation, body, path, atMs: Date.now() });
    if (this.#options.instead?.(operation, response) === true) return;
    if (operation !== 'GetSystemDateAndTime' && !this.#isAllowed(body, authorization)) {
      if (this.#options.login === 'digest') {
        response.writeHead(401, { 'www-authenticate': 'Digest realm="camera", nonce="n1", qop="auth", algorithm=MD5' });
        response.end();
      } else fault(response, 'ter:NotAuthorized', 'Sender not authorized');
      return;
    }
    if (operation === 'PullMessages') {
      if (!this.#subscriptions.has(path)) fault(response, 'wsntw:ResourceUnknown', 'no such subscription');
      else this.#pull(response);
      return;
    }
    const answer = this.#answerTo(operation, body, path);
    if (answer === undefined) fault(response, 'ter:ActionNotSupported', 'Optional Action Not Implemented');
    else envelope(response, answer);
  }

  #answerTo(operation: string, body: string, path: string): string | undefined {
    const profile = () => this.#profiles.find(({ token }) => body.includes(`>${token}</ProfileToken>`));
    switch (operation) {
      case 'GetSystemDateAndTime':
        return this.#clockAnswer();
      case 'SetSystemDateAndTime':
        this.#setClock(body);
        return '<tds:SetSystemDateAndTimeResponse/>';
      case 'GetServices':
        return this.#options.hasServices === false ? undefined : this.#servicesAnswer();
      case 'GetCapabilities':
        return this.#capabilitiesAnswer();
      case 'GetDeviceInformation':
        return '<tds:GetDeviceInformationResponse><tds:Manufacturer>Weir</tds:Manufacturer><tds:Model>Test</tds:Model><tds:FirmwareVersion>1.0</tds:FirmwareVersion><tds:SerialNumber>7</tds:SerialNumber></tds:GetDeviceInformationResponse>';
      case 'GetProfiles':
        return path.includes('media2') ? this.#media2Profiles() : this.#media1Profiles();
      case 'GetStreamUri': {
        const found = profile();
        const uri = found?.streamUri ?? `rtsp://${this.#host}:554/${found?.token}?a=1&amp;b=2`;
        if (found === undefined) return undefined;
        return path.includes('media2')
          ? `<tr2:GetStreamUriResponse><tr2:Uri>${uri}</tr2:Uri></tr2:GetStreamUriResponse>`
          : `<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>${uri}</tt:Uri></trt:MediaUri></trt:GetStreamUriResponse>`;
      }
      case 'GetNodes':
        return nodesAnswer;
      case 'ContinuousMove':
        this.isMoving = true;
        return '<tptz:ContinuousMoveResponse/>';
      case 'Stop':
        this.isMoving = false;
        return '<tptz:StopResponse/>';
      case 'AbsoluteMove':
      case 'RelativeMove':
        return `<tptz:${operation}Response/>`;
      case 'GetPresets':
        return `<tptz:GetPresetsResponse>${[...this.presets].map(([token, name]) => `<tptz:Preset token="${token}"><tt:Name>${name}</tt:Name></tptz:Preset>`).join('')}</tptz:GetPresetsResponse>`;
      case 'SetPreset': {
        const token = /<PresetToken>(.*?)</.exec(body)?.[1] ?? `preset-${this.presets.size + 1}`;
        this.presets.set(token, /<PresetName>(.*?)</.exec(body)?.[1] ?? '');
        return `<tptz:SetPresetResponse><tptz:PresetToken>${token}</tptz:PresetToken></tptz:SetPresetResponse>`;
      }
      case 'GotoPreset':
      case 'RemovePreset': {
        const token = /<PresetToken>(.*?)</.exec(body)?.[1] ?? '';
        if (!this.presets.has(token)) return undefined;
        if (operation === 'RemovePreset') this.presets.delete(token);
        return `<tptz:${operation}Response/>`;
      }
      case 'CreatePullPointSubscription': {
        const subscription = `/onvif/events/${++this.#subscriptionCount}`;
        this.#subscriptions.add(subscription);
        return `<tev:CreatePullPointSubscriptionResponse><tev:SubscriptionReference><wsa5:Address>http://${this.#host}:${this.port}${subscription}</wsa5:Address></tev:SubscriptionReference>${this.#times()}</tev:CreatePullPointSubscriptionResponse>`;
      }
      case 'Renew':
        return this.#subscriptions.has(path) ? `<wsnt:RenewResponse>${this.#times()}</wsnt:RenewResponse>` : undefined;
      case 'Unsubscribe':
        this.#subscriptions.delete(path);
        return '<wsnt:UnsubscribeResponse/>';
      default:
        return undefined;
    }
  }

  /** Answers when there is something to tell, as long polls do. */
  #pull(response: ServerResponse): void {
    const answer = () => {
      this.#waiting.delete(answer);
      const xml = this.#messages
        .splice(0)
        .map((message) => message.xml)
        .join('');
      envelope(response, `<tev:PullMessagesResponse>${this.#times()}${xml}</tev:PullMessagesResponse>`);
    };
    response.once('close', () => this.#waiting.delete(answer));
    if (this.#messages.length > 0) answer();
    else this.#waiting.add(answer);
  }

  #times(): string {
    const nowMs = Date.now() + this.#clockOffsetMs;
    return `<wsnt:CurrentTime>${new Date(nowMs).toISOString()}</wsnt:CurrentTime><wsnt:TerminationTime>${new Date(nowMs + 120_000).toISOString()}</wsnt:TerminationTime>`;
  }

  get #host(): string {
    return this.#options.host ?? '127.0.0.1';
  }

  get #profiles(): readonly CameraProfile[] {
    return this.#options.profiles ?? usualProfiles;
  }

  get #services() {
    return this.#options.services ?? (['media', 'media2', 'ptz', 'events'] as const);
  }

  #servicesAnswer(): string {
    const namespaces = { media: 'ver10/media', media2: 'ver20/media', ptz: 'ver20/ptz', events: 'ver10/events' };
    const all = this.#services.map(
      (name) =>
        `<tds:Service><tds:Namespace>http://www.onvif.org/${namespaces[name]}/wsdl</tds:Namespace><tds:XAddr>http://${this.#host}:${this.port}/onvif/${name}</tds:XAddr><tds:Version><tt:Major>2</tt:Major><tt:Minor>1</tt:Minor></tds:Version></tds:Service>`,
    );
    return `<tds:GetServicesResponse>${all.join('')}</tds:GetServicesResponse>`;
  }

  #capabilitiesAnswer(): string {
    const tags = { media: 'Media', media2: undefined, ptz: 'PTZ', events: 'Events' };
    const all = this.#services.flatMap((name) =>
      tags[name] === undefined
        ? []
        : `<tt:${tags[name]}><tt:XAddr>http://${this.#host}:${this.port}/onvif/${name}</tt:XAddr></tt:${tags[name]}>`,
    );
    return `<tds:GetCapabilitiesResponse><tds:Capabilities>${all.join('')}</tds:Capabilities></tds:GetCapabilitiesResponse>`;
  }

  #media1Profiles(): string {
    const all = this.#profiles
      .filter(({ encoding }) => encoding !== 'H265')
      .map(
        (profile) =>
          `<trt:Profiles token="${profile.token}" fixed="true"><tt:Name>${profile.token}</tt:Name><tt:VideoSourceConfiguration token="vsc"><tt:SourceToken>${profile.source ?? 'vs'}</tt:SourceToken></tt:VideoSourceConfiguration><tt:VideoEncoderConfiguration token="vec">${encoder(profile)}</tt:VideoEncoderConfiguration>${profile.hasPtz === true ? '<tt:PTZConfiguration token="ptz"/>' : ''}</trt:Profiles>`,
      );
    return `<trt:GetProfilesResponse>${all.join('')}</trt:GetProfilesResponse>`;
  }

  #media2Profiles(): string {
    const all = this.#profiles.map(
      (profile) =>
        `<tr2:Profiles token="${profile.token}" fixed="true"><tr2:Name>${profile.token}</tr2:Name><tr2:Configurations><tr2:VideoSource token="vsc"><tt:SourceToken>${profile.source ?? 'vs'}</tt:SourceToken></tr2:VideoSource><tr2:VideoEncoder token="vec" GovLength="50">${encoder(profile)}</tr2:VideoEncoder>${profile.hasPtz === true ? '<tr2:PTZ token="ptz"/>' : ''}</tr2:Configurations></tr2:Profiles>`,
    );
    return `<tr2:GetProfilesResponse>${all.join('')}</tr2:GetProfilesResponse>`;
  }

  #clockAnswer(): string {
    const now = new Date(Date.now() + this.#clockOffsetMs);
    return `<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>${this.dateTimeType}</tt:DateTimeType><tt:DaylightSavings>false</tt:DaylightSavings><tt:TimeZone><tt:TZ>CET-1CEST</tt:TZ></tt:TimeZone><tt:UTCDateTime><tt:Time><tt:Hour>${now.getUTCHours()}</tt:Hour><tt:Minute>${now.getUTCMinutes()}</tt:Minute><tt:Second>${now.getUTCSeconds()}</tt:Second></tt:Time><tt:Date><tt:Year>${now.getUTCFullYear()}</tt:Year><tt:Month>${now.getUTCMonth() + 1}</tt:Month><tt:Day>${now.getUTCDate()}</tt:Day></tt:Date></tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>`;
  }

  #setClock(body: string): void {
    this.dateTimeType = /<DateTimeType>(\w+)</.exec(body)?.[1] ?? '';
    const part = (name: string) => Number(new RegExp(`<${name}>(\\d+)<`).exec(body)?.[1] ?? Number.NaN);
    const toldMs = Date.UTC(part('Year'), part('Month') - 1, part('Day'), part('Hour'), part('Minute'), part('Second'));
    // Its time server is right.
    this.#clockOffsetMs = Number.isFinite(toldMs) ? toldMs - Date.now() : 0;
  }

  /** A digest of nonce, time and password; the time within 5 s of the camera's own, each nonce once. */
  #isAllowed(body: string, authorization: string | undefined): boolean {
    const { credentials, login = 'token' } = this.#options;
    if (credentials === undefined) return true;
    if (login === 'digest') return isDigestOf(credentials, authorization);
    const part = (name: string) =>
      (new RegExp(`<${name}(?: [^>]*)?>([^<]*)<`).exec(body)?.[1] ?? '').replace(/&#(\d+);/g, (_, code: string) =>
        String.fromCharCode(Number(code)),
      );
    const [nonce, created] = [part('Nonce'), part('Created')];
    const digest = createHash('sha1').update(Buffer.from(nonce, 'base64')).update(created).update(credentials.password);
    const isFresh = Math.abs(Date.parse(created) - (Date.now() + this.#clockOffsetMs)) < 5_000;
    const isNew = !this.#usedNonces.has(nonce);
    this.#usedNonces.add(nonce);
    return (
      isFresh && isNew && part('Username') === credentials.username && part('Password') === digest.digest('base64')
    );
  }

  async #listenForProbes({ address, scopes = [] }: { readonly address: string; readonly scopes?: readonly string[] }) {
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    this.#discovery = socket;
    await new Promise<void>((resolve) => socket.bind(3702, resolve));
    socket.addMembership('239.255.255.250', address);
    socket.on('message', (datagram, sender) => {
      const probe = datagram.toString();
      if (!probe.includes('/Probe<') || sender.address !== address) return;
      const relatesTo = /MessageID>([^<]+)</.exec(probe)?.[1] ?? '';
      socket.send(this.#probeMatch(relatesTo, scopes), sender.port, sender.address);
    });
  }

  #probeMatch(relatesTo: string, scopes: readonly string[]): string {
    return `<?xml version="1.0"?><SOAP-ENV:Envelope xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope" xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><SOAP-ENV:Header><wsa:RelatesTo>${relatesTo}</wsa:RelatesTo></SOAP-ENV:Header><SOAP-ENV:Body><d:ProbeMatches><d:ProbeMatch><wsa:EndpointReference><wsa:Address>urn:uuid:camera-${this.port}</wsa:Address></wsa:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>${scopes.join(' ')}</d:Scopes><d:XAddrs>${this.url} http://[fe80::1]:${this.port}/onvif/device_service</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches></SOAP-ENV:Body></SOAP-ENV:Envelope>`;
  }
}

/** Wraps an answer as devices do. */
export function envelope(response: ServerResponse, content: string, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/soap+xml; charset=utf-8' });
  response.end(
    `<?xml version="1.0" encoding="UTF-8"?>\n<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope"><SOAP-ENV:Body>${content}</SOAP-ENV:Body></SOAP-ENV:Envelope>`,
  );
}

/** A fault with a code and a reason. */
export function fault(response: ServerResponse, code: string, reason: string): void {
  const content = `<SOAP-ENV:Fault><SOAP-ENV:Code><SOAP-ENV:Value>SOAP-ENV:Sender</SOAP-ENV:Value><SOAP-ENV:Subcode><SOAP-ENV:Value>${code}</SOAP-ENV:Value></SOAP-ENV:Subcode></SOAP-ENV:Code><SOAP-ENV:Reason><SOAP-ENV:Text xml:lang="en">${reason}</SOAP-ENV:Text></SOAP-ENV:Reason></SOAP-ENV:Fault>`;
  envelope(response, content, 400);
}

function encoder({ encoding, widthPixels, heightPixels, framesPerSecond = 25 }: CameraProfile): string {
  return `<tt:Encoding>${encoding}</tt:Encoding><tt:Resolution><tt:Width>${widthPixels}</tt:Width><tt:Height>${heightPixels}</tt:Height></tt:Resolution><tt:RateControl><tt:FrameRateLimit>${framesPerSecond}</tt:FrameRateLimit><tt:BitrateLimit>4096</tt:BitrateLimit></tt:RateControl>`;
}

function isDigestOf(
  { username, password }: { readonly username: string; readonly password: string },
  authorization: string | undefined,
): boolean {
  const part = (name: string) => new RegExp(`${name}="?([^",]+)`).exec(authorization ?? '')?.[1] ?? '';
  const md5 = (text: string) => createHash('md5').update(text).digest('hex');
  const secret = md5(`${username}:camera:${password}`);
  const request = md5(`POST:${part('uri')}`);
  return part('response') === md5(`${secret}:n1:${part('nc')}:${part('cnonce')}:auth:${request}`);
}

const spaces = ['AbsolutePanTiltPositionSpace', 'RelativePanTiltTranslationSpace', 'ContinuousPanTiltVelocitySpace'];
const nodesAnswer = `<tptz:GetNodesResponse><tptz:PTZNode token="node"><tt:Name>node</tt:Name><tt:SupportedPTZSpaces>${spaces.map((space) => `<tt:${space}/>`).join('')}</tt:SupportedPTZSpaces><tt:MaximumNumberOfPresets>100</tt:MaximumNumberOfPresets><tt:HomeSupported>true</tt:HomeSupported></tptz:PTZNode></tptz:GetNodesResponse>`;
