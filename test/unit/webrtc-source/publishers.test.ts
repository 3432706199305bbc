import { expect, test } from 'vitest';
import type { SourceEnd } from '../../../gateway/rtsp/index.ts';
import { MediaWriter, WhipDoor, WhipSession } from '../../../gateway/webrtc-source/index.ts';
import { whipLimits } from '../../../gateway/webrtc-source/limits.ts';
import { silentLog } from '../../../storage/base/log.ts';
import type { IncomingPut } from '../../../storage/lane/index.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { unitOf, video } from './kit.ts';

const streamId = 'booth';
const source = { kind: 'whip', keySha256: 'a'.repeat(64) } as const;

function opened() {
  const clock = new SimulatedClock();
  const door = new WhipDoor({ clock, log: silentLog });
  /** A publisher: what it was answered, and its put. */
  const publish = (peer = 'one', facts: { readonly keySha256?: string } = {}) => {
    const answers: unknown[] = [];
    const put: IncomingPut = door.begin(
      { kind: 'whip', streamId, peer, ...facts },
      {
        event: (event) => answers.push(event) > 0,
        done: () => answers.push('done'),
        failed: ({ code }) => answers.push(code),
      },
    );
    const writer = new MediaWriter();
    const head = writer.session([video], 'started');
    let pictures = 0;
    /** One more picture. */
    const send = () => {
      if (pictures === 0) put.bytes(head);
      put.bytes(writer.unit(unitOf(1, 33 * pictures++, { isKey: true })));
    };
    return { answers, put, send };
  };
  /** The stream's runner: sessions one after the other, as long as it is wanted. */
  const wanted = new AbortController();
  const ended: SourceEnd[] = [];
  const told: string[] = [];
  let units = 0;
  const run = async () => {
    while (!wanted.signal.aborted) {
      const session = new WhipSession({ clock, log: silentLog, door }, { streamId, source });
      const sink = {
        session: (_tracks: unknown, reason: string) => told.push(`session ${reason}`),
        unit: () => units++,
        loss: () => {},
        clock: () => {},
        waiting: ({ reason }: Pick<SourceEnd, 'reason'>) => told.push(`waiting ${reason}`),
      };
      ended.push(await session.run(sink, wanted.signal));
    }
  };
  return { clock, door, publish, run, wanted, ended, told, units: () => units };
}

test('a stream waits for its publisher, takes it at once, and waits again when it ends its stream', async () => {
  const { clock, publish, run, wanted, ended, told, units } = opened();
  const running = run();
  const { answers, put, send } = publish();

  send();
  put.end({ isCut: false });
  await clock.advance(10);
  wanted.abort();
  await running;

  expect(answers).toEqual([{ kind: 'accepted' }, 'done']);
  expect(units()).toBe(1);
  expect(told).toEqual(['waiting no-publisher', 'session started', 'waiting no-publisher']);
  expect(ended.map(({ reason }) => reason)).toEqual(['source-closed', 'shutdown']);
});

test.each([
  ['broke', (put: IncomingPut) => put.end({ isCut: true }), 'connection to the publisher broke'],
  ['fell with our own process', (put: IncomingPut) => put.lost(), 'takes publishers ended'],
])('a connection that %s is told from a stream that ended', async (_how, leave, words) => {
  const { clock, publish, run, wanted, ended } = opened();
  const running = run();
  const { put, send } = publish();

  send();
  leave(put);
  await clock.advance(10);
  wanted.abort();
  await running;

  expect(ended[0]).toMatchObject({ reason: 'connection-lost', message: expect.stringContaining(words) });
});

test('a second publisher is refused after a while if the first goes on sending', async () => {
  const { clock, publish, run, wanted } = opened();
  const running = run();
  const first = publish('first');
  const second = publish('second');

  for (let ms = 0; ms < whipLimits.claimWaitMs; ms += 500) {
    first.send();
    await clock.advance(500);
    if (ms < whipLimits.claimWaitMs - 500) expect(second.answers).toEqual([]);
  }
  await clock.advance(600);
  wanted.abort();
  await running;

  expect(second.answers).toEqual(['already_exists']);
  expect(first.answers).toEqual([{ kind: 'accepted' }, 'unavailable']);
});

test('a publisher whose stream begins anew just now is told to come again, not that there is another', async () => {
  const { clock, publish } = opened();
  const { answers } = publish();

  await clock.advance(whipLimits.claimWaitMs + 10);

  expect(answers).toEqual(['unavailable']);
});

test('a second publisher takes over from one that is silent, and from one that ends meanwhile', async () => {
  const { clock, publish, run, wanted, ended } = opened();
  const running = run();
  const first = publish('first');
  await clock.advance(whipLimits.claimWaitMs);
  const second = publish('second');
  await clock.advance(10);
  second.send();
  const third = publish('third');
  second.put.end({ isCut: false });
  await clock.advance(10);
  wanted.abort();
  await running;

  expect(first.answers).toEqual([{ kind: 'accepted' }, 'already_exists']);
  expect(second.answers).toEqual([{ kind: 'accepted' }, 'done']);
  expect(third.answers[0]).toEqual({ kind: 'accepted' });
  expect(ended[0]).toMatchObject({ reason: 'connection-lost', message: expect.stringContaining('took over') });
});

test('of two that wait the newer one stays', async () => {
  const { publish, run, wanted } = opened();
  const running = run();
  const first = publish('first');
  first.send();
  const second = publish('second');
  const third = publish('third');

  expect(second.answers).toEqual(['already_exists']);
  expect(third.answers).toEqual([]);
  third.put.lost();
  wanted.abort();
  await running;
});

test('a stream key that was replaced is refused, also when that happened while its publisher waited', async () => {
  const { publish, run, wanted } = opened();
  const early = publish('early', { keySha256: 'b'.repeat(64) });
  const running = run();
  const late = publish('late', { keySha256: 'b'.repeat(64) });
  const right = publish('right', { keySha256: source.keySha256 });
  wanted.abort();
  await running;

  expect([early.answers, late.answers]).toEqual([['permission_denied'], ['permission_denied']]);
  expect(right.answers[0]).toEqual({ kind: 'accepted' });
});

test('there are as many publishers as there may be', () => {
  const { door, publish } = opened();
  const nobody = { event: () => true, done: () => {}, failed: () => {} };

  for (let i = 0; i < whipLimits.publishersMax; i++) door.begin({ kind: 'whip', streamId: `s${i}`, peer: '' }, nobody);

  expect(() => publish()).toThrow(/too many publishers/);
});

test('media before the permission, and media that is none, end a publisher', async () => {
  const { publish, run, wanted, clock, ended } = opened();
  const eager = publish('eager');
  eager.put.bytes(Uint8Array.of(1, 2, 3));
  const running = run();
  const foreign = publish('foreign');
  foreign.put.bytes(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9));
  await clock.advance(10);
  wanted.abort();
  await running;

  expect(eager.answers).toEqual(['invalid_argument']);
  expect(foreign.answers).toEqual([{ kind: 'accepted' }, 'failed_precondition']);
  expect(ended[0]).toMatchObject({ reason: 'protocol-error' });
});
