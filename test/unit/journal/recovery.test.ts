import { appendFile, copyFile, mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { must } from '../../../storage/base/assert.ts';
import { silentLog } from '../../../storage/base/log.ts';
import {
  type RecoverOptions,
  readSegment,
  recoverOpenDirectory,
  scanSegment,
  verifySegment,
} from '../../../storage/journal/index.ts';
import { commitBytes } from '../../../storage/journal/segment-file.ts';
import { type Fragment, fragmentEndMs } from '../../../storage/model/fragment.ts';
import { fragmentNumber } from '../../../storage/model/fragment-number.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { runStartServerMs, startWriter, streamId, type TestWriterOptions, writeFragment } from './kit.ts';

/** A finished file of `count` fragments, put back without its table into an open directory as a crash would leave it. */
async function tornFile(count: number, sizes: readonly number[] = [160, 2_000], options: TestWriterOptions = {}) {
  const root = await temporaryDirectory();
  const { writer, finished, openDirectory, finishedDirectory } = await startWriter(root, options);
  for (let counter = 1; counter <= count; counter++) writeFragment(writer, counter, sizes);
  await writer.end('shutdown');
  const [source = ''] = finished();
  const path = join(openDirectory, streamId, basename(source));
  const { fragments, committedBytes } = await scanSegment(source);
  await copyFile(source, path);
  await truncate(path, committedBytes);
  const recover = (changes: Partial<RecoverOptions> = {}) =>
    recoverOpenDirectory(
      { log: silentLog },
      { directory: openDirectory, finishedDirectory: join(root, 'recovered'), files: 'all', ...changes },
    );
  return { root, source, path, fragments, committedBytes, openDirectory, finishedDirectory, recover };
}

const range = (fragment: Fragment | undefined) => ({
  begin: fragment?.offset ?? 0,
  end: (fragment?.offset ?? 0) + (fragment?.byteLength ?? 0),
});

test('a torn tail is cut off, said, and the file is the one its writer would have finished', async () => {
  const { source, path, committedBytes, fragments, recover, openDirectory } = await tornFile(3);
  await appendFile(path, (await readFile(source)).subarray(range(fragments[0]).begin, range(fragments[0]).end));

  const [report] = await recover();

  expect(report).toMatchObject({
    outcome: 'finished',
    fragments: 3,
    bytesCut: range(fragments[0]).end - range(fragments[0]).begin,
  });
  expect(report?.lastNumber).toBe(fragments[2]?.number);
  expect(report?.torn?.beginMs).toBe(runStartServerMs + 6_000);
  expect(await readFile(report?.finishedPath ?? '')).toEqual(await readFile(source));
  expect(committedBytes).toBeGreaterThan(0);
  await expect(readdir(openDirectory)).rejects.toThrow('ENOENT');
});

test('a file cut at any byte keeps exactly the fragments whose commit record is whole', async () => {
  const { source, path, committedBytes, fragments, recover, root } = await tornFile(4, [50, 90]);
  const whole = await readFile(source);
  const ends = [...fragments.slice(1).map((fragment) => fragment.offset), committedBytes];

  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: whole.byteLength - 1 }), async (cut) => {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, whole.subarray(0, cut));

      const [report] = await recover();

      const expected = ends.filter((end) => end <= cut).length;
      expect(report?.fragments).toBe(expected);
      expect(report?.outcome).toBe(expected === 0 ? 'removed' : 'finished');
      if (expected > 0) {
        const segment = await readSegment(report?.finishedPath ?? '');
        expect(segment.fragments).toEqual(fragments.slice(0, expected));
        expect(await verifySegment(report?.finishedPath ?? '')).toEqual({ damaged: [], isDigestWrong: false });
      }
      expect(await readdir(join(root, 'open'))).toEqual([]);
    }),
    { numRuns: 150 },
  );
});

test('a file that only lacks its rename is moved as it is', async () => {
  const { source, path, recover } = await tornFile(3);
  await copyFile(source, path);

  const [report] = await recover();

  expect(report).toMatchObject({ outcome: 'finished', fragments: 3, bytesCut: 0, torn: undefined });
  expect(await readFile(report?.finishedPath ?? '')).toEqual(await readFile(source));
});

test('a finished file whose head changed gets a table that fits it, so that it is not recovered for ever', async () => {
  const { source, path, recover } = await tornFile(2);
  await copyFile(source, path);
  await flip(path, (await readFile(path)).indexOf('Weir'));

  const [report] = await recover();

  expect((await readSegment(report?.finishedPath ?? '')).fragments).toHaveLength(2);
});

test('the last fragments are compared with their hashes, and damaged ones are cut off', async () => {
  const { path, fragments, recover } = await tornFile(4);
  await flip(path, range(fragments[3]).end - 5);
  await flip(path, range(fragments[2]).end - 5);

  const [report] = await recover();

  expect(report).toMatchObject({ fragments: 2, lastNumber: fragments[1]?.number });
  expect(report?.bytesCut).toBeGreaterThan(4_000);
});

test('fragments behind bytes that cannot be walked are kept', async () => {
  const { path, fragments, recover } = await tornFile(6);
  const bytes = await readFile(path);
  bytes.fill(0, range(fragments[1]).begin, range(fragments[2]).begin + 100);
  await writeFile(path, bytes);

  const [report] = await recover();

  const segment = await readSegment(report?.finishedPath ?? '');
  expect(segment.fragments).toEqual([fragments[0], ...fragments.slice(3)]);
  expect(report?.bytesDamaged).toBe(range(fragments[3]).begin - range(fragments[1]).begin);
  expect(report?.bytesCut).toBe(0);
});

test('a torn tail in which every place looks like a cluster is recovered in a time that its length tells', async () => {
  const { path, recover } = await tornFile(3);
  const { size } = await stat(path);
  const openCluster = Buffer.from('1f43b67501ffffffffffffff', 'hex');
  // In each element lies the beginning of a cluster whose children are all that follow.
  const nested = Buffer.from('ec851f43b675ff'.repeat(200_000), 'hex');
  await appendFile(path, Buffer.concat([openCluster, nested]));

  const [report] = await recover();

  expect(report).toMatchObject({ outcome: 'finished', fragments: 3, bytesCut: openCluster.length + nested.length });
  expect((await readSegment(report?.finishedPath ?? '')).fragments.at(-1)).toMatchObject({
    number: report?.lastNumber,
  });
  expect((await stat(report?.finishedPath ?? '')).size).toBeGreaterThan(size);
});

test('what a producer sent and was cut off is no fragment, though it looks like a committed one of any time and number', async () => {
  const { path, fragments, recover } = await tornFile(3);
  const file = await readFile(path);
  const openFrame = Buffer.from('1f43b67501ffffffffffffffe7810aa310100000', 'hex');
  const last = must(fragments[2], 'three fragments');
  const forged = (changes: Partial<Fragment>) => {
    const bytes = file.subarray(range(last).begin, range(last).end);
    const { element } = commitBytes({ ...last, offset: file.length + openFrame.length, ...changes }, []);
    return Buffer.concat([openFrame, bytes, element]);
  };
  const outcomes: (number | undefined)[] = [];
  const attempt = async (changes: Partial<Fragment>) => {
    const torn = await tornFile(3);
    await appendFile(torn.path, forged(changes));
    outcomes.push((await torn.recover())[0]?.fragments);
  };
  const next = (counter: number) => fragmentNumber(counter, last.serverTimestampMs, 1);

  await attempt({ number: next(2 ** 39) });
  await attempt({ number: next(4), serverTimestampMs: last.serverTimestampMs + 86_400_000 });
  await attempt({ number: next(4), serverTimestampMs: 0 });
  await attempt({ number: next(2) });
  await attempt({ number: next(4) });
  await recover();

  // The last one could be a fragment: nothing that might be footage is thrown away.
  expect(outcomes).toEqual([3, 3, 3, 3, 4]);
});

test('a file without a fragment is removed, one with a damaged head and footage is put aside', async () => {
  const { path, recover, openDirectory } = await tornFile(2);
  await flip(path, 3);
  await writeFile(join(openDirectory, streamId, '000000000009-00112233445566778899aabbccddeeff-v1.mkv'), 'nothing');

  const reports = await recover();

  expect(reports.map((report) => report.outcome).sort()).toEqual(['damaged', 'removed']);
  expect(await readdir(join(openDirectory, streamId))).toEqual([`${basename(path)}.damaged`]);
  expect(await recover()).toEqual([]);
});

test('the loss of a file without a fragment does not reach back into the files of the run before it', async () => {
  const root = await temporaryDirectory();
  const { writer, finished, openDirectory, finishedDirectory } = await startWriter(root);
  for (let counter = 1; counter <= 40; counter++) writeFragment(writer, counter);
  await writer.end('shutdown');
  const [first = '', second = ''] = finished();
  const path = join(openDirectory, streamId, basename(second));
  const { fragments } = await scanSegment(second);
  await copyFile(second, path);
  await truncate(path, range(fragments[0]).begin + 20);

  const [report] = await recoverOpenDirectory(
    { log: silentLog },
    { directory: openDirectory, finishedDirectory, files: 'all' },
  );

  const { fragments: before } = await readSegment(first);
  expect(report).toMatchObject({ outcome: 'removed', fragments: 0, bytesCut: 20 });
  expect(report?.torn?.beginMs).toBeGreaterThanOrEqual(fragmentEndMs(must(before.at(-1), 'it has fragments')));
});

test('of what a KVS producer sends only what was committed can be missing: the rest comes again', async () => {
  const ofProducer = { runReason: 'producer-connected', runStartServerMs: 500 };
  const broken = await tornFile(3, undefined, ofProducer);
  await appendFile(
    broken.path,
    (await readFile(broken.path)).subarray(range(broken.fragments[0]).begin).subarray(0, 200),
  );
  const empty = await tornFile(1, undefined, ofProducer);
  await truncate(empty.path, range(empty.fragments[0]).begin + 100);
  const damaged = await tornFile(1, undefined, ofProducer);
  const bytes = await readFile(damaged.path);
  bytes.fill(0, range(damaged.fragments[0]).end - 10, range(damaged.fragments[0]).end);
  await writeFile(damaged.path, bytes);

  const reports = [await broken.recover(), await empty.recover(), await damaged.recover()].flat();

  expect(reports.map(({ outcome, torn }) => [outcome, torn !== undefined])).toEqual([
    ['finished', false],
    ['removed', false],
    ['removed', true],
  ]);
  expect(reports[2]?.torn?.beginMs).toBeGreaterThan(runStartServerMs);
});

test('of a living writer only what it abandoned is touched', async () => {
  const { path, recover, openDirectory } = await tornFile(2);
  const abandoned = path.replace('000000000001', '000000000005');
  await copyFile(path, `${abandoned}.abandoned`);

  const reports = await recover({ files: 'abandoned' });

  expect(reports.map((report) => basename(report.finishedPath ?? ''))).toEqual([basename(abandoned)]);
  expect(await readdir(join(openDirectory, streamId))).toEqual([basename(path)]);
});

test('a recovered file has the length that its table says and nothing behind it', async () => {
  const { path, recover } = await tornFile(3);
  await appendFile(path, Buffer.alloc(5_000_000, 0x1f));

  const [report] = await recover();

  const segment = await readSegment(report?.finishedPath ?? '');
  expect((await stat(report?.finishedPath ?? '')).size).toBe(segment.byteLength);
  expect(segment.byteLength).toBeLessThan(20_000);
});

test('after a power loss that lost any pages since the last sync, all synced fragments are there and none is damaged', async () => {
  const { path, fragments, recover, source } = await tornFile(12, [3_000, 9_000]);
  const whole = await readFile(source);
  const pageBytes = 4_096;

  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 5, max: 12 }),
      fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }),
      async (syncedCount, isLost) => {
        const syncedBytes = fragments[syncedCount]?.offset ?? whole.byteLength;
        const bytes = Buffer.from(whole);
        for (
          let at = Math.ceil(syncedBytes / pageBytes) * pageBytes, i = 0;
          at < bytes.byteLength;
          at += pageBytes, i++
        ) {
          if (isLost[i]) bytes.fill(0, at, Math.min(at + pageBytes, bytes.byteLength));
        }
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, bytes);

        const [report] = await recover();

        const kept = (await readSegment(report?.finishedPath ?? '')).fragments;
        expect(kept.slice(0, syncedCount)).toEqual(fragments.slice(0, syncedCount));
        expect((await verifySegment(report?.finishedPath ?? '')).damaged).toEqual([]);
      },
    ),
    { numRuns: 60 },
  );
});

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0x40;
  await writeFile(path, bytes);
}
