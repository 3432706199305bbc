/**
 * Every setting there is: type, default, meaning and what a change of it needs, in one place. The sample file, the flags of the
 * command line, the names of environment variables and the check for unknown keys are all derived from this schema.
 */

import { resolve } from 'node:path';
import { z } from 'zod';
import { isNetwork } from '../../storage/base/address-policy.ts';

/** What must be started anew after a change: the whole appliance, or nothing because it is read when needed. */
export type ChangeNeeds = 'restart' | 'nothing';

/** What people read about one key beside its type and default. */
export type KeyFacts = {
  readonly description: string;
  readonly changeNeeds: ChangeNeeds;
  /** How the value is written in the sample file where the default cannot be shown (it is computed or absent). */
  readonly example?: string;
};

const path = z.string().min(1).max(4096);

/** "500 GB" or "1.5TiB" as bytes; also a plain number of bytes. */
const byteCount = z.union([
  z.number().int().nonnegative(),
  z.string().transform((text, context) => {
    const bytes = parseByteCount(text);
    if (bytes !== undefined) return bytes;
    context.addIssue({ code: 'custom', message: 'must be a size such as 500 GB or 2TiB' });
    return z.NEVER;
  }),
]);

/** As browsers and native clients take them; native clients take no longer ones. */
const turnUrl = z
  .string()
  .max(256)
  .regex(
    /^turns?:(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d{1,5})?(\?transport=(udp|tcp))?$/i,
    'must be a TURN address such as turn:turn.example.org:3478?transport=udp',
  );

const timeZone = z.string().refine(isTimeZone, 'must be an IANA time zone such as Europe/Berlin');

const network = z.string().refine(isNetwork, 'must be a network such as 10.20.0.0/16, or an address');

const awsRegion = z
  .string()
  .regex(/^[a-z0-9-]{1,64}$/, 'must be lower-case letters, digits and dashes, as in us-east-1');

const publicUrl = z
  .string()
  .refine(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    'must be an http:// or https:// URL',
  );

const s3Endpoint = z
  .string()
  .refine(isEndpoint, 'must be an http:// or https:// URL without a path, as in https://minio.example.org:9000');

/** A section of the file: unknown keys in it are refused, and it may be left out as a whole. */
function section<T extends z.core.$ZodLooseShape>(shape: T) {
  return z.strictObject(shape).prefault({} as never);
}

function key<T extends z.ZodType>(type: T, facts: KeyFacts): T {
  return type.meta(facts);
}

/** What it takes to reach a bucket. The secret key itself is no setting: it stands in a file or in one variable of the environment. */
const s3Keys = {
  endpoint: key(s3Endpoint.optional(), {
    description: 'Where the S3 server answers.',
    changeNeeds: 'restart',
    example: 'https://minio.example.org:9000',
  }),
  bucket: key(z.string().min(3).max(63).optional(), {
    description: 'Made at the first start where the access key may; without versions and object locks.',
    changeNeeds: 'restart',
    example: 'weir',
  }),
  region: key(z.string().min(1).max(64).default('us-east-1'), {
    description: "The bucket's region; MinIO has us-east-1 unless it was told otherwise.",
    changeNeeds: 'restart',
  }),
  prefix: key(
    z
      .string()
      .regex(/^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)*$/, 'must be empty or end with a slash, as in site-1/')
      .max(256)
      .default(''),
    {
      description: 'Before the name of each object, for a bucket that others use too.',
      changeNeeds: 'restart',
      example: 'site-1/',
    },
  ),
  accessKey: key(z.string().min(1).max(256).optional(), {
    description: 'May list the bucket and get, put and delete its objects.',
    changeNeeds: 'restart',
    example: 'weir',
  }),
  secretKeyFile: key(path.optional(), {
    description:
      'Holds the secret key, readable for Weir alone. Without it the environment variable WEIR_OBJECTS_S3_SECRET_KEY is used.',
    changeNeeds: 'restart',
    example: '/etc/weir/s3-secret',
  }),
  addressing: key(z.enum(['path', 'virtual-host']).default('path'), {
    description:
      'Where the name of the bucket stands: path host/bucket, virtual-host bucket.host. Hosts of Amazon always get the second.',
    changeNeeds: 'restart',
  }),
  authorityFile: key(path.optional(), {
    description: "PEM of the authority of the server's certificate, where that is not one that the system trusts.",
    changeNeeds: 'restart',
    example: '/etc/weir/minio-ca.pem',
  }),
};

const orderedStore = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be lower-case letters, digits and dashes'),
  kind: z.enum(['directory', 's3']),
  directory: path.optional(),
  s3: section(s3Keys),
  moveOnAfterHours: z.number().min(0).max(1_000_000).optional(),
});

const configFields = z.strictObject({
  dataDirectory: key(path.default('./data'), {
    description:
      'Everything that Weir keeps lies here, unless another key moves it. Relative to the file that names it.',
    changeNeeds: 'restart',
  }),
  listen: section({
    address: key(z.union([z.ipv4(), z.ipv6()]).default('0.0.0.0'), {
      description: 'Address of the public port; 127.0.0.1 keeps everybody else out, :: takes IPv6 as well.',
      changeNeeds: 'restart',
    }),
    port: key(z.number().int().min(0).max(65_535).default(8443), {
      description:
        'The one public port: page, API, players. 8443 needs no root and is what people expect of HTTPS beside 443; 0 takes a free one.',
      changeNeeds: 'restart',
    }),
  }),
  publicUrl: key(publicUrl.optional(), {
    description: 'How others reach this server, where that is not its own name and port (a reverse proxy, a domain).',
    changeNeeds: 'restart',
    example: 'https://cameras.example.org',
  }),
  tls: section({
    mode: key(z.enum(['own', 'files', 'plain']).default('own'), {
      description:
        'own: a certificate of our own authority, to be trusted once by `weir ca export`. files: a certificate of yours. plain: no TLS, on a loopback address or behind a proxy only.',
      changeNeeds: 'restart',
    }),
    certificateFile: key(path.optional(), {
      description: 'For mode files: the certificate and its chain, PEM. A renewed file is taken within a minute.',
      changeNeeds: 'restart',
      example: '/etc/ssl/weir.crt',
    }),
    keyFile: key(path.optional(), {
      description: 'For mode files: the private key, PEM, readable for Weir alone.',
      changeNeeds: 'restart',
      example: '/etc/ssl/private/weir.key',
    }),
    allowPlainBeyondLoopback: key(z.boolean().default(false), {
      description: 'Takes mode plain on any address: passwords and pictures then cross the network readable for all.',
      changeNeeds: 'restart',
    }),
    names: key(z.array(z.string().min(1).max(253)).max(50).default([]), {
      description: "For mode own: further host names or addresses for the certificate, beside this machine's own.",
      changeNeeds: 'restart',
    }),
  }),
  rtsp: section({
    enabled: key(z.boolean().default(true), {
      description:
        'Players and other recorders may pull streams by RTSP, live and recorded: rtsp://host:8554/<camera>.',
      changeNeeds: 'restart',
    }),
    address: key(z.union([z.ipv4(), z.ipv6()]).optional(), {
      description: 'Address that RTSP listens on. Default: listen.address.',
      changeNeeds: 'restart',
      example: '127.0.0.1',
    }),
    port: key(z.number().int().min(0).max(65_535).default(8554), {
      description:
        'Port of RTSP and, unless tls.mode is plain, of RTSPS: the first byte tells them apart. 0 takes a free one.',
      changeNeeds: 'restart',
    }),
    udpPort: key(z.number().int().min(1_024).max(65_534).multipleOf(2).optional(), {
      description: 'RTP by UDP leaves from this even port, RTCP from the next: for firewalls. Default: any free pair.',
      changeNeeds: 'restart',
      example: '8556',
    }),
    allowPlainPasswords: key(z.boolean().default(false), {
      description:
        'Takes passwords of people without TLS too: they then cross the network readable for all. API tokens need it not, they log in by digest.',
      changeNeeds: 'restart',
    }),
  }),
  rtmp: section({
    enabled: key(z.boolean().default(true), {
      description:
        'Encoders may publish by RTMP: rtmp://host:1935/live/<stream key>. The port is open only while a camera waits for its publisher.',
      changeNeeds: 'restart',
    }),
    address: key(z.union([z.ipv4(), z.ipv6()]).optional(), {
      description: 'Address that RTMP listens on. Default: listen.address.',
      changeNeeds: 'restart',
      example: '192.168.1.10',
    }),
    port: key(z.number().int().min(0).max(65_535).default(1935), {
      description:
        'Port of RTMP and, unless tls.mode is plain, of RTMPS: the first byte tells them apart. 0 takes a free one.',
      changeNeeds: 'restart',
    }),
  }),
  kvs: section({
    region: key(awsRegion.default('us-east-1'), {
      description:
        'Region in the ARNs of the KVS API. Clients keep ARNs: set it before they come, since they find nothing by others.',
      changeNeeds: 'restart',
    }),
    accountId: key(
      z
        .string()
        .regex(/^\d{12}$/, "must be 12 digits in quotes, as in '000000000000'")
        .default('000000000000'),
      {
        description: 'Account in the ARNs of the KVS API, 12 digits, in quotes. Clients keep ARNs, as with the region.',
        changeNeeds: 'restart',
      },
    ),
    acceptedRegion: key(awsRegion.optional(), {
      description: 'The one region that clients of the KVS API may sign for. Default: any.',
      changeNeeds: 'restart',
      example: 'eu-central-1',
    }),
    quotaFactor: key(z.number().min(0).max(1_000_000).default(20), {
      description:
        "How many times AWS's quotas clients of the KVS API have: 1 to try a program as at AWS, 0 for no quotas at all.",
      changeNeeds: 'restart',
    }),
    putMedia: section({
      connectionMinutesMax: key(z.number().min(0.1).max(1_440).default(45), {
        description: 'A producer is told to connect anew after so many minutes, at the beginning of a fragment.',
        changeNeeds: 'restart',
      }),
      fragmentSecondsMax: key(z.number().min(1).max(20).default(20), {
        description: 'Longest fragment that producers may send, in seconds. AWS takes 20.',
        changeNeeds: 'restart',
      }),
      fragmentMegabytesMax: key(z.number().min(1).max(50).default(50), {
        description: 'Largest fragment that producers may send, in millions of bytes. AWS takes 50.',
        changeNeeds: 'restart',
      }),
      connectionsOfStreamMax: key(z.number().int().min(1).max(8).default(2), {
        description:
          'Producers that may send one stream at a time: one that renews its credentials has two for a moment.',
        changeNeeds: 'restart',
      }),
    }),
    credentials: section({
      enabled: key(z.boolean().default(true), {
        description:
          'Devices may change their certificate for temporary keys, as at AWS IoT: https://host:8444/role-aliases/<policy>/credentials. The port is open only while there is a device; it needs TLS.',
        changeNeeds: 'restart',
      }),
      port: key(z.number().int().min(0).max(65_535).default(8_444), {
        description: 'Port of that endpoint, the only one that asks for client certificates. 0 takes a free one.',
        changeNeeds: 'restart',
      }),
    }),
  }),
  journal: section({
    directory: key(path.optional(), {
      description:
        'Where cameras are written to; a file system of its own is best. Default: journal under the data directory.',
      changeNeeds: 'restart',
      example: '/mnt/journal',
    }),
    spareDirectories: key(z.array(path).max(8).default([]), {
      description:
        'Written to while the journal directory cannot be (full, read-only, broken), in this order; best on other disks. Take one out of the list only when it is empty.',
      changeNeeds: 'restart',
    }),
    syncPeriodMs: key(z.number().int().min(100).max(60_000).default(2_000), {
      description:
        'How often written media is made safe against power loss: 2000 on flash, 5000 to 10000 on a spinning disk.',
      changeNeeds: 'restart',
    }),
  }),
  objects: section({
    kind: key(z.enum(['directory', 's3']).default('directory'), {
      description:
        'Where finished segments are kept. directory: files on this machine. s3: a bucket of MinIO or of any S3; recordings wait in the journal while it is away.',
      changeNeeds: 'restart',
    }),
    directory: key(path.optional(), {
      description:
        'For kind directory. Default: objects under the data directory. On the file system of the journal no byte is written twice.',
      changeNeeds: 'restart',
      example: '/mnt/archive',
    }),
    s3: section(s3Keys),
    stores: key(z.array(orderedStore).max(8).default([]), {
      description:
        'Several stores instead of one, fastest first, each with a name that stays, a kind and what it takes (directory, or s3 with the keys above). Segments go into the first and move on after moveOnAfterHours, or when it has no room left; each is read back and compared before the old copy goes.',
      changeNeeds: 'restart',
      example:
        '[{ name: ssd, kind: directory, directory: /mnt/ssd, moveOnAfterHours: 48 }, { name: hdd, kind: directory, directory: /mnt/hdd }]',
    }),
  }),
  storage: section({
    bytesMax: key(byteCount.optional(), {
      description:
        'Recordings of all cameras together take at most this; the oldest go first. Default: what the disk holds, less 2 % and 64 MiB for each file being written.',
      changeNeeds: 'restart',
      example: '2 TB',
    }),
    hotBytesMax: key(byteCount.default(0), {
      description:
        'Copies of segments that the object store has already are kept beside the journal up to this size: for a store that is slow or far away.',
      changeNeeds: 'restart',
      example: '16 GiB',
    }),
  }),
  cameras: section({
    allowedNetworks: key(z.array(network).max(100).default([]), {
      description:
        'Networks that cameras may be in; whoever may add cameras can make this server connect to any address in them. None: all.',
      changeNeeds: 'restart',
      example: '[10.20.0.0/16, 192.0.2.7]',
    }),
  }),
  webrtc: section({
    enabled: key(z.boolean().default(true), {
      description:
        'Live view by WebRTC (WHEP), publishing by WHIP, and storage sessions of the KVS API. Off: live view is by fMP4 or HLS.',
      changeNeeds: 'restart',
    }),
    address: key(z.union([z.ipv4(), z.ipv6()]).optional(), {
      description: 'Address that WebRTC listens on. Default: listen.address.',
      changeNeeds: 'restart',
      example: '192.168.1.10',
    }),
    port: key(z.number().int().min(0).max(65_535).default(8189), {
      description:
        'UDP and TCP port that media of all WebRTC peers goes through; further workers have the ports after it. 0 takes a free one.',
      changeNeeds: 'restart',
    }),
    workers: key(z.number().int().min(1).max(16).default(1), {
      description: 'mediasoup processes; one has 250 peers at most and fills one processor at about 300 Mb/s.',
      changeNeeds: 'restart',
    }),
    announcedAddresses: key(
      z
        .array(z.union([z.ipv4(), z.ipv6()]))
        .max(8)
        .default([]),
      {
        description:
          'Addresses that WebRTC peers are told besides those of this machine: of a router or a host that passes the port on.',
        changeNeeds: 'restart',
        example: '[203.0.113.7]',
      },
    ),
    stunPort: key(z.number().int().min(0).max(65_535).default(3479), {
      description:
        'UDP port that tells KVS peers their own address (STUN), so that channels work on a LAN without a TURN server. Open on listen.address only while webrtc.turn names none. 0 switches it off.',
      changeNeeds: 'restart',
    }),
    turn: section({
      urls: key(z.array(turnUrl).max(20).default([]), {
        description:
          'TURN servers that WebRTC peers are told, such as coturn with use-auth-secret. None: GetIceServerConfig names the STUN of webrtc.stunPort, or is refused where that is off, since clients would wait for a server that is not there.',
        changeNeeds: 'restart',
        example: '["turn:turn.example.org:3478?transport=udp", "turns:turn.example.org:5349?transport=tcp"]',
      }),
      secretFile: key(path.optional(), {
        description:
          'Holds the secret shared with the TURN servers (coturn: static-auth-secret), readable for Weir alone; read for each question.',
        changeNeeds: 'restart',
        example: '/etc/weir/turn-secret',
      }),
      ttlSeconds: key(z.number().int().min(60).max(86_400).default(300), {
        description: 'How long credentials for the TURN servers are good. Clients ask again in time.',
        changeNeeds: 'restart',
      }),
    }),
  }),
  playback: section({
    conversionsMax: key(z.number().int().min(0).max(64).optional(), {
      description:
        'How many streams of H.265 are converted at once for players that cannot decode it; 0 turns it off. Default: half of the processors, at least one. A 1080p stream takes about half a processor.',
      changeNeeds: 'restart',
      example: '2',
    }),
  }),
  ingest: section({
    processes: key(z.number().int().min(1).max(16).default(1), {
      description: 'Recording processes; one carries 50 to 100 cameras.',
      changeNeeds: 'restart',
    }),
  }),
  logLevel: key(z.enum(['error', 'warn', 'info', 'debug']).default('info'), {
    description: 'error: a person should look. warn: it healed itself. info: a state changed. debug: for developers.',
    changeNeeds: 'restart',
  }),
  timeZone: key(timeZone.optional(), {
    description:
      "Zone of days where none is asked for: of a stream's days by the API, of usage, and of the schedules of KVS edge configurations. The page shows the browser's zone. Default: this machine's.",
    changeNeeds: 'restart',
    example: 'Europe/Berlin',
  }),
  siteKeyFile: key(path.optional(), {
    description:
      'The key that camera passwords are sealed with; keep it apart from backups of the database. Default: secrets/site.key under the data directory.',
    changeNeeds: 'restart',
    example: '/etc/weir/site.key',
  }),
  ffmpegPath: key(path.default('ffmpeg'), {
    description: 'The ffmpeg program: pictures, clips in other forms, the demo camera.',
    changeNeeds: 'restart',
  }),
});

/**
 * What is one place by its name alone: what moved from it to itself would be deleted as its old copy. Links and second mounts are
 * told by the stores' marks before anything moves; a look at them from here could hang with a dead mount.
 */
function placeOf(store: z.output<typeof orderedStore>): string {
  const { endpoint, bucket, prefix } = store.s3;
  if (store.kind === 'directory') return store.directory === undefined ? `?${store.name}` : resolve(store.directory);
  // What is missing or no address is refused by rules of its own.
  if (endpoint === undefined || !URL.canParse(endpoint) || bucket === undefined) return `?${store.name}`;
  return [new URL(endpoint).href, bucket, prefix].join(' ');
}

/** The schema with the rules that concern several keys at once. */
export const configSchema = configFields.superRefine((config, context) => {
  const refuse = (keys: string[], message: string) => context.addIssue({ code: 'custom', path: keys, message });
  if (config.tls.mode === 'files') {
    if (config.tls.certificateFile === undefined) refuse(['tls', 'certificateFile'], 'is needed for tls.mode files');
    if (config.tls.keyFile === undefined) refuse(['tls', 'keyFile'], 'is needed for tls.mode files');
  }
  if (config.webrtc.port > 0 && config.webrtc.port + config.webrtc.workers > 65_536) {
    refuse(['webrtc', 'port'], 'leaves no ports after it for all of webrtc.workers');
  }
  if (config.webrtc.turn.urls.length > 0 && config.webrtc.turn.secretFile === undefined) {
    refuse(['webrtc', 'turn', 'secretFile'], 'is needed for webrtc.turn.urls');
  }
  const { stores, ...only } = config.objects;
  if (stores.length === 0) needOf(only, (name, message) => refuse(['objects', ...name], message));
  else if (only.kind === 's3') refuse(['objects', 'stores'], 'takes the place of objects.kind: name one of both');
  for (const store of stores) {
    needOf(store, (name, message) => refuse(['objects', 'stores'], `${store.name}: ${name.join('.')} ${message}`));
    if (store.kind === 'directory' && store.directory === undefined)
      refuse(['objects', 'stores'], `${store.name}: directory is needed for kind directory`);
  }
  if (new Set(stores.map(({ name }) => name)).size < stores.length)
    refuse(['objects', 'stores'], 'has two stores of one name');
  const twins = [...Map.groupBy(stores, placeOf).values()].find((group) => group.length > 1);
  if (twins !== undefined) {
    const what = twins[0]?.kind === 's3' ? 'bucket' : 'directory';
    refuse(['objects', 'stores'], `has one ${what} twice: ${twins.map(({ name }) => name).join(' and ')}`);
  }
  if (stores.at(-1)?.moveOnAfterHours !== undefined)
    refuse(['objects', 'stores'], 'has nowhere to move on to from its last store');
  if (config.tls.mode === 'plain' && !isLoopback(config.listen.address) && !config.tls.allowPlainBeyondLoopback) {
    refuse(['tls', 'mode'], 'may be plain on a loopback address only (listen.address 127.0.0.1)');
  }
});

export type Config = z.output<typeof configSchema>;

/** One leaf of the schema: `listen.port`, its type and what people read about it. */
export type ConfigKey = {
  readonly path: readonly string[];
  readonly type: z.ZodType;
  readonly facts: KeyFacts;
  readonly defaultValue: unknown;
};

/** All keys in the order of the schema. */
export function configKeys(): ConfigKey[] {
  return keysOf(configFields, []);
}

/** `listen.port` */
export function keyName(key: ConfigKey): string {
  return key.path.join('.');
}

/** `WEIR_LISTEN_PORT` */
export function environmentName(key: ConfigKey): string {
  return `WEIR_${key.path.map((part) => part.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()).join('_')}`;
}

/** `listen-port`, without the dashes in front. */
export function flagName(key: ConfigKey): string {
  return key.path.map((part) => part.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)).join('-');
}

function keysOf(object: z.ZodObject, above: readonly string[]): ConfigKey[] {
  return Object.entries(object.shape).flatMap(([name, type]) => {
    const path = [...above, name];
    const inner = type instanceof z.ZodPrefault ? type.unwrap() : type;
    if (inner instanceof z.ZodObject) return keysOf(inner, path);
    const leaf = type as z.ZodType;
    return [{ path, type: leaf, facts: leaf.meta() as KeyFacts, defaultValue: leaf.safeParse(undefined).data }];
  });
}

function parseByteCount(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([KMGT])(i?)B?|B)?$/i.exec(text.trim());
  if (match === null) return undefined;
  const [, number = '', unit = '', binary = ''] = match;
  const power = unit === '' ? 0 : 'KMGT'.indexOf(unit.toUpperCase()) + 1;
  return Math.round(Number(number) * (binary === '' ? 1000 : 1024) ** power);
}

/** What a bucket cannot do without. */
function needOf(
  { kind, s3 }: { readonly kind: 'directory' | 's3'; readonly s3: Readonly<Record<string, unknown>> },
  refuse: (name: string[], message: string) => void,
): void {
  if (kind !== 's3') return;
  for (const name of ['endpoint', 'bucket', 'accessKey']) {
    if (s3[name] === undefined) refuse(['s3', name], 'is needed for kind s3');
  }
}

function isEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, pathname, search, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && pathname === '/' && `${search}${username}${password}` === '';
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}
