import { createReadStream } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Imports } from '../../../gateway/import/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { verifySegment } from '../../../storage/journal/index.ts';
import { isImported } from '../../../storage/model/run.ts';
import { until } from '../../kit/until.ts';
import { storedFiles, streamId } from '../ingest/ingest-kit.ts';
import { atMs, h264, makeFile, picture, setUpImports, tone } from './import-kit.ts';

const span = { beginMs: atMs - 60_000, endMs: atMs + 60_000 };
const timeout = 60_000;

async function setUp() {
  const kit = await setUpImports();
  const args = [...picture, ...tone, ...h264, '-c:a', 'aac', '-movflags', '+faststart'];
  const file = await makeFile(join(kit.directory, 'a.mp4'), args);
  return { ...kit, file };
}

test('the same import again adds nothing', { timeout }, async () => {
  const { bring, file, storedSamples } = await setUp();
  await bring(file);

  const again = await bring(file);

  expect(again).toMatchObject({ state: 'done', fragments: 0, alreadyThere: 10, endMs: expect.any(Number) });
  expect((await storedSamples(span))[1]).toBe(250);
});

test('other footage is refused where some lies, with its times, and may be passed over', { timeout }, async () => {
  const { bring, file, reader, storedSamples } = await setUp();
  await bring(file);

  await expect(bring(file, { at: atMs - 5_000 })).rejects.toMatchObject({
    code: 'failed_precondition',
    message: 'footage lies there already: 2026-01-31T12:00:00.000Z to 2026-01-31T12:00:05.000Z',
  });
  const part = await bring(file, { at: atMs - 5_000, onTaken: 'skip' });

  expect(part).toMatchObject({ state: 'done', fragments: 5, skipped: 5 });
  expect((await storedSamples(span))[1]).toBe(375);
  // The later import has the higher numbers, and its place by time.
  const times = (await reader.fragmentsBetween(streamId, span)).map(({ fragment }) => fragment.serverTimestampMs);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(times[0]).toBe(atMs - 5_000);
  // Nothing of it is news.
  expect(await reader.latest(streamId)).toBeUndefined();
});

test('a file that breaks off comes in as far as it goes, and a whole copy goes on after it', { timeout }, async () => {
  const { bring, directory, file, storedSamples } = await setUp();
  const bytes = await readFile(file);
  const cut = join(directory, 'cut.mp4');
  await writeFile(cut, bytes.subarray(0, Math.floor(bytes.length * 0.6)));

  const status = await bring(cut);
  const before = (await storedSamples(span))[1] ?? 0;
  const whole = await bring(file, { onTaken: 'skip' });

  expect(status.state).toBe('partial');
  expect(status.fault).toMatchObject({ code: 'data_loss' });
  expect(status.fault?.message).toMatch(/^the file can be read up to \d+\.\d s of 10\.\d s: /);
  expect(before).toBeGreaterThan(100);
  expect(before).toBeLessThan(200);
  expect(whole.state).toBe('done');
  expect((await storedSamples(span))[1]).toBeGreaterThanOrEqual(225);
});

test('an ffmpeg that is killed leaves whole fragments, and the same file goes on after them', { timeout }, async () => {
  const { bring, directory, imports, owner, paths, reader, storedSamples } = await setUpImports();
  const noise = ['-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=25:duration=40,noise=alls=40:allf=t'];
  const file = await makeFile(join(directory, 'long.mp4'), [...noise, ...h264, '-preset', 'ultrafast', '-b:v', '12M']);
  const killer = join(directory, 'ffmpeg');
  // It dies as if the system had needed its memory, in the middle of a fragment.
  await writeFile(killer, '#!/bin/bash\nffmpeg "$@" | head -c 20000000\nkill -9 $$\n', { mode: 0o755 });
  const mortal = new Imports(
    { clock: systemClock, log: silentLog, footage: reader, ownerOf: () => owner },
    { directory: `${paths.imports}-mortal`, ffmpegPath: killer, ffprobePath: 'ffprobe' },
  );
  await mortal.start();

  const killed = await mortal.create({
    ...{ streamId, name: 'long.mp4', at: atMs, onTaken: 'refuse', admit: async () => {} },
    ...{ body: createReadStream(file), byteLength: undefined },
  });
  await until('the import ends', () => mortal.find(killed.importId)?.endedMs !== undefined);
  const before = await storedSamples(span);
  const status = await bring(file);
  await mortal.close();

  expect(mortal.find(killed.importId)).toMatchObject({ state: 'failed', fault: { code: 'unavailable' } });
  expect(before[1]).toBeGreaterThan(25);
  expect((before[1] ?? 0) % 25).toBe(0);
  expect(status).toMatchObject({ state: 'done', alreadyThere: (before[1] ?? 0) / 25 });
  expect((await storedSamples(span))[1]).toBe(1_000);
  expect(imports.list(streamId)).toHaveLength(1);
});

test.each([
  ['an MP4 without its index', async (bytes: Buffer) => bytes.subarray(0, 20_000), 'data_loss'],
  ['what is no video', async () => Buffer.alloc(50_000, 'weir'), 'data_loss'],
  [
    'a playlist that names another file',
    async () => Buffer.from("ffconcat version 1.0\nfile '/etc/hostname'\n"),
    'data_loss',
  ],
  ['nothing', async () => Buffer.alloc(0), 'invalid_argument'],
])('%s is refused with a reason', { timeout }, async (_, make, code) => {
  const kit = await setUpImports();
  const file = await makeFile(join(kit.directory, 'end.mp4'), [...picture, ...h264]);
  const path = join(kit.directory, 'bad.mp4');
  await writeFile(path, await make(await readFile(file)));

  await expect(kit.bring(path)).rejects.toMatchObject({ code });

  expect(await kit.reader.fragmentsBetween(streamId, span)).toEqual([]);
});

test('a file may say itself when it was made', { timeout }, async () => {
  const kit = await setUpImports();
  const made = ['-metadata', 'creation_time=2026-01-31T12:00:00Z'];
  const told = await makeFile(join(kit.directory, 'told.mp4'), [...picture, ...h264, ...made]);
  const untold = await makeFile(join(kit.directory, 'untold.mkv'), [...picture, ...h264, '-map_metadata', '-1']);

  expect((await kit.bring(told, { at: 'file' })).beginMs).toBe(atMs);
  await expect(kit.bring(untold, { at: 'file' })).rejects.toMatchObject({ code: 'invalid_argument' });
});

test('an import that is refused, or would lie in the future, leaves nothing behind', { timeout }, async () => {
  const { bring, file, paths, reader } = await setUp();
  const refusal = new Error('not kept for so long');

  await expect(bring(file, { admit: () => Promise.reject(refusal) })).rejects.toBe(refusal);
  await expect(bring(file, { at: systemClock.wallMs() - 5_000 })).rejects.toMatchObject({
    code: 'failed_precondition',
  });

  expect(await reader.fragmentsBetween(streamId, span)).toEqual([]);
  expect(await readdir(paths.imports)).toEqual([]);
});

test('what came in is whole segments of a run that says what it is', { timeout }, async () => {
  const { bring, file, ingest, paths } = await setUp();
  const { importId } = await bring(file);
  await ingest.close();

  const files = await storedFiles(paths);

  expect(files.length).toBeGreaterThan(0);
  for (const { path, head } of files) {
    expect(isImported(head)).toBe(true);
    expect(head.runId.startsWith(importId)).toBe(true);
    expect(await verifySegment(path)).toEqual({ damaged: [], isDigestWrong: false });
  }
});
