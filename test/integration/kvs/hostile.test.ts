/** Clients that send too much, too little, or leave: over TLS, byte by byte. */

import { once } from 'node:events';
import { connect } from 'node:tls';
import { DescribeStreamCommand, ListStreamsCommand } from '@aws-sdk/client-kinesis-video';
import { expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { everything, sdkAt, startKvsSite } from './kit.ts';

/** A head whose signature could be one: of today, by nobody. */
function head(contentLength: number): string {
  const at = new Date(Date.now()).toISOString().replace(/[-:]|\.\d{3}/g, '');
  const scope = `WEIRAAAAAAAAAAAAAAAA/${at.slice(0, 8)}/us-east-1/kinesisvideo/aws4_request`;
  return [
    'POST /listStreams HTTP/1.1',
    'host: localhost',
    `x-amz-date: ${at}`,
    `content-length: ${contentLength}`,
    `authorization: AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host;x-amz-date, Signature=${'0'.repeat(64)}`,
    '',
    '',
  ].join('\r\n');
}

async function open(site: { readonly port: number; readonly ca: string }) {
  const socket = connect({ port: site.port, host: 'localhost', ca: site.ca });
  await once(socket, 'secureConnect');
  let said = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  socket.on('error', () => {});
  return { socket, said: () => said };
}

test('a body beyond the bound is refused, and its connection ends', async () => {
  const { site } = await startKvsSite();
  const { socket, said } = await open(site);

  socket.write(head(10_000_000));
  socket.write('x'.repeat(100_000));

  await until('it is refused', () => said().includes('the body is too large'));
  expect(said()).toMatch(/^HTTP\/1\.1 400 .*connection: close\r\n.*x-amzn-ErrorType: InvalidArgumentException/is);
  socket.destroy();
});

test('a client that leaves in the middle of its body is no fault of ours, and the next one is served', async () => {
  const { site, sdk } = await startKvsSite();
  const { socket } = await open(site);

  socket.write(head(1_000));
  socket.write('x');
  socket.destroy();

  await until('it is noted', () => site.transcript.some((line) => line.includes('kvs request')));
  expect(site.transcript.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  expect((await sdk().send(new ListStreamsCommand({}))).StreamInfoList).toHaveLength(2);
});

test('(32) two requests of an unknown key are refused one after the other, and the connection goes on', async () => {
  const { site } = await startKvsSite();
  const { socket, said } = await open(site);

  socket.write(`${head(2)}{}${head(2)}{}`);

  await until('both are answered', () => said().split('UnrecognizedClientException').length === 3);
  expect(said()).not.toContain('connection: close');
  socket.destroy();
});

test('(109) a key that may do nothing with a stream uses up nothing of what others may ask for', async () => {
  const { site, admin, sdk } = await startKvsSite([everything], { kvsQuotaFactor: 0.2 });
  const yard = { effect: 'allow', actions: ['kinesisvideo:*'], resources: ['arn:aws:kinesisvideo:*:*:stream/yard/*'] };
  await admin.post('/api/policies', { name: 'yard', statements: [yard] });
  const made = (await admin.post('/api/access-keys', { name: 'gardener', policies: ['yard'] })).json;
  const stranger = sdkAt(site, { accessKeyId: made.accessKey.id, secretAccessKey: made.secretAccessKey });
  const [front] = (await sdk().send(new ListStreamsCommand({}))).StreamInfoList ?? [];
  const StreamName = front?.StreamName;

  const asked = Array.from({ length: 10 }, () => stranger.send(new DescribeStreamCommand({ StreamName })));
  const refused = await Promise.allSettled(asked);

  for (const outcome of refused) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'AccessDeniedException' } });
  }
  expect((await sdk().send(new DescribeStreamCommand({ StreamName }))).StreamInfo?.StreamName).toBe(StreamName);
});
