/** Devices of a running site, and what they hear at its credentials endpoint. */

import { once } from 'node:events';
import { request } from 'node:https';
import { type ConnectionOptions, connect } from 'node:tls';
import { expect } from 'vitest';
import { sdkAt, startKvsSite } from './kit.ts';

export const list = { effect: 'allow', actions: ['kinesisvideo:ListStreams'], resources: ['*'] } as const;
export const describe = { effect: 'allow', actions: ['kinesisvideo:DescribeStream'], resources: ['*'] } as const;

export const create = { effect: 'allow', actions: ['kinesisvideo:CreateStream'], resources: ['*'] } as const;

export type Shown = { readonly cert?: string; readonly key?: string };
type Asked = { readonly alias?: string; readonly thing?: string; readonly path?: string; readonly method?: string };

/** A site with policies `lister` and `describer`. */
export async function startDeviceSite() {
  const kvs = await startKvsSite();
  const { site, admin } = kvs;
  await admin.post('/api/policies', { name: 'lister', statements: [list] });
  await admin.post('/api/policies', { name: 'describer', statements: [describe] });
  await admin.post('/api/policies', { name: 'creator', statements: [create] });

  const add = async (name: string, change: object = {}) => {
    const made = await admin.post('/api/devices', { name, policies: ['lister', 'describer'], ...change });
    expect(made.status).toBe(201);
    const { device, certificate, privateKey } = made.json;
    return { id: device.id as string, cert: certificate as string, key: privateKey as string };
  };
  const { cameras } = (await admin.get('/api/cameras')).json;
  const streamName: string = cameras[0].streams[0].name;
  const port = () => site.serve.credentialsPort ?? 0;
  const ask = (shown: Shown, asked: Asked = {}) => askForCredentials({ port: port(), ca: site.ca }, shown, asked);
  const credentialsOf = async (shown: Shown, asked: Asked = {}) => {
    const { status, json } = await ask(shown, asked);
    expect(status).toBe(200);
    const { accessKeyId, secretAccessKey, sessionToken } = json.credentials;
    return { accessKeyId, secretAccessKey, sessionToken } as {
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
      readonly sessionToken: string;
    };
  };
  return {
    ...kvs,
    streamName,
    add,
    port,
    ask,
    credentialsOf,
    as: (keys: Parameters<typeof sdkAt>[1]) => sdkAt(site, keys),
  };
}

export async function askForCredentials(
  site: { readonly port: number; readonly ca: string },
  shown: Shown,
  { alias = 'weir', thing, path, method = 'GET' }: Asked = {},
) {
  const headers = thing === undefined ? {} : { 'x-amzn-iot-thingname': thing };
  const target = path ?? `/role-aliases/${alias}/credentials`;
  const options = { host: 'localhost', port: site.port, ca: site.ca, agent: false as const, ...shown };
  return await new Promise<{
    readonly status: number;
    readonly contentType: string | undefined;
    // biome-ignore lint/suspicious/noExplicitAny: tests look into answers by name, and the assertion fails when it is not there.
    readonly json: any;
  }>((resolve, reject) => {
    const sent = request({ ...options, method, path: target, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        const json = JSON.parse(text);
        resolve({ status: response.statusCode ?? 0, contentType: response.headers['content-type'], json });
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}

/** One TLS connection on which requests are written by hand. */
export async function openConnection(options: ConnectionOptions) {
  const socket = connect({ host: 'localhost', ...options });
  let said = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  return { socket, said: () => said };
}
