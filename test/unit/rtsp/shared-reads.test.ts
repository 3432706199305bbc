import { expect, test } from 'vitest';
import { readTurnMs, SharedReads, turnBytesMax, unwatchedTurnMs } from '../../../gateway/rtsp/shared-reads.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';

class Connection {
  resumed = 0;

  resume(): void {
    this.resumed++;
  }
}

function setUp() {
  const clock = new SimulatedClock();
  const reads = new SharedReads({ clock }, { turnMs: () => readTurnMs });
  return { clock, reads };
}

const piece = 256 * 1024;
const bytesMax = turnBytesMax(readTurnMs);
/** Reads as long as it may; returns the bytes. */
function flood(reads: SharedReads, connection: Connection, isUrgent: boolean): number {
  let bytes = piece;
  while (bytes < 100 * bytesMax && reads.goesOn(connection, piece, { isUrgent })) bytes += piece;
  return bytes;
}

test.each([true, false])('a camera that floods waits for its next turn (answer awaited: %s)', async (isUrgent) => {
  const { clock, reads } = setUp();
  const connection = new Connection();

  expect(flood(reads, connection, isUrgent)).toBeLessThanOrEqual(bytesMax + piece);
  expect(connection.resumed).toBe(0);
  await clock.advance(readTurnMs);
  expect(connection.resumed).toBe(1);
  expect(flood(reads, connection, isUrgent)).toBeLessThanOrEqual(bytesMax + piece);
});

test('a little is read on at once only while an answer is awaited', async () => {
  const { clock, reads } = setUp();
  const [playing, asking] = [new Connection(), new Connection()];

  expect(reads.goesOn(playing, 1_000, { isUrgent: false })).toBe(false);
  expect(reads.goesOn(asking, 1_000, { isUrgent: true })).toBe(true);
  await clock.advance(readTurnMs);
  expect([playing.resumed, asking.resumed]).toEqual([1, 0]);
});

test('while nobody watches turns are longer, and the first that somebody does is short again', async () => {
  let turnMs = unwatchedTurnMs;
  const clock = new SimulatedClock();
  const reads = new SharedReads({ clock }, { turnMs: () => turnMs });
  const connection = new Connection();

  reads.goesOn(connection, 1_000, { isUrgent: false });
  await clock.advance(readTurnMs);
  expect(connection.resumed).toBe(0);
  await clock.advance(unwatchedTurnMs - readTurnMs);
  expect(connection.resumed).toBe(1);

  turnMs = readTurnMs;
  reads.goesOn(connection, 1_000, { isUrgent: false });
  await clock.advance(readTurnMs);
  expect(connection.resumed).toBe(2);
});
