import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import {
  type Ack,
  PutMediaCounters,
  PutMediaReceiver,
  putMediaLimits,
  putMediaQuotasDefault,
  type ReceiverDeps,
  Turns,
} from '../../../gateway/put-media/index.ts';
import { parsePutMediaEvent } from '../../../gateway/put-media/messages.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { ByteBudget, Durability, readSegment, scanSegment, systemFiles } from '../../../storage/journal/index.ts';
import { fragmentNumber } from '../../../storage/model/fragment-number.ts';
import { pathsUnder } from '../../../storage/model/paths.ts';
import { cluster, endOfFragment, footage, fragment, h264, head, pictures } from '../../kit/producer-media.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';

type Options = Partial<ReceiverDeps> & { readonly isRing?: boolean; readonly takesEvents?: () => boolean };

async function startReceiver(options: Options = {}) {
  const root = await temporaryDirectory();
  const clock = new SimulatedClock();
  const paths = pathsUnder(root);
  const told: Ack[] = [];
  const results: unknown[] = [];
  const failed: string[] = [];
  let counter = 0;
  const { takesEvents = () => true, isRing = false, ...deps } = options;
  const counters = new PutMediaCounters();
  const budget = new ByteBudget(putMediaLimits.bytesMax);
  const heldBudget = new ByteBudget(putMediaLimits.heldBytesMax);
  const durability = new Durability(
    { clock, log: silentLog, syncFileSystem: () => Promise.resolve() },
    { directory: root, periodMs: 100 },
  );
  const receiver = new PutMediaReceiver(
    {
      ...{ clock, log: silentLog, budget, heldBudget, turns: new Turns({ clock }), counters },
      answers: {
        event: (value) => {
          if (!takesEvents()) return false;
          const event = parsePutMediaEvent(JSON.parse(JSON.stringify(value)));
          if (event.kind === 'told') told.push(...event.acks);
          return true;
        },
        done: (result) => results.push(result),
        failed: () => expect.fail('it answers by an acknowledgement'),
      },
      numbers: { next: (ms) => ({ number: fragmentNumber(++counter, ms, 1), counter }) },
      hasNumbersAhead: () => true,
      places: {
        pick: () => ({
          ...{ root, isPlaceExpected: false, durability },
          openDirectory: join(paths.journalOpen, 'ingest-0.1'),
          finishedDirectory: paths.journalFinished,
        }),
        failed: (_, reason) => failed.push(reason),
        succeeded: () => {},
      },
      onHint: () => {},
      createRunId: () => randomBytes(16).toString('hex'),
      hasRetention: () => !isRing,
      live: { begin: () => {}, frame: () => {} },
      isNewerThere: () => false,
      isContinued: false,
      ...{ onOver: () => {}, onClosed: () => {} },
      ...deps,
    },
    {
      head: {
        ...{ kind: 'put-media', streamId: 's1', requestId: 'r1', timecodes: 'absolute' },
        ...{ producerStartMs: 0, wantsAcks: true },
      },
      ...{ quotas: putMediaQuotasDefault, isRing },
    },
  );
  onTestFinished(async () => {
    const closing = receiver.close('shutdown');
    for (let i = 0; i < 50 && results.length === 0; i++) await clock.advance(1_000);
    void closing;
  });
  const kinds = () => told.map((ack) => (ack.kind === 'error' ? ack.error : ack.kind));
  const passes = async (ms: number) => {
    for (let at = 0; at < ms; at += 500) {
      await clock.advance(500);
      receiver.tick();
    }
  };
  const untilTold = (kind: string, count = 1) =>
    until(`${count} of ${kind}, told: ${kinds()}`, async () => {
      await clock.advance(10);
      return kinds().filter((each) => each === kind).length >= count;
    });
  return { receiver, clock, told, kinds, passes, untilTold, results, failed, counters, budget, heldBudget, paths };
}

const [first, second] = footage({ beginTimecode: 1_000, fragments: 2 });
if (first === undefined || second === undefined) throw new Error('two fragments');
const one = Buffer.concat([head(), fragment(first)]);

test('a number is given and told with the first bytes of a cluster', async () => {
  const { receiver, kinds, untilTold } = await startReceiver();

  receiver.bytes(one.subarray(0, head().length + 12));
  const early = kinds();
  receiver.bytes(one.subarray(head().length + 12, head().length + 29));
  await untilTold('buffering');

  expect(early).toEqual([]);
  expect(kinds()).toEqual(['buffering']);
});

test.each<[what: string, body: Uint8Array, isContinued: boolean, error: string]>([
  ['a block', fragment(first).subarray(12 + 10), true, 'read-error'],
  ['the rest of a frame', fragment(first).subarray(60), true, 'read-error'],
  ['a cluster, whatever was before', fragment(first), false, 'read-error'],
  ['no matroska where nothing broke', Buffer.from('no matroska at all'), false, 'invalid-matroska'],
])('a body that begins with %s', async (_, body, isContinued, error) => {
  const { receiver, kinds, untilTold } = await startReceiver({ isContinued });

  receiver.bytes(body);
  await untilTold(error);

  expect(kinds()).toEqual([error]);
});

test('what is wrong after a head is wrong, though the connection before broke', async () => {
  const { receiver, kinds, untilTold } = await startReceiver({ isContinued: true });

  receiver.bytes(Buffer.concat([one, head()]));
  await untilTold('invalid-matroska');

  expect(kinds().at(-1)).toBe('invalid-matroska');
});

test('(43) silence is told every ten seconds, and ends the connection after thirty', async () => {
  const { receiver, kinds, passes, untilTold, results } = await startReceiver();
  receiver.bytes(Buffer.concat([one, endOfFragment]));
  await untilTold('persisted');

  await passes(29_000);
  const before = { kinds: kinds().slice(3), results: results.length };
  await passes(1_500);
  await until('it is over', async () => {
    await passes(500);
    return results.length === 1;
  });

  expect(before).toEqual({ kinds: ['idle', 'idle'], results: 0 });
  expect(kinds().slice(3)).toEqual(['idle', 'idle']);
});

test('(43) an open fragment without bytes is taken back after thirty seconds, and named to be sent again', async () => {
  const { receiver, told, passes, results, counters } = await startReceiver();
  receiver.bytes(one);

  await passes(31_000);
  await until('it is over', async () => {
    await passes(500);
    return results.length === 1;
  });

  expect(told.at(-1)).toMatchObject({ kind: 'error', error: 'read-error', timecodeMs: 1_000 });
  expect(counters.snapshot()).toMatchObject({ storedFragments: 0, failedFragments: 1, errorAcks: 1 });
});

test('beside a newer connection an open fragment waits five seconds', async () => {
  const { receiver, told, passes, results } = await startReceiver({ isNewerThere: () => true });
  receiver.bytes(one);

  await passes(4_500);
  const before = results.length;
  await passes(1_500);
  await until('it is over', async () => {
    await passes(500);
    return results.length === 1;
  });

  expect(before).toBe(0);
  expect(told.at(-1)).toMatchObject({ kind: 'error', error: 'read-error', timecodeMs: 1_000 });
});

test('beside a newer connection a fragment whose bytes trickle in is open for a minute', async () => {
  const { receiver, told, passes, results } = await startReceiver({ isNewerThere: () => true });
  const slow = cluster(pictures({ timecode: 1_000, firstId: 1, count: 100, bytes: 1_000 }));
  receiver.bytes(head());
  const trickle = async (fromMs: number, toMs: number) => {
    for (let ms = fromMs; ms < toMs; ms += 1_000) {
      receiver.bytes(slow.subarray(ms, ms + 1_000));
      await passes(1_000);
    }
  };

  await trickle(0, 58_000);
  const before = results.length;
  await trickle(58_000, 80_000);

  expect(results).toHaveLength(1);
  expect(before).toBe(0);
  expect(told.at(-1)).toMatchObject({ kind: 'error', error: 'read-error', timecodeMs: 1_000 });
});

test('a whole fragment is stored although nobody says what comes next', async () => {
  const { receiver, kinds, untilTold } = await startReceiver();
  const sized = cluster(pictures({ timecode: 5, firstId: 1, isSized: true }));

  receiver.bytes(Buffer.concat([head(), sized]));
  await untilTold('persisted');

  expect(kinds()).toEqual(['buffering', 'received', 'persisted']);
});

test('a whole fragment is stored although what follows it is endless', async () => {
  const { receiver, clock, kinds } = await startReceiver();
  const sized = cluster(pictures({ timecode: 5, firstId: 1, isSized: true }));
  const endless = Buffer.from('ec0100000010000000', 'hex');

  receiver.bytes(Buffer.concat([head(), sized, endless]));
  for (let ms = 0; ms < 3_000; ms += 100) {
    receiver.bytes(Uint8Array.of(0));
    await clock.advance(100);
  }
  await until('it is stored', () => {
    receiver.bytes(Uint8Array.of(0));
    return kinds().includes('persisted');
  });

  expect(kinds()).toEqual(['buffering', 'received', 'persisted']);
});

test('a disk that does not confirm is waited for, then told as such, and nothing is acknowledged', async () => {
  const hanging = new Promise<void>(() => {});
  const { receiver, kinds, told, passes, results, failed } = await startReceiver({
    files: { ...systemFiles, sync: () => hanging },
  });
  receiver.bytes(Buffer.concat([one, fragment(second)]));
  await passes(20_000);
  receiver.bytes(cluster(pictures({ timecode: 9_000, firstId: 90 })));
  const before = kinds();

  await passes(11_000);
  await until('it is over', async () => {
    await passes(500);
    return results.length === 1;
  });

  expect(before).not.toContain('persisted');
  expect(told.at(-1)).toMatchObject({ kind: 'error', error: 'not-persisted', timecodeMs: 1_000 });
  expect(kinds()).not.toContain('persisted');
  expect(failed).toEqual(['disk-stalled']);
});

test('a disk that is behind stops the reading, in bounded memory', async () => {
  let release = () => {};
  const hanging = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { receiver, clock, budget, untilTold } = await startReceiver({
    files: { ...systemFiles, sync: () => hanging },
  });
  receiver.bytes(
    Buffer.concat([
      head(),
      cluster(pictures({ timecode: 0, firstId: 1 })),
      cluster(pictures({ timecode: 300, firstId: 1 })),
    ]),
  );
  let busy: Promise<void> | undefined;
  let at = 0;
  const next = cluster(pictures({ timecode: 600, firstId: 1, count: 20, bytes: 1_000_000 }));
  for (; at < next.length && busy === undefined; at += 65_536) busy = receiver.bytes(next.subarray(at, at + 65_536));
  const [readBytes, heldBytes] = [at, budget.used];
  release();
  await until('it is read on', async () => {
    await clock.advance(50);
    return budget.used < 1_000_000;
  });
  await busy;

  expect(readBytes).toBeLessThan(12_000_000);
  expect(heldBytes).toBeLessThan(12_000_000);
  await untilTold('persisted', 2);
});

test('a write that fails is told, and what was stored before stays acknowledged', async () => {
  let writes = 0;
  const { receiver, told, kinds, untilTold, failed } = await startReceiver({
    files: {
      ...systemFiles,
      write: (...args) =>
        ++writes > 2
          ? Promise.reject(Object.assign(new Error('no room'), { code: 'ENOSPC' }))
          : systemFiles.write(...args),
    },
  });
  receiver.bytes(Buffer.concat([one, endOfFragment]));
  await untilTold('persisted');

  receiver.bytes(Buffer.concat([fragment(second), endOfFragment]));
  await untilTold('not-persisted');

  expect(kinds()).toEqual(['buffering', 'received', 'persisted', 'buffering', 'received', 'not-persisted']);
  expect(told.at(-1)).toMatchObject({ timecodeMs: second.timecode });
  expect(failed).toEqual(['disk-full']);
});

test("a mistake of ours in writing a producer's bytes keeps no camera from the disk", async () => {
  const { receiver, kinds, untilTold, failed } = await startReceiver({
    files: { ...systemFiles, write: () => Promise.reject(new RangeError('a mistake')) },
  });

  receiver.bytes(Buffer.concat([one, endOfFragment]));
  await untilTold('internal');

  expect(kinds()).toEqual(['buffering', 'received', 'internal']);
  expect(failed).toEqual([]);
});

test('after a step of the clock nothing is told before what came before it is on the disk', async () => {
  const firstSynced = Promise.withResolvers<void>();
  let isFirst = true;
  const { receiver, clock, told, kinds, untilTold } = await startReceiver({
    files: {
      ...systemFiles,
      sync: (descriptor) => {
        const wait = isFirst ? firstSynced.promise : Promise.resolve();
        isFirst = false;
        return wait.then(() => systemFiles.sync(descriptor));
      },
    },
    onHint: (hint) => {
      if (hint.kind === 'durable') durable.push(hint.number);
    },
  });
  const durable: string[] = [];
  receiver.bytes(Buffer.concat([one, endOfFragment]));
  await until('the earlier one waits for the disk', async () => {
    await clock.advance(10);
    return !isFirst;
  });
  clock.stepWall(-3_600_000);
  receiver.bytes(Buffer.concat([fragment(second), endOfFragment]));
  await until('the later one is on the disk', async () => {
    await clock.advance(10);
    return durable.length === 1;
  });
  const before = kinds();
  firstSynced.resolve();
  await untilTold('persisted', 2);

  expect(before).toEqual(['buffering', 'received', 'buffering', 'received']);
  expect(told.flatMap((ack) => (ack.kind === 'persisted' ? [ack.timecodeMs] : []))).toEqual([
    first.timecode,
    second.timecode,
  ]);
});

test('server time goes on from the clock as it was set', async () => {
  const { receiver, clock, untilTold, paths } = await startReceiver();
  receiver.bytes(Buffer.concat([one, endOfFragment]));
  await untilTold('persisted');
  const beginMs = clock.wallMs();
  clock.stepWall(-3_600_000);
  receiver.bytes(Buffer.concat([fragment(second), endOfFragment]));
  await untilTold('persisted', 2);

  const directory = join(paths.journalOpen, 'ingest-0.1', 's1');
  const files = await Promise.all((await readdir(directory)).map((name) => scanSegment(join(directory, name))));
  const times = files.flatMap(({ fragments }) => fragments.map(({ serverTimestampMs }) => serverTimestampMs)).sort();
  expect(times[0]).toBeLessThan(beginMs - 3_500_000);
});

test('the latest timecode that there can be is stored, and its file is finished', async () => {
  let isClosed = false;
  const { receiver, clock, kinds, untilTold, paths, failed } = await startReceiver({
    onClosed: () => {
      isClosed = true;
    },
  });
  const latest = cluster(pictures({ timecode: Number.MAX_SAFE_INTEGER, firstId: 1 }));

  receiver.bytes(Buffer.concat([head([h264], { timecodeScaleNs: 1 }), latest, endOfFragment]));
  await untilTold('persisted');
  receiver.end({ isCut: false });
  await until('its files are finished', async () => {
    await clock.advance(100);
    return isClosed;
  });

  const [name = ''] = await readdir(join(paths.journalFinished, 's1')).catch(() => []);
  expect(failed).toEqual([]);
  expect(kinds()).toEqual(['buffering', 'received', 'persisted']);
  expect((await readSegment(join(paths.journalFinished, 's1', name))).fragments).toHaveLength(1);
});

test('acknowledgements wait in order for a producer that does not read', async () => {
  let takes = false;
  const { receiver, clock, kinds } = await startReceiver({ takesEvents: () => takes });
  receiver.bytes(Buffer.concat([one, fragment(second), endOfFragment]));
  await clock.advance(1_000);
  const before = kinds();

  takes = true;
  await until('all are told', async () => {
    receiver.tick();
    await clock.advance(10);
    return kinds().length === 6;
  });

  expect(before).toEqual([]);
  expect(kinds().filter((kind) => kind === 'persisted')).toHaveLength(2);
});

test('beginnings of huge frames have a bound that all producers share, and usual ones need none of it', async () => {
  const heldBudget = new ByteBudget(2_000_000);
  const huge = await startReceiver({ heldBudget });
  const usual = await startReceiver({ heldBudget });
  const frame = cluster(pictures({ timecode: 0, firstId: 1, count: 1, bytes: 10_000_000 }));
  huge.receiver.bytes(head());
  for (let at = 0; at < 4_000_000; at += 65_536) huge.receiver.bytes(frame.subarray(at, at + 65_536));
  usual.receiver.bytes(Buffer.concat([one, endOfFragment]));
  await huge.untilTold('internal');
  await usual.untilTold('persisted');

  expect(heldBudget.used).toBe(0);
});

test('all media of producers together take half of the time', async () => {
  const clock = new SimulatedClock();
  const turns = new Turns({ clock });
  let ms = 0;
  const busy = { monotonicMs: () => ms } as SimulatedClock;
  const own = new Turns({ clock: busy });

  const pauses = Array.from({ length: 20 }, () => {
    const pauseMs = own.work(() => {
      ms += 4;
    });
    ms += pauseMs;
    return pauseMs;
  });

  expect(turns.work(() => {})).toBe(0);
  expect(pauses.slice(0, 2)).toEqual([0, 0]);
  const spentMs = 20 * 4;
  expect(ms).toBeGreaterThanOrEqual(2 * spentMs - 2 * 10 - 8);
});

test('a connection that breaks leaves what was whole, and nothing of what was not', async () => {
  const { receiver, clock, untilTold, paths, results } = await startReceiver();
  receiver.bytes(Buffer.concat([one, fragment(second)]));
  await untilTold('persisted');

  receiver.lost();
  await until('it is over', async () => {
    await clock.advance(100);
    return results.length === 1;
  });

  const name = await until('its file is finished', async () => {
    await clock.advance(100);
    return (await readdir(join(paths.journalFinished, 's1')).catch(() => []))[0];
  });
  const { fragments } = await scanSegment(join(paths.journalFinished, 's1', name));
  expect(fragments.map(({ mediaTimeMs }) => mediaTimeMs)).toEqual([1_000]);
});

test('(44) whatever bytes come, the journal holds exactly what was told to be persisted, as it came', async () => {
  const clusters = footage({ beginTimecode: 1_000, fragments: 4 }).map((each, i) =>
    cluster({ ...each, isSized: i === 1, isGrouped: i === 2 }),
  );
  const plain = Buffer.concat([head(), ...clusters, endOfFragment]);
  const edits = fc.array(fc.tuple(fc.integer({ min: head().length, max: plain.length - 1 }), fc.nat(255)), {
    maxLength: 3,
  });
  await fc.assert(
    fc.asyncProperty(edits, fc.nat(plain.length), async (changes, cut) => {
      const bytes = Buffer.from(plain);
      for (const [index, value] of changes) bytes[index] = value;
      let isClosed = false;
      const { receiver, clock, told, paths } = await startReceiver({
        onClosed: () => {
          isClosed = true;
        },
      });
      receiver.bytes(bytes.subarray(0, cut));
      receiver.bytes(bytes.subarray(cut));
      receiver.end({ isCut: false });
      await until('its files are finished', async () => {
        await clock.advance(100);
        return isClosed;
      });
      const directory = join(paths.journalFinished, 's1');
      const persisted = told.flatMap((ack) => (ack.kind === 'persisted' ? [ack.number] : []));
      const names = await readdir(directory).catch(() => []);
      const numbers: string[] = [];
      for (const name of names.sort()) {
        const file = await readFile(join(directory, name));
        for (const { number, offset, byteLength } of (await scanSegment(join(directory, name))).fragments) {
          numbers.push(number);
          expect(bytes.includes(file.subarray(offset, offset + byteLength))).toBe(true);
        }
      }
      expect(numbers).toEqual(persisted);
    }),
    { numRuns: 40 },
  );
});
