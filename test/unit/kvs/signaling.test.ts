import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { channelArn, type KvsCall, signalingOperations } from '../../../gateway/kvs/index.ts';
import { iceServers } from '../../../gateway/kvs/signaling/turn-credentials.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { openTestCatalog } from '../catalog/kit.ts';

test('TURN credentials are an expiry and a name, signed as a TURN server with the secret does', () => {
  const [server] = iceServers(
    { uris: ['turn:turn.example.org'], ttlS: 300, secret: 'north' },
    { who: 'k3x9', nowMs: 1_700_000_000_999 },
  );

  expect(server).toEqual({
    uris: ['turn:turn.example.org'],
    ttlS: 300,
    username: '1700000300:k3x9',
    password: createHmac('sha1', 'north').update('1700000300:k3x9').digest('base64'),
  });
});

test('a hundred offers wait at most; one whose client is gone makes room at once', async () => {
  const { catalog } = await openTestCatalog();
  const site = { region: 'us-east-1', accountId: '000000000000' };
  const channel = catalog.tables.channels.create({ name: 'gate', messageTtlS: 5, tags: {} }, 1);
  const clock = new SimulatedClock();
  const operations = signalingOperations({ clock, turnServers: async () => undefined });
  const offer = async (signal: AbortSignal) => {
    const call = {
      input: { ChannelARN: channelArn(site, channel), SenderClientId: 'alexa', MessagePayload: 'b2ZmZXI=' },
      ...{ site, signal, tables: catalog.tables, may: () => true },
    } as unknown as KvsCall;
    return operations.get('/v1/send-alexa-offer-to-master')?.run(call);
  };
  const gone = new AbortController();
  const { signal } = new AbortController();
  const waiting = [offer(gone.signal), ...Array.from({ length: 99 }, () => offer(signal))];

  await expect(offer(signal)).rejects.toMatchObject({ context: { awsName: 'ClientLimitExceededException' } });
  gone.abort();
  await waiting[0];
  waiting.push(offer(signal));
  await clock.advance(5_000);

  expect(await Promise.all(waiting)).toEqual(Array.from({ length: 101 }, () => ({})));
});
