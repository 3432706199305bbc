import { expect, onTestFinished, test } from 'vitest';
import { SourceRunner, type SourceSession } from '../../../gateway/ingest/source-runner.ts';
import type { SourceEnd, SourceSink } from '../../../gateway/rtsp/index.ts';
import { AssertionError } from '../../../storage/base/assert.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { unitOf, video } from '../record/fragment-checker.ts';

const lost: SourceEnd = { reason: 'connection-lost', message: 'gone', hint: 'check cables', isRetryable: true };

/** A runner whose sessions the test ends by hand. */
function runnerOf() {
  const clock = new SimulatedClock();
  const attempts: { atMs: number; sink: SourceSink; end: (end: SourceEnd) => void; fail: (error: unknown) => void }[] =
    [];
  const told: string[] = [];
  const open = (): SourceSession => ({
    run: (sink, signal) =>
      new Promise((resolve, reject) => {
        attempts.push({ atMs: clock.monotonicMs(), sink, end: resolve, fail: reject });
        signal.addEventListener('abort', () => resolve({ ...lost, reason: 'shutdown' }));
      }),
  });
  const runner = new SourceRunner({
    ...{ clock, log: silentLog, random: () => 0.5, open },
    target: {
      session: (_, reason) => told.push(`session ${reason}`),
      unit: () => told.push('unit'),
      sessionEnded: (reason) => told.push(`ended ${reason}`),
      abandoned: () => told.push('abandoned'),
      onState: () => {},
    },
  });
  onTestFinished(() => runner.close('shutdown'));
  runner.start({ delayMs: 100, after: Promise.resolve() });
  const last = () => {
    const attempt = attempts.at(-1);
    if (attempt === undefined) throw new Error('no attempt yet');
    return attempt;
  };
  return { runner, clock, attempts, told, last };
}

test('a source goes from idle over connecting to live, and says why it retries', async () => {
  const { runner, clock, last } = runnerOf();

  const idle = runner.status.state;
  await clock.advance(100);
  const connecting = runner.status;
  last().sink.session([video], 'started');
  const live = runner.status;
  last().end(lost);
  await clock.advance(1);

  expect(idle).toBe('idle');
  expect(connecting).toMatchObject({ state: 'connecting', reason: 'connecting' });
  expect(live).toMatchObject({ state: 'live', reason: undefined });
  expect(runner.status).toMatchObject({
    state: 'retrying',
    reason: 'connection-lost',
    message: 'gone',
    hint: 'check cables',
    attempts: 1,
    nextAttemptMs: clock.wallMs() - 1 + 1_000,
  });
});

test('the wait doubles up to half a minute, and a minute of life resets it', async () => {
  const { clock, attempts, last } = runnerOf();
  await clock.advance(100);
  for (let i = 0; i < 7; i++) {
    last().end(lost);
    await clock.advance(30_000);
  }
  const waits = attempts.slice(1).map((attempt, i) => attempt.atMs - (100 + i * 30_000));

  last().sink.session([video], 'started');
  for (let i = 0; i < 61; i++) {
    last().sink.unit(unitOf({ track: video, timeMs: i * 1_000, receivedMs: clock.monotonicMs() }));
    await clock.advance(1_000);
  }
  const endedMs = clock.monotonicMs();
  last().end(lost);
  await clock.advance(30_000);

  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  expect(last().atMs - endedMs).toBe(1_000);
});

test('a wrong password is tried once a minute and less', async () => {
  const { runner, clock, attempts, last } = runnerOf();
  await clock.advance(100);

  last().end({ ...lost, reason: 'unauthorized', isRetryable: false });
  await clock.advance(59_000);
  const before = attempts.length;
  await clock.advance(1_000);

  expect(before).toBe(1);
  expect(attempts).toHaveLength(2);
  expect(runner.status).toMatchObject({ state: 'connecting', reason: 'unauthorized', message: 'gone' });
});

test('a session that neither delivers nor ends is ended from outside', async () => {
  const { runner, clock, attempts } = runnerOf();
  await clock.advance(100);

  for (let i = 0; i < 61; i++) {
    await clock.advance(1_000);
    runner.tick();
  }
  await clock.advance(2_000);

  expect(attempts).toHaveLength(2);
});

test('a mistake of ours ends the session, is told, and the source is tried again', async () => {
  const { runner, clock, attempts, told, last } = runnerOf();
  await clock.advance(100);
  last().sink.session([video], 'started');

  last().fail(new AssertionError('must hold: something'));
  await clock.advance(1);
  const status = runner.status;
  await clock.advance(1_000);

  expect(told).toEqual(['session source-closed', 'abandoned', 'ended source-error']);
  expect(status).toMatchObject({ state: 'retrying', reason: 'source-error' });
  expect(attempts).toHaveLength(2);
});

test('a mistake outside of the session ends it likewise, and is counted', async () => {
  const { runner, clock, attempts, told, last } = runnerOf();
  await clock.advance(100);
  last().sink.session([video], 'started');

  runner.restart(new AssertionError('must hold: something'));
  await clock.advance(1);
  const status = runner.status;
  await clock.advance(1_000);

  expect(told).toEqual(['session source-closed', 'abandoned', 'ended source-error']);
  expect(status).toMatchObject({ state: 'retrying', reason: 'source-error' });
  expect(runner.stats.mistakes).toBe(1);
  expect(attempts).toHaveLength(2);
});

test('closing tells the reason that it was given', async () => {
  const { runner, clock, told, last } = runnerOf();
  await clock.advance(100);
  last().sink.session([video], 'started');

  await runner.close('camera-removed');

  expect(told.at(-1)).toBe('ended camera-removed');
  expect(runner.status).toMatchObject({ state: 'stopped', reason: 'camera-removed' });
});
