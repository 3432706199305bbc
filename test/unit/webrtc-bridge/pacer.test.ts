import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Pacer } from '../../../gateway/webrtc/bridge/pacer.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';

const options = { bytesPerMs: 1_000, burstBytes: 3_000, pieceMs: 2, queuedBytesMax: 50_000 };

/** Packets of these sizes in interleaved frames, each filled with its number. */
function burstOf(sizes: readonly number[], firstNumber = 0): Uint8Array {
  const frames = sizes.map((size, at) =>
    Buffer.concat([Buffer.of(0x24, 0, size >> 8, size & 0xff), Buffer.alloc(size, firstNumber + at)]),
  );
  return new Uint8Array(Buffer.concat(frames));
}

function pacerOf() {
  const clock = new SimulatedClock();
  const sent: { readonly atMs: number; readonly number: number; readonly bytes: number }[] = [];
  const socket = { isBlocked: false };
  const pacer = new Pacer(
    {
      clock,
      send: (packet) => sent.push({ atMs: clock.monotonicMs(), number: packet[0] ?? -1, bytes: packet.length }),
      isBlocked: () => socket.isBlocked,
    },
    options,
  );
  return { clock, pacer, sent, socket };
}

test('what fits into the allowance leaves in the very call', () => {
  const { pacer, sent } = pacerOf();

  pacer.push(burstOf([1_000, 1_000]));

  expect(sent.map(({ number }) => number)).toEqual([0, 1]);
  expect(pacer.queuedBytes).toBe(0);
});

test('a large burst goes in pieces at the pace, and what comes meanwhile follows it', async () => {
  const { clock, pacer, sent } = pacerOf();

  pacer.push(burstOf(new Array(20).fill(996)));
  pacer.push(burstOf([996], 20));
  await clock.advance(30);

  expect(sent.map(({ number }) => number)).toEqual(Array.from({ length: 21 }, (_, at) => at));
  expect(sent.filter(({ atMs }) => atMs === 0)).toHaveLength(3);
  expect(sent.at(-1)?.atMs).toBe(18);
  expect(pacer.queuedBytes).toBe(0);
});

test('while the socket takes nothing everything waits, and what is too much is not taken', async () => {
  const { clock, pacer, sent, socket } = pacerOf();
  socket.isBlocked = true;

  const taken = Array.from({ length: 60 }, (_, at) => pacer.push(burstOf([996], at)));
  await clock.advance(100);

  expect(sent).toEqual([]);
  expect(taken.filter((isTaken) => isTaken)).toHaveLength(50);
  expect(pacer.queuedBytes).toBe(50_000);
  socket.isBlocked = false;
  await clock.advance(100);
  expect(sent.map(({ number }) => number)).toEqual(Array.from({ length: 50 }, (_, at) => at));
});

test('whatever the sizes, nothing is lost, doubled or out of order, and closing forgets what waits', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 1_200 }), { minLength: 1, maxLength: 30 }), async (sizes) => {
      const { clock, pacer, sent } = pacerOf();
      for (const [at, size] of sizes.entries()) pacer.push(burstOf([size], at));
      await clock.advance(200);
      expect(sent.map(({ number, bytes }) => [number, bytes])).toEqual(sizes.map((size, at) => [at, size]));

      pacer.push(burstOf(new Array(20).fill(900)));
      pacer.close();
      const before = sent.length;
      await clock.advance(100);
      expect([sent.length, pacer.queuedBytes]).toEqual([before, 0]);
    }),
    { numRuns: 30 },
  );
});
