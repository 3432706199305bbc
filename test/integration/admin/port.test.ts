import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { expect, test } from 'vitest';
import { parseRequestHead } from '../../../appliance/admin/request-head.ts';
import { until } from '../../kit/until.ts';
import { startSite, type TestSite } from './kit.ts';

/** Everything a socket says until it ends. */
async function allOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  if (!socket.closed) await once(socket, 'close');
  return Buffer.concat(chunks).toString();
}

async function openTls(site: TestSite, options: { readonly ALPNProtocols?: string[] } = {}) {
  const socket = tlsConnect({ host: '127.0.0.1', port: site.port, ca: site.ca, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

test('a request whose head and body come byte by byte is answered as if it came at once', async () => {
  const site = await startSite();
  const socket = await openTls(site);
  const body = JSON.stringify({ name: 'admin', password: site.firstAdmin?.password });
  const text = `POST /api/session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`;
  const answer = allOf(socket);

  for (const character of text) socket.write(character);

  expect(await answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
});

test('a head with a large body behind it loses and reorders nothing', async () => {
  const site = await startSite({ isPlainAllowed: true });
  const admin = await site.admin();
  const statements = Array.from({ length: 90 }, (_, at) => ({
    effect: 'allow',
    actions: [`cameras:${'a'.repeat(200)}${at}`],
    resources: [`camera/${'b'.repeat(200)}${at}`],
  }));

  for (let round = 0; round < 20; round++) {
    const stored = await admin.put('/api/policies/large', { statements });
    expect([stored.status, stored.json.statements?.length]).toEqual([200, 90]);
    expect(stored.json.statements[89]).toEqual(statements[89]);
  }
});

test('several requests share one connection, pipelined too', async () => {
  const site = await startSite();
  const socket = await openTls(site);
  const answer = allOf(socket);

  socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');

  expect((await answer).match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
});

test('only HTTP/1.1 is spoken', async () => {
  const site = await startSite();

  const both = await openTls(site, { ALPNProtocols: ['h2', 'http/1.1'] });

  expect(both.alpnProtocol).toBe('http/1.1');
  both.destroy();
  await expect(openTls(site, { ALPNProtocols: ['h2'] })).rejects.toMatchObject({
    code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
  });
});

test('plain HTTP is served on loopback', async () => {
  const site = await startSite();
  const socket = connect(site.port, '127.0.0.1');

  socket.end('GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');

  expect(await allOf(socket)).toContain('{"status":"alive"}');
});

test('a cookie of a plain connection is none of an encrypted one', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const plainGet = (cookie: string) =>
    new Promise<number | undefined>((resolve) => {
      const options = { host: '127.0.0.1', port: site.port, path: '/api/session', agent: false, headers: { cookie } };
      httpRequest(options, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).end();
    });

  expect(await plainGet(admin.cookie ?? '')).toBe(401);
});

const outerAddress = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .find((address) => address.family === 'IPv4' && !address.internal)?.address;

test.runIf(outerAddress !== undefined)('plain HTTP from another address is sent to https', async () => {
  const site = await startSite({ host: '0.0.0.0' });
  const ask = async (head: string) => {
    const socket = connect(site.port, outerAddress ?? '');
    socket.write(head);
    return allOf(socket);
  };

  const moved = await ask('GET /camera?x=1 HTTP/1.1\r\nhost: cams.example:80\r\n\r\n');
  const forged = await ask('GET /\\evil HTTP/1.1\r\nhost: evil.example/@x\r\n\r\n');

  expect(moved).toMatch(/^HTTP\/1\.1 308 /);
  expect(moved).toContain(`location: https://cams.example:${site.port}/camera?x=1\r\n`);
  expect(forged).toMatch(/^HTTP\/1\.1 400 /);
});

test.runIf(outerAddress !== undefined)(
  'an address that begins TLS again and again is turned away, others are answered, and it is itself soon after',
  { timeout: 60_000 },
  async () => {
    const site = await startSite({ host: '0.0.0.0' });
    const isRefused = () => site.transcript.some((line) => line.includes('too many begin tls'));
    const beginTls = async () => {
      const socket = connect(site.port, outerAddress ?? '');
      socket.end('\x16\x03\x01');
      await allOf(socket);
    };

    await until('it is turned away', async () => {
      await Promise.all(Array.from({ length: 16 }, beginTls));
      return isRefused();
    });
    const other = await site.client().get('/healthz');

    expect(other.status).toBe(200);
    await until('it is let in again', async () => {
      const socket = tlsConnect({ host: outerAddress, port: site.port, rejectUnauthorized: false });
      socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
      return (await allOf(socket)).startsWith('HTTP/1.1 200 ');
    });
  },
);

test('a raw route gets its connection byte for byte, before any HTTP server', async () => {
  const taken: { head: string; bytes: string }[] = [];
  const site = await startSite({
    rawRoutes: [
      {
        matches: (head) => head.method === 'POST' && head.path === '/putMedia',
        take: (socket, head) => {
          socket.on('data', (chunk: Buffer) => {
            taken.push({ head: head.headers.get('x-amzn-stream-name') ?? '', bytes: chunk.toString('latin1') });
            socket.end('raw answer');
          });
        },
      },
    ],
  });
  const socket = await openTls(site);
  const bytes = 'POST /putMedia HTTP/1.1\r\nx-amzn-stream-name: door\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc';

  socket.write(bytes);

  expect(await allOf(socket)).toBe('raw answer');
  expect(taken).toEqual([{ head: 'door', bytes }]);
});

test('who says nothing, or only a part of a head, is sent away in time, and others never wait for them', async () => {
  const site = await startSite();
  const silent = Array.from({ length: 40 }, () => connect(site.port, '127.0.0.1'));
  const slow = await openTls(site);
  slow.write('GET /healthz HTTP/1.1\r\nhost:');

  const other = await site.client().get('/healthz');
  const answers = await Promise.all([allOf(slow), ...silent.map(allOf)]);

  expect(other.status).toBe(200);
  expect(answers[0]).toMatch(/^HTTP\/1\.1 408 /);
});

test('addresses that take all places of those who have said nothing yet do not keep another one out', async () => {
  const site = await startSite();
  const silent = Array.from({ length: 256 }, (_, index) =>
    connect({ host: '127.0.0.1', port: site.port, localAddress: `127.0.0.${2 + (index % 8)}` }),
  );
  await Promise.all(silent.map((socket) => once(socket, 'connect')));

  const { status } = await site.client().get('/healthz');

  expect(status).toBe(200);
  for (const socket of silent) socket.destroy();
});

test('a later head or body that does not come is not waited for', async () => {
  const site = await startSite();
  const head = await openTls(site);

  head.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
  head.write('GET /healthz HTTP/1.1\r\nhost: ');
  const text = await allOf(head);

  expect(text).toMatch(/^HTTP\/1\.1 200 OK/);
  expect(text).toContain('HTTP/1.1 408 ');
});

test('a head without end is cut off', async () => {
  const site = await startSite();
  const socket = await openTls(site);
  const answer = allOf(socket);

  socket.write(`GET / HTTP/1.1\r\nx: ${'a'.repeat(20_000)}`);

  expect(await answer).toMatch(/^HTTP\/1\.1 431 /);
});

test('bodies that are too large, of another type, or no JSON are refused in our words', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const send = async (raw: string, type = 'application/json') =>
    admin.send('POST', '/api/cameras', {
      raw,
      headers: { 'content-type': type, 'content-length': String(Buffer.byteLength(raw)) },
    });

  const answers = [
    await send(JSON.stringify({ name: 'x'.repeat(70_000) })),
    await send('<camera/>', 'application/xml'),
    await send('name=x', 'text/plain'),
    await send('name=x', 'application/x-www-form-urlencoded'),
    await send('{"name": '),
    await send('{"name":"a","__proto__":{"isAdmin":true}}'),
  ];

  expect(answers.map((answer) => answer.status)).toEqual([413, 415, 415, 415, 400, 400]);
  for (const answer of answers) {
    expect(answer.json.error).toMatchObject({ code: 'invalid_argument', requestId: answer.headers['x-request-id'] });
  }
});

test('paths that no route could have are refused in our words too', async () => {
  const site = await startSite();
  const admin = await site.admin();

  const answers = [
    await admin.get('/api/streams/%zz'),
    await admin.get(`/api/streams/${'a'.repeat(300)}`),
    await admin.get('/api/streams/aaaaaaaaaa/nothing'),
    await admin.send('PROPFIND', '/api/cameras'),
    await admin.send('OPTIONS', '/api/cameras', { headers: { origin: 'https://evil.example' } }),
  ];

  expect(answers.map((answer) => answer.status)).toEqual([400, 414, 404, 404, 404]);
  for (const answer of answers) expect(answer.json.error.requestId).toBeTruthy();
  expect(answers[4]?.headers['access-control-allow-origin']).toBeUndefined();
});

test('what is no HTTP gets one line and the door', async () => {
  const site = await startSite();
  const socket = await openTls(site);

  socket.write('\x05\x01\x00garbage\r\n\r\n');

  expect(await allOf(socket)).toMatch(/^HTTP\/1\.1 400 /);
});

test('whoever may open the local socket acts as admin, and closing takes the socket away', async () => {
  const site = await startSite();
  const status = () =>
    new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      const options = { socketPath: join(site.paths.run, 'serve.sock'), path: '/api/session', agent: false };
      httpRequest(options, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on('end', () => resolve({ status: response.statusCode, text }));
      })
        .on('error', reject)
        .end();
    });

  const { status: code, text } = await status();
  await site.close();

  expect(code).toBe(200);
  expect(JSON.parse(text).subject).toMatchObject({ kind: 'local', role: 'admin' });
  await expect(status()).rejects.toThrow();
});

test('closing lets answers on their way end and leaves nothing open', async () => {
  const site = await startSite();
  const idle = await openTls(site);
  const silent = connect(site.port, '127.0.0.1');
  await once(silent, 'connect');
  idle.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(idle, 'data');

  await site.close();

  await until('both connections ended', () => idle.destroyed && silent.destroyed);
});

test('heads are read whatever the line ends and cases', () => {
  const parse = (text: string) => parseRequestHead(Buffer.from(text));

  expect(parse('GET /a?b=c HTTP/1.1\nHost: x\n\n')).toMatchObject({ method: 'GET', path: '/a', target: '/a?b=c' });
  expect(parse('GET / HTTP/1.1\r\nX-A: 1\r\nx-a: 2\r\n\r\n')?.headers.get('x-a')).toBe('1');
  expect(parse('GET / HTTP/1.1\r\nX-A: 1\r\n')).toBeUndefined();
  expect(parse('nonsense\r\n\r\n')).toMatchObject({ method: '', path: '' });
});
