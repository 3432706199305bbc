/**
 * A recording process in small, to be killed: `node writer-child.ts write <root> <seed>` records without end as fast as its
 * memory lets it, and prints the number of each fragment once it is in the file; `node writer-child.ts recover <root>`
 * recovers what the dead left.
 */

import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../storage/base/clock.ts';
import { isAppError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import {
  ByteBudget,
  Durability,
  deadOpenDirectories,
  NumberAllocator,
  openEpoch,
  recoverOpenDirectory,
  SegmentWriter,
} from '../../../storage/journal/index.ts';
import { g711Track } from '../../../storage/media/index.ts';
import { pathsUnder } from '../../../storage/model/paths.ts';

const [mode, root = '', seed = '1'] = process.argv.slice(2);
const paths = pathsUnder(root);

if (mode === 'write') await write(Number(seed));
else await recover();

async function recover(): Promise<void> {
  say('ready');
  for (const { directory } of await deadOpenDirectories(paths)) {
    const options = { directory, finishedDirectory: paths.journalFinished, files: 'all' } as const;
    for (const report of await recoverOpenDirectory({ log: silentLog }, options)) {
      say(`${report.outcome} ${report.bytesCut}`);
    }
  }
}

async function write(randomSeed: number): Promise<void> {
  const stateDirectory = join(paths.state, 'ingest-0');
  const clock = systemClock;
  const { directory, epoch } = await openEpoch({
    stateDirectory,
    journalOpen: paths.journalOpen,
    ingestName: 'ingest-0',
  });
  const random = mulberry32(randomSeed);
  const numbers = new NumberAllocator(
    { clock, log: silentLog, random },
    { directory: join(stateDirectory, 'numbers'), streamId: 'stream-1' },
  );
  await numbers.start();
  const durability = new Durability({ clock, log: silentLog }, { directory: paths.journalOpen, periodMs: 50 });
  await durability.start();
  const tracks = [g711Track(1, { law: 'pcmu', samplingFrequencyHz: 8_000, channels: 1 })];
  const writer = new SegmentWriter(
    {
      clock,
      log: silentLog,
      budget: new ByteBudget(16 * 1024 * 1024),
      durability,
      onHint: (hint) => {
        if (hint.kind === 'committed') say(`${hint.kind} ${hint.fragment.number}`);
        if (hint.kind === 'durable') say(`${hint.kind} ${hint.number}`);
      },
      onFailed: (error, reason) => {
        say(`failed ${reason} ${error.message}`);
        process.exit(1);
      },
    },
    {
      openDirectory: directory,
      finishedDirectory: paths.journalFinished,
      streamId: 'stream-1',
      runId: String(epoch).padStart(32, '0'),
      runReason: 'connecting',
      runStartServerMs: Date.UTC(2026, 0, epoch),
      tracks,
      timecodeScaleNs: 1_000_000,
      segmentOffsetMs: 0,
      durability: random() < 0.5 ? 'shared' : 'each-fragment',
    },
  );
  await writer.start();
  // Ten fragments of 6 s of made-up time fill a segment, so that kills meet every step of finishing one.
  for (let index = 0; ; index++) {
    const mediaTimeMs = index * 6_000;
    const serverTimestampMs = Date.UTC(2026, 0, epoch) + mediaTimeMs;
    writer.begin({
      ...numbers.next(serverTimestampMs),
      serverTimestampMs,
      producerTimestampMs: serverTimestampMs,
      mediaTimeMs,
    });
    const payload = new Uint8Array(Math.floor(random() ** 3 * 1_500_000) + 1).fill(index);
    try {
      const blocks = 1 + Math.floor(random() * 4);
      for (let i = 0; i < blocks; i++) writer.writeBlock(1, i * 20, true, payload);
      if (random() < 0.1) writer.abort();
      else commit(writer, mediaTimeMs, blocks, payload.byteLength);
    } catch (error) {
      if (!isAppError(error, 'resource_exhausted')) throw error;
      writer.abort();
    }
    await clock.sleep(random() * 4);
  }
}

function commit(writer: SegmentWriter, mediaTimeMs: number, blocks: number, payloadBytes: number): void {
  const track = { trackNumber: 1, samples: blocks, payloadBytes: blocks * payloadBytes };
  const span = { beginMediaMs: mediaTimeMs, endMediaMs: mediaTimeMs + 6_000 };
  writer.commit({ durationMs: 6_000, isKey: true, hasLoss: false, tracks: [{ ...track, ...span }] });
}

/** At once, whatever happens to the process afterwards. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

function mulberry32(seedValue: number): () => number {
  let state = seedValue >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
