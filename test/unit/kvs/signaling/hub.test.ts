/** Who gets which message, and how connections end. Numbers are those of the checklist. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PeerStanding } from '../../../../gateway/kvs/signaling/connection.ts';
import { appError } from '../../../../storage/base/errors.ts';
import { base64, gate, noting, startHub } from './kit.ts';

const payload = base64('{"type":"offer","sdp":"v=0"}');
const offer = { action: 'SDP_OFFER', messagePayload: payload };
const answerTo = (recipientClientId: string) => ({ action: 'SDP_ANSWER', messagePayload: payload, recipientClientId });
const isLimit = { context: { awsName: 'ClientLimitExceededException' } };

test('a viewer writes to the master whatever it says, a master to the viewer that it names', () => {
  const { connect } = startHub();
  const master = connect('master');
  const viewer = connect('viewer', 'v1');
  const other = connect('viewer', 'v2');

  viewer.say({ ...offer, recipientClientId: 'v2' });
  master.say(answerTo('v1'));

  expect(master.sent).toEqual([{ messageType: 'SDP_OFFER', messagePayload: payload, senderClientId: 'v1' }]);
  expect(viewer.texts).toEqual([`{"messageType":"SDP_ANSWER","messagePayload":"${payload}"}`]);
  expect(other.sent).toEqual([]);
});

test('channels know nothing of each other', () => {
  const { connect } = startHub();
  const yard = { ...gate, id: 'channel2', name: 'yard' };
  const master = connect('master');
  const viewer = connect('viewer', 'v1', { channel: yard });

  viewer.say(offer);
  master.say(answerTo('v1'));

  expect([...master.sent, ...viewer.sent]).toEqual([]);
});

test('(97) a new master and a viewer of the same id replace the old ones, whose sockets are closed', () => {
  const { connect } = startHub();
  const [oldMaster, oldViewer] = [connect('master'), connect('viewer', 'v1')];
  const [master, viewer] = [connect('master'), connect('viewer', 'v1')];

  viewer.say(offer);
  master.say(answerTo('v1'));
  oldMaster.say(answerTo('v1'));

  expect([oldMaster.closed?.code, oldViewer.closed?.code]).toEqual([4409, 4409]);
  expect([master.sent.length, viewer.sent.length]).toEqual([1, 1]);
  expect([...oldMaster.sent, ...oldViewer.sent]).toEqual([]);
});

test('(97) the eleventh viewer is ClientLimitExceeded, as is a fourth connection in a second; one of the same id is not one more', async () => {
  const { connect, clock } = startHub({ quotaFactor: 1 });
  const connectLater = async (clientId: string) => {
    await clock.advance(1_000);
    return connect('viewer', clientId);
  };
  for (let i = 0; i < 10; i++) (await connectLater(`v${i}`)).hear();

  await expect(connectLater('v10')).rejects.toMatchObject(isLimit);
  await connectLater('v0');
  connect('viewer', 'v0');
  connect('viewer', 'v0');
  expect(() => connect('viewer', 'v0')).toThrow(expect.objectContaining(isLimit));
});

test('(98) a message waits for its time, and goes out in order when its recipient comes', async () => {
  const { connect, clock } = startHub();
  const viewer = connect('viewer', 'v1');
  viewer.say(offer);
  await clock.advance(30_000);
  viewer.hear();
  viewer.say({ action: 'ICE_CANDIDATE', messagePayload: base64('{"candidate":"1"}') });
  await clock.advance(29_000);

  const master = connect('master');

  expect(master.sent.map(({ messageType }) => messageType)).toEqual(['SDP_OFFER', 'ICE_CANDIDATE']);
  expect(connect('master').sent).toEqual([]);
});

test('(98) a message whose time is over is not delivered', async () => {
  const { connect, clock } = startHub();
  const short = { ...gate, messageTtlMs: 5_000 };
  const master = connect('master', '', { channel: short });
  master.say(answerTo('v1'));
  await clock.advance(5_000);

  expect(connect('viewer', 'v1', { channel: short }).sent).toEqual([]);
});

test('(98) an error is told where there is a correlation id, with its status in text, and only then', () => {
  const { connect } = startHub();
  const master = connect('master');

  master.say({ action: 'SDP_ANSWER', messagePayload: payload });
  master.say({ action: 'SDP_ANSWER', messagePayload: payload, correlationId: '42' });

  expect(master.sent).toEqual([
    {
      messageType: 'STATUS_RESPONSE',
      statusResponse: {
        ...{ correlationId: '42', errorType: 'InvalidArgumentException', statusCode: '400' },
        description: expect.stringContaining('recipientClientId'),
      },
    },
  ]);
});

test('(99) what is too long, no base64 or no action is told, and the connection goes on', () => {
  const { connect } = startHub();
  const viewer = connect('viewer', 'v1');

  viewer.say({ ...offer, messagePayload: base64('x'.repeat(10_300)), correlationId: 'long' });
  viewer.say({ ...offer, messagePayload: '?', correlationId: 'no-base64' });
  viewer.say({ ...offer, action: 'HELLO', correlationId: 'no-action' });
  viewer.connection.onText('garbage');
  viewer.say(offer);

  expect(viewer.sent.map(({ statusResponse }) => [statusResponse?.correlationId, statusResponse?.statusCode])).toEqual([
    ['long', '400'],
    ['no-base64', '400'],
    ['no-action', '400'],
  ]);
  expect(viewer.closed).toBeUndefined();
  expect(connect('master').sent).toHaveLength(1);
});

test('what finds no room to wait is told to its sender, and nothing that waits is lost', () => {
  const { connect } = startHub({ quotaFactor: 0 });
  const [viewer, other] = [connect('viewer', 'v1'), connect('viewer', 'v2')];
  for (let i = 0; i < 128; i++) viewer.say(offer);

  viewer.say({ ...offer, correlationId: 'one-more' });
  other.say(offer);

  expect(viewer.sent).toMatchObject([{ statusResponse: { errorType: 'ClientLimitExceededException' } }]);
  expect(connect('master').sent).toHaveLength(129);
});

test('all that waits in a channel is bounded, and room comes back with time', async () => {
  const { connect, clock } = startHub({ quotaFactor: 0 });
  const master = connect('master');
  const big = base64('x'.repeat(10_000));
  for (let i = 0; i < 1_000; i++) master.say({ ...answerTo(`v${i}`), messagePayload: big, correlationId: `c${i}` });
  const refused = master.sent.length;
  await clock.advance(30_000);
  master.hear();
  await clock.advance(30_000);
  master.say({ ...answerTo('late'), correlationId: 'late' });

  expect(refused).toBeGreaterThan(500);
  expect(master.sent.filter(({ statusResponse }) => statusResponse?.correlationId === 'late')).toEqual([]);
  expect(connect('viewer', 'late').sent).toHaveLength(1);
});

test('(109) messages beyond the quota are ClientLimitExceeded, candidates by a quota of their own', async () => {
  const { connect, clock } = startHub({ quotaFactor: 1 });
  const master = connect('master');
  const viewer = connect('viewer', 'v1');
  for (let i = 0; i < 6; i++) viewer.say({ ...offer, correlationId: `o${i}` });
  for (let i = 0; i < 21; i++) viewer.say({ ...offer, action: 'ICE_CANDIDATE', correlationId: `c${i}` });

  const refused = viewer.sent.map(({ statusResponse }) => statusResponse?.correlationId);
  await clock.advance(1_000);
  viewer.say(offer);

  expect(refused).toEqual(['o5', 'c20']);
  expect(viewer.sent).toHaveLength(2);
  expect(master.sent).toHaveLength(5 + 20 + 1);
});

test('(100) GO_AWAY comes a minute before the hour is over, and then the end', async () => {
  const { connect, clock } = startHub();
  const master = connect('master');
  const pass = async (minutes: number) => {
    for (let i = 0; i < minutes * 4; i++) {
      await clock.advance(15_000);
      master.hear();
      if (i % 20 === 0) master.say(answerTo('v1'));
    }
  };

  await pass(58);
  const before = [...master.sent];
  await pass(1.5);
  const told = [...master.sent];
  await pass(1);

  expect(before).toEqual([]);
  expect(told).toEqual([{ messageType: 'GO_AWAY' }]);
  expect(master.closed).toEqual({ code: 1001, reason: 'an hour is over' });
});

test('(100) ten minutes without a message end a connection, however often it pings', async () => {
  const { connect, clock } = startHub();
  const viewer = connect('viewer', 'v1');
  for (let i = 0; i < 59; i++) {
    await clock.advance(10_000);
    viewer.hear();
  }
  expect(viewer.closed).toBeUndefined();

  await clock.advance(10_000);

  expect(viewer.closed).toEqual({ code: 1000, reason: 'idle' });
});

test('(100) a silent peer is pinged, and given up when it does not answer', async () => {
  const { connect, clock, hub } = startHub();
  const [dead, alive] = [connect('viewer', 'dead'), connect('viewer', 'alive')];
  await clock.advance(20_000);
  expect([dead.pings, alive.pings]).toEqual([1, 1]);
  alive.hear();

  await clock.advance(30_000);

  expect([dead.isTerminated, alive.isTerminated]).toEqual([true, false]);
  expect(hub.size).toBe(1);
});

test('a peer that does not read is given up, and what it was to get waits for its next connection', () => {
  const { connect } = startHub();
  const viewer = connect('viewer', 'v1');
  viewer.bufferedAmount = 2_000_000;

  connect('master').say(answerTo('v1'));

  expect(viewer.isTerminated).toBe(true);
  expect(connect('viewer', 'v1').sent).toHaveLength(1);
});

test('what is said to a peer whose closing handshake has begun waits for its next connection', () => {
  const { connect } = startHub();
  const viewer = connect('viewer', 'v1');
  viewer.isOpen = false;

  connect('master').say(answerTo('v1'));
  viewer.connection.onClosed();

  expect(viewer.sent).toEqual([]);
  expect(connect('viewer', 'v1').sent).toHaveLength(1);
});

test('a peer that sends without end, or binary, is ended, and given up when it does not answer our last frame', async () => {
  const { connect, clock } = startHub({ quotaFactor: 0 });
  const [flood, binary] = [connect('viewer', 'v1'), connect('viewer', 'v2')];
  for (let i = 0; i < 6_001; i++) flood.connection.onText('x');
  binary.connection.onBinary();

  flood.connection.onClosed();
  await clock.advance(1_000);

  expect([flood.closed?.code, binary.closed?.code]).toEqual([1008, 1003]);
  expect([flood.isTerminated, binary.isTerminated]).toEqual([false, true]);
});

test('a peer that may no longer be there is told to go away within ten seconds, or half a second after a change that we know of', async () => {
  const { connect, clock, hub } = startHub();
  const now: { standing: PeerStanding } = { standing: { kind: 'admitted', channel: gate } };
  const look = () => now.standing;
  const [revoked, gone, stored] = ['v1', 'v2', 'v3'].map((id) => connect('viewer', id, { look }));
  const ends = () => [revoked, gone, stored].map((peer) => peer?.closed?.code);
  now.standing = { kind: 'denied' };
  await clock.advance(10_000);
  expect(ends()).toEqual([4403, 4403, 4403]);

  now.standing = { kind: 'channel-gone' };
  const next = connect('viewer', 'v4', { look });
  hub.refresh();
  await clock.advance(500);
  now.standing = { kind: 'admitted', channel: { ...gate, streamId: 'stream1' } };
  const last = connect('viewer', 'v5', { look });
  hub.refresh();
  await clock.advance(500);

  expect([next.closed?.code, last.closed?.code]).toEqual([4404, 1001]);
  expect(revoked?.sent).toEqual([{ messageType: 'GO_AWAY' }]);
});

test('after a change all peers are looked at, a few at a time', async () => {
  const { connect, clock, hub } = startHub({ quotaFactor: 0 });
  let looks = 0;
  const look = (): PeerStanding => {
    looks++;
    return { kind: 'admitted', channel: gate };
  };
  for (let i = 0; i < 20; i++) connect('viewer', `v${i}`, { look });

  for (let i = 0; i < 5; i++) hub.refresh();
  await clock.advance(500);
  const first = looks;
  await clock.advance(200);

  expect([first, looks]).toEqual([8, 20]);
});

test('a peer that cannot be looked at just now stays', async () => {
  const { connect, clock } = startHub();
  const viewer = connect('viewer', 'v1', {
    look: () => {
      throw new Error('database is locked');
    },
  });

  await clock.advance(10_000);

  expect(viewer.closed).toBeUndefined();
});

test('closing tells everybody to go away, waits for their sockets and then no longer', async () => {
  const { connect, clock, hub } = startHub();
  const [polite, rude] = [connect('master'), connect('viewer', 'v1')];

  const closing = hub.close();
  polite.connection.onClosed();
  await clock.advance(2_000);
  await closing;

  expect(polite.sent).toEqual([{ messageType: 'GO_AWAY' }]);
  expect([polite.closed?.code, polite.isTerminated, rude.isTerminated]).toEqual([1001, false, true]);
  expect(() => connect('master')).toThrow(expect.objectContaining({ code: 'unavailable' }));
});

test('places are for all keys: one never has them all', () => {
  const { connect } = startHub({ quotaFactor: 0 });
  for (let i = 0; i < 250; i++) connect('viewer', `v${i}`, { channel: { ...gate, id: `c${i}` } });

  expect(() => connect('viewer', 'v', { channel: { ...gate, id: 'other' } })).toThrow(expect.objectContaining(isLimit));
  connect('viewer', 'v', { accountable: 'another key' });
});

test('every message is noted for who sent it and for who got it, and counted', async () => {
  const { connect, notes, registry } = startHub();
  const master = connect('master');
  const viewer = connect('viewer', 'v1');
  viewer.say(offer);
  master.say({ action: 'SDP_ANSWER', messagePayload: payload });
  viewer.connection.onClosed();

  const metrics = await registry.metrics();

  expect(notes.map(({ direction }) => direction)).toEqual(['in', 'out', 'in']);
  const about = (operation: string) => `{operation="${operation}",signaling_channel_name="gate"}`;
  expect(metrics).toContain(`aws_kinesisvideo_failure_sum${about('SendSdpOffer')} 0\n`);
  expect(metrics).toContain(`aws_kinesisvideo_failure_sum${about('SendSdpAnswer')} 1\n`);
  expect(metrics).toContain(`aws_kinesisvideo_failure_count${about('Disconnect')} 1\n`);
  expect(metrics).toContain(`aws_kinesisvideo_latency_count${about('SendSdpOffer')} 1\n`);
  expect(metrics).toContain('aws_kinesisvideo_messages_transferred_count_sum{signaling_channel_name="gate"} 1\n');
});

const stored = { ...gate, streamId: 'stream1' };

test('(105) of a channel that stores its media nothing goes from peer to peer: all of it is for the storage session', async () => {
  const { storage, heard } = noting();
  const { connect } = startHub({ storage });
  const [master, viewer] = [connect('master', '', { channel: stored }), connect('viewer', 'v1', { channel: stored })];

  viewer.say(offer);
  viewer.say({ action: 'ICE_CANDIDATE', messagePayload: base64('{"candidate":"c","sdpMid":"0"}') });
  master.say({ action: 'SDP_ANSWER', messagePayload: base64('{"type":"answer","sdp":"a"}'), recipientClientId: 'v1' });
  master.say({ ...offer, correlationId: 'c' });
  await Promise.resolve();

  expect(heard).toEqual([
    ['offer', 'v=0'],
    ['candidate', { candidate: 'c', sdpMid: '0' }],
    ['answer', 'a'],
  ]);
  expect(viewer.sent).toEqual([]);
  await expect.poll(() => master.sent).toMatchObject([{ statusResponse: { correlationId: 'c', statusCode: '400' } }]);
});

test('a storage session offers without a sender, and what it refuses is told by a message', async () => {
  const { storage, heard } = noting();
  const refusing = {
    ...storage,
    answer: async () => {
      throw Object.assign(new Error('of ours'));
    },
    offer: async () => {
      throw appError('failed_precondition', 'join the storage session instead');
    },
  };
  const { connect, hub } = startHub({ storage: refusing });
  const viewer = connect('viewer', 'v1', { channel: stored });

  await hub.join(stored, { role: 'viewer', clientId: 'v1' });
  viewer.say({ ...offer, correlationId: 'offer' });
  viewer.say({ action: 'SDP_ANSWER', messagePayload: base64('{"type":"answer","sdp":"a"}'), correlationId: 'answer' });
  await expect.poll(() => viewer.sent.length).toBe(4);
  viewer.connection.onClosed();

  const [first, second, ...status] = viewer.sent;
  expect(first).toEqual({ messageType: 'SDP_OFFER', messagePayload: base64('{"type":"offer","sdp":"an offer"}') });
  expect(second).toEqual({ messageType: 'ICE_CANDIDATE', messagePayload: base64('{"candidate":"candidate:1"}') });
  expect(status.map(({ statusResponse }) => statusResponse)).toMatchObject([
    { correlationId: 'offer', errorType: 'InvalidArgumentException', statusCode: '400' },
    { correlationId: 'answer', errorType: 'InternalFailureException', description: 'something went wrong inside' },
  ]);
  expect(heard).toEqual([
    ['join', 'viewer', 'v1'],
    ['left', 'gone'],
  ]);
});

test('joining needs a channel that stores, a connection of that role, and storage sessions', async () => {
  const { storage } = noting();
  const { connect, hub } = startHub({ storage });
  const invalid = expect.objectContaining({ context: { awsName: 'InvalidArgumentException' } });
  connect('viewer', 'v1', { channel: stored });

  await expect(hub.join(gate, { role: 'master', clientId: '' })).rejects.toThrow(invalid);
  await expect(hub.join(stored, { role: 'master', clientId: '' })).rejects.toThrow(invalid);
  await expect(hub.join(stored, { role: 'viewer', clientId: 'v2' })).rejects.toThrow(invalid);
  await expect(startHub().hub.join(stored, { role: 'master', clientId: '' })).rejects.toMatchObject({
    code: 'unavailable',
  });
});

test('whatever peers do in whatever order, nobody gets what is not theirs, and nothing is left when all are gone', async () => {
  const role = fc.constantFrom('master', 'v1', 'v2');
  const step = fc.oneof(
    fc.record({ kind: fc.constant('connect' as const), role }),
    fc.record({ kind: fc.constant('leave' as const), role }),
    fc.record({ kind: fc.constant('say' as const), role, to: fc.constantFrom('v1', 'v2', 'v3', '') }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 70_000 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { connect, clock, hub } = startHub({ quotaFactor: 0 });
      const open = new Map<string, ReturnType<typeof connect>>();
      const all: [string, ReturnType<typeof connect>][] = [];
      for (const each of steps) {
        if (each.kind === 'wait') await clock.advance(each.ms);
        else if (each.kind === 'connect') {
          const peer = each.role === 'master' ? connect('master') : connect('viewer', each.role);
          open.set(each.role, peer);
          all.push([each.role, peer]);
        } else if (each.kind === 'leave') open.get(each.role)?.connection.onClosed();
        else open.get(each.role)?.say({ ...answerTo(each.to), messagePayload: base64(`${each.role} ${each.to}`) });
      }
      for (const [name, { sent }] of all) {
        for (const { messagePayload = '', messageType } of sent) {
          if (messageType === 'GO_AWAY') continue;
          const [from, to] = Buffer.from(messagePayload, 'base64').toString().split(' ');
          if (name === 'master') expect(from).toMatch(/^v/);
          else expect([from, to]).toEqual(['master', name]);
        }
      }
      for (const [, peer] of all) peer.connection.onClosed();
      await clock.advance(200_000);
      expect(hub.size).toBe(0);
      await hub.close();
    }),
    { numRuns: 60 },
  );
});

test('who asks over HTTP does not get what is for a viewer that is connected', async () => {
  const { hub, connect } = startHub();
  const master = connect('master');
  const viewer = connect('viewer', 'phone');
  const { signal } = new AbortController();

  const asked = hub.ask(gate, { clientId: 'phone', payload: base64('mine'), signal });

  await expect(asked).rejects.toMatchObject({ code: 'invalid_argument' });
  expect(master.sent).toEqual([]);
  master.say({ action: 'SDP_ANSWER', messagePayload: base64('for the phone'), recipientClientId: 'phone' });
  expect(viewer.sent).toHaveLength(1);
});
