/** Bytes of a put are from outside: whatever they are, the recording process lives, and the next import is well. */

import { readFile, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { untilDiskRoom } from '../../../gateway/import/disk-room.ts';
import { importIdOf } from '../../../gateway/import/index.ts';
import { isAppError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { canMount, mountMemory } from '../../kit/disks.ts';
import { runCommand } from '../../kit/run-command.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { storedFiles, streamId } from '../ingest/ingest-kit.ts';
import { atMs, h264, makeFile, picture, setUpImports, tone } from './import-kit.ts';

const dayMs = 86_400_000;

function headOf(run: number) {
  const at = atMs - run * dayMs;
  return {
    kind: 'import',
    ...{ streamId, atMs: at, endMsMax: at + dayMs, done: [], taken: [], onTaken: 'refuse' },
    importId: importIdOf({ streamId, sha256: 'x', atMs: at }),
  };
}

test('a damaged stream ends its own import and nothing else', { timeout: 120_000 }, async () => {
  const kit = await setUpImports();
  const args = [...picture, ...tone, ...h264, '-c:a', 'aac', '-t', '3'];
  const stream = await readFile(await makeFile(join(kit.directory, 'a.mkv'), args));
  let run = 0;
  const send = async (bytes: Uint8Array): Promise<unknown> => {
    const put = await kit.owner.put({ head: headOf(++run), signal: new AbortController().signal });
    try {
      await put.write(bytes);
      return await put.end({ isCut: false });
    } catch (error) {
      put.close();
      if (isAppError(error) && error.code !== 'internal' && error.code !== 'unavailable') return error.code;
      throw error;
    }
  };
  const damage = fc.array(
    fc.record({
      at: fc.integer({ min: 0, max: stream.length - 1 }),
      byte: fc.integer({ min: 0, max: 255 }),
      isNearHead: fc.boolean(),
    }),
    { minLength: 1, maxLength: 8 },
  );

  await fc.assert(
    fc.asyncProperty(damage, fc.integer({ min: 0, max: stream.length }), async (changes, length) => {
      const bytes = Uint8Array.from(stream.subarray(0, length));
      for (const { at, byte, isNearHead } of changes) bytes[isNearHead ? at % 600 : at] = byte;
      await send(bytes);
    }),
    { numRuns: 150 },
  );

  expect(await send(stream)).toMatchObject({ fragments: 3, fault: null });
  expect(kit.log.filter((line) => line.includes('import failed'))).toEqual([]);
});

test('a head that is none is refused, and a second import waits for the first', { timeout: 60_000 }, async () => {
  const kit = await setUpImports();
  const signal = new AbortController().signal;
  const head = headOf(1);

  const bad = await kit.owner.put({ head: { ...head, importId: '../../etc' }, signal });
  const none = await kit.owner.put({ head: { ...head, streamId: 'nobody' }, signal });
  const first = await kit.owner.put({ head, signal });
  await first.write(new Uint8Array(0));
  const second = await kit.owner.put({ head: headOf(2), signal });

  await expect(bad.end({ isCut: false })).rejects.toMatchObject({ code: 'invalid_argument' });
  await expect(none.end({ isCut: false })).rejects.toMatchObject({ code: 'not_found' });
  await expect(second.end({ isCut: false })).rejects.toMatchObject({ code: 'resource_exhausted' });
  first.close();
});

test('a file whose pictures would take all memory is refused before anything decodes them', async () => {
  const kit = await setUpImports();
  const giant = ['-f', 'lavfi', '-i', 'color=black:size=6400x6400:rate=25', '-frames:v', '1', '-c:v', 'png'];
  const path = await makeFile(join(kit.directory, 'giant.mkv'), giant);

  const refused = await kit.bring(path).catch((error: unknown) => error);

  expect(refused).toMatchObject({ code: 'invalid_argument', hint: expect.stringContaining('too large') });
});

test('a file whose blocks are compressed does not become more footage than its size allows', {
  timeout: 120_000,
}, async () => {
  const kit = await setUpImports();
  const inputs = ['testsrc=size=64x64:rate=2', 'anullsrc=r=48000:cl=stereo'].flatMap((each) => [
    '-f',
    'lavfi',
    '-i',
    each,
  ]);
  const coding = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '4', '-c:a', 'pcm_mulaw', '-t', '300'];
  const plain = await makeFile(join(kit.directory, 'plain.mkv'), [...inputs, ...coding]);
  const packed = join(kit.directory, 'packed.mkv');
  const { code } = await runCommand('mkvmerge', ['-q', '-o', packed, '--compression', '1:zlib', plain]);
  expect([code, (await stat(packed)).size * 10 < (await stat(plain)).size]).toEqual([0, true]);

  const status = await kit.bring(packed);

  expect(status).toMatchObject({
    state: 'failed',
    fault: {
      code: 'resource_exhausted',
      message: expect.stringMatching(/^a file of .* may not become more than .* MiB$/),
    },
  });
  const stored = await until('what came in is whole', async () => {
    const files = await storedFiles(kit.paths);
    return files.every(({ path }) => path.startsWith(kit.paths.journalFinished)) && files;
  });
  const storedBytes = stored.flatMap(({ fragments }) => fragments).reduce((sum, { byteLength }) => sum + byteLength, 0);
  expect(storedBytes).toBeLessThan(16 * 2 ** 20 + 5 * status.fileBytes);
});

/** Takes all but so many bytes of a disk. */
async function fillDisk(directory: string, freeBytes: number): Promise<string> {
  const { bavail, bsize } = await statfs(directory);
  const path = join(directory, 'filler');
  await writeFile(path, new Uint8Array(Math.max(0, bavail * bsize - freeBytes)));
  return path;
}

test.skipIf(!canMount)(
  'an import waits while the disk has no room, and goes on when it has',
  { timeout: 60_000 },
  async () => {
    const data = join(await temporaryDirectory(), 'disk');
    await mountMemory(data, 64 * 2 ** 20);
    const kit = await setUpImports({ data });
    const stream = await readFile(await makeFile(join(kit.directory, 'a.mkv'), [...picture, ...h264, '-t', '3']));
    const filler = await fillDisk(data, 512 * 1024);

    const put = await kit.owner.put({ head: headOf(1), signal: new AbortController().signal });
    const begun = put.write(stream.subarray(0, 4_096));
    await until('it waits', () => kit.log.some((line) => line.includes('import waits for room')));
    const whileFull = await storedFiles(kit.paths);
    await rm(filler);
    await begun;
    await put.write(stream.subarray(4_096));
    const result = await put.end({ isCut: false });

    expect(whileFull).toEqual([]);
    expect(result).toMatchObject({ fragments: 3, fault: null });
  },
);

test.skipIf(!canMount)('an import is over when the disk has no room for a minute', async () => {
  const clock = new SimulatedClock();
  const directory = join(await temporaryDirectory(), 'disk');
  await mountMemory(directory, 64 * 2 ** 20);
  await fillDisk(directory, 512 * 1024);
  let outcome: unknown;

  const over = untilDiskRoom({ clock, log: silentLog }, { directory, isOver: () => false }).catch((error: unknown) => {
    outcome = error;
  });
  await until('it is over', async () => {
    await clock.advance(1_000);
    return outcome;
  });
  await over;

  expect(outcome).toMatchObject({ code: 'resource_exhausted', hint: expect.stringContaining('it goes on') });
  expect(clock.monotonicMs()).toBeGreaterThanOrEqual(60_000);
});
