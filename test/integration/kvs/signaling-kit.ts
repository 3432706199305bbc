/** A site with a signalling channel, URLs presigned in all the ways that clients have, and peers that write down what they get. */

import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { CreateSignalingChannelCommand, GetSignalingChannelEndpointCommand } from '@aws-sdk/client-kinesis-video';
import { onTestFinished } from 'vitest';
import WebSocket from 'ws';
import type { SiteOptions } from '../admin/kit.ts';
import { everything, type Statement, startKvsSite } from './kit.ts';

export type Keys = { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };

export type Role = 'MASTER' | 'VIEWER';

/** What clients do differently. */
export type Presigning = {
  readonly clientId?: string;
  readonly credentials?: Keys;
  readonly arn?: string;
  /** The ARN's colons and slashes stand in the URL as they are. */
  readonly isArnRaw?: boolean;
  readonly expiresS?: number;
  readonly signedMs?: number;
  /** As it is signed; what is sent has the port. */
  readonly host?: string;
  readonly extra?: Readonly<Record<string, string>>;
};

export type Received = {
  readonly messageType: string;
  readonly senderClientId?: string;
  readonly messagePayload?: string;
  readonly statusResponse?: Readonly<Record<string, string>>;
};

export async function startSignaling(statements: readonly Statement[] = [everything], options: SiteOptions = {}) {
  const kvs = await startKvsSite(statements, options);
  const prefix = options.publicUrl === undefined ? '' : new URL(options.publicUrl).pathname.replace(/\/$/, '');
  const control = kvs.sdk({ endpoint: `${kvs.endpoint}${prefix}` });
  const made = await control.send(new CreateSignalingChannelCommand({ ChannelName: 'gate' }));
  const arn = made.ChannelARN ?? '';
  const endpointOf = async (role: Role) => {
    const { ResourceEndpointList } = await control.send(
      new GetSignalingChannelEndpointCommand({
        ChannelARN: arn,
        SingleMasterChannelEndpointConfiguration: { Protocols: ['WSS'], Role: role },
      }),
    );
    return ResourceEndpointList?.[0]?.ResourceEndpoint ?? '';
  };
  const endpoints = { MASTER: await endpointOf('MASTER'), VIEWER: await endpointOf('VIEWER') };
  const presign = (role: Role, change: Presigning = {}) =>
    presigned(endpoints[role], { credentials: kvs.credentials, arn, ...change });
  const open = (url: string, wishes: { readonly protocols?: string[]; readonly autoPong?: boolean } = {}) =>
    openPeer(url, { ca: kvs.site.ca, ...wishes });
  return {
    ...kvs,
    ...{ control, arn, endpoints, presign, open },
    /** Connects as role, and as viewer under an id. */
    connect: (role: Role, clientId?: string) => open(presign(role, clientId === undefined ? {} : { clientId })),
    refusal: (url: string) => refusalOf(url, kvs.site.ca),
  };
}

/** A URL as AWS's documents say that it is made, by code of the test's own. */
function presigned(endpoint: string, wish: Presigning & { readonly credentials: Keys; readonly arn: string }): string {
  const { host, pathname } = new URL(endpoint);
  const { credentials, signedMs = Date.now(), expiresS = 299 } = wish;
  const at = new Date(signedMs).toISOString().replace(/[-:]|\.\d{3}/g, '');
  const scope = `${at.slice(0, 8)}/eu-central-1/kinesisvideo/aws4_request`;
  const parameters: Readonly<Record<string, string>> = {
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-ChannelARN': wish.arn,
    ...(wish.clientId === undefined ? {} : { 'X-Amz-ClientId': wish.clientId }),
    'X-Amz-Credential': `${credentials.accessKeyId}/${scope}`,
    'X-Amz-Date': at,
    'X-Amz-Expires': String(expiresS),
    ...(credentials.sessionToken === undefined ? {} : { 'X-Amz-Security-Token': credentials.sessionToken }),
    'X-Amz-SignedHeaders': 'host',
    ...wish.extra,
  };
  const query = Object.entries(parameters)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .sort()
    .join('&');
  const canonical = ['GET', pathname, query, `host:${wish.host ?? host}\n`, 'host', sha256('')].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', at, scope, sha256(canonical)].join('\n');
  const key = scope
    .split('/')
    .reduce<Buffer>((secret, part) => hmac(secret, part), Buffer.from(`AWS4${credentials.secretAccessKey}`));
  const sent = wish.isArnRaw === true ? query.replace(encodeURIComponent(wish.arn), wish.arn) : query;
  return `${endpoint}?${sent}&X-Amz-Signature=${hmac(key, toSign).toString('hex')}`;
}

async function openPeer(
  url: string,
  {
    ca,
    protocols = [],
    autoPong = true,
  }: { readonly ca: string; readonly protocols?: string[]; readonly autoPong?: boolean },
) {
  const socket = new WebSocket(url, protocols, { ca, autoPong });
  onTestFinished(() => socket.terminate());
  const received: Received[] = [];
  const peer = { socket, received, pings: 0, closed: undefined as { code: number; reason: string } | undefined };
  socket.on('message', (data) => received.push(JSON.parse(String(data))));
  socket.on('ping', () => {
    peer.pings++;
  });
  socket.on('close', (code, reason) => {
    peer.closed = { code, reason: String(reason) };
  });
  await once(socket, 'open');
  return Object.assign(peer, { say: (message: object) => socket.send(JSON.stringify(message)) });
}

/** How a connection is refused before the upgrade; `101` when it is not. */
async function refusalOf(url: string, ca: string) {
  const socket = new WebSocket(url, { ca });
  // Ended by us, after its answer was read.
  socket.on('error', () => {});
  const response = await new Promise<IncomingMessage | undefined>((resolve) => {
    socket.on('unexpected-response', (_request, answer) => resolve(answer)).on('open', () => resolve(undefined));
  });
  if (response === undefined) {
    socket.terminate();
    return { text: '101', message: '', headers: {} };
  }
  let text = '';
  for await (const chunk of response) text += chunk;
  const { headers, statusCode } = response;
  return {
    text: `${statusCode} ${String(headers['x-amzn-errortype'])}`,
    message: String(JSON.parse(text).Message),
    headers,
  };
}

export function base64(content: object): string {
  return Buffer.from(JSON.stringify(content)).toString('base64');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
