/** Each invariant is broken by hand, and check must name it. Every test begins with a data directory that check finds good. */

import { mkdir, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { expect, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import type { StoredSegment } from '../../../storage/index/index.ts';
import { type CheckLevel, check, type Finding } from '../../../storage/keeper/index.ts';
import { DirectoryStore, probeKey } from '../../../storage/objects/index.ts';
import { recordRun } from '../../kit/recorded-runs.ts';
import { until } from '../../kit/until.ts';
import { createSite, expectNothing, minute, type Site, settled } from './kit.ts';

const t0 = Date.now() - 60 * minute;
const streamId = 'door';

type Broken = Site & { readonly segments: readonly StoredSegment[]; readonly objectPath: (segment: number) => string };

/** Two runs of three segments with a gap between them, taken in, stored, checked, and the keeper gone. */
async function goodSite(): Promise<Broken> {
  const site = await createSite();
  const first = await recordRun(site.paths, {
    seed: 'a',
    beginMs: t0,
    fragments: 30,
    firstCounter: 1,
    payloadBytes: 2_000,
  });
  const second = await recordRun(site.paths, { seed: 'b', beginMs: t0 + 5 * minute, fragments: 30, firstCounter: 101 });
  await site.tell(
    { kind: 'wanted', streamId, atMs: t0 },
    { kind: 'run-began', streamId, runId: first.runId, atMs: t0 },
    { kind: 'run-ended', streamId, runId: first.runId, atMs: first.endMs, reason: 'source-closed' },
    { kind: 'run-began', streamId, runId: second.runId, atMs: t0 + 5 * minute },
    { kind: 'run-ended', streamId, runId: second.runId, atMs: second.endMs, reason: 'shutdown' },
  );
  const keeper = await site.startKeeper();
  await settled(keeper, 6);
  await until('gaps are told', () => site.index.openGaps().length === 1);
  await keeper.close();
  expectNothing(await site.findings());
  const segments = site.index.segmentsAfter(streamId, undefined);
  return { ...site, segments, objectPath: (n) => join(site.paths.objects, segments[n]?.objectKey ?? '') };
}

function change(site: Site, sql: string): void {
  const database = new Sqlite(site.paths.index);
  database.pragma('foreign_keys = ON');
  expect(database.prepare(sql).run().changes).toBeGreaterThan(0);
  database.close();
}

async function flipByte(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at);
  await file.write(Buffer.from([(buffer[0] ?? 0) ^ 0x10]), 0, 1, at);
  await file.close();
}

const named = (findings: readonly Finding[]) => findings.map(({ invariant, severity }) => `${invariant} ${severity}`);

test('an object that was deleted is a row without bytes: invariant 2', async () => {
  const site = await goodSite();

  await rm(site.objectPath(1));

  const findings = await site.findings('presence');
  expect(named(findings)).toEqual(['2 alarm']);
  expect(findings[0]).toMatchObject({ where: site.segments[1]?.objectKey, what: expect.stringContaining('no bytes') });
});

test('an object that nobody knows is debris: invariant 2', async () => {
  const site = await goodSite();

  await writeFile(join(site.paths.objects, 'door', 'stray.mkv'), 'debris');

  const findings = await site.findings('presence');
  expect(named(findings)).toEqual(['2 warning']);
  expect(findings[0]).toMatchObject({ where: 'door/stray.mkv' });
});

test('an object with which the doctor tries the store is debris only when it was left behind', async () => {
  const site = await goodSite();
  const store = new DirectoryStore({ log: silentLog }, { directory: site.paths.objects });
  const nowMs = systemClock.wallMs();
  await writeFile(join(site.paths.data, 'probe'), 'probe');

  await store.putFile(probeKey({ atMs: nowMs, random: 'ab' }), join(site.paths.data, 'probe'));
  expectNothing(await site.findings('presence'));

  const left = probeKey({ atMs: nowMs - 60 * minute, random: 'ab' });
  for (const key of [left, 'doctor/ab']) await store.putFile(key, join(site.paths.data, 'probe'));
  const findings = await site.findings('presence');
  expect(named(findings)).toEqual(['2 warning', '2 warning']);
  expect(findings.map(({ where }) => where).sort()).toEqual([left, 'doctor/ab']);
});

test('one flipped bit in a cluster: invariant 1, with the fragment', async () => {
  const site = await goodSite();
  const { size } = await stat(site.objectPath(0));

  await flipByte(site.objectPath(0), Math.floor(size / 2));

  expectNothing(await site.findings('size'));
  const findings = await site.findings('hash');
  expect(named(findings)).toEqual(['1 alarm']);
  expect(findings[0]?.what).toMatch(/^fragment \d{47} at byte \d+ is not what was recorded$/);
});

test('one flipped bit in the head: the digest does not hold', async () => {
  const site = await goodSite();
  const bytes = await readFile(site.objectPath(0));

  await flipByte(site.objectPath(0), bytes.indexOf('connecting'));

  expect((await site.findings('hash')).length).toBeGreaterThan(0);
});

test('a file that was cut: invariant 1', async () => {
  const site = await goodSite();

  await truncate(site.objectPath(2), 5_000);

  const findings = await site.findings('size');
  expect(named(findings)).toEqual(['1 alarm']);
  expect(findings[0]?.what).toMatch(/bytes were stored, 5000 are there/);
});

test('a segment that was replaced by another: the hash chain is broken, invariant 1', async () => {
  const site = await goodSite();

  change(site, `UPDATE segments SET previous_digest = zeroblob(32) WHERE segment_id = ${site.segments[1]?.segmentId}`);

  const findings = await site.findings('presence');
  expect(named(findings)).toEqual(['1 alarm']);
  expect(findings[0]?.what).toMatch(/hash chain/);
});

test('an end that was overwritten: no valid file, invariant 3', async () => {
  const site = await goodSite();
  const { size } = await stat(site.objectPath(0));

  await flipByte(site.objectPath(0), size - 3);

  expect(named(await site.findings('hash'))).toEqual(['3 alarm']);
});

test('a fragment table of the index that was damaged: invariant 3', async () => {
  const site = await goodSite();

  change(site, `UPDATE fragment_tables SET packed = zeroblob(100) WHERE segment_id = ${site.segments[0]?.segmentId}`);

  expect(named(await site.findings('size'))).toEqual(['3 alarm']);
});

test('a finished file of the journal that is garbage: invariant 3', async () => {
  const site = await goodSite();
  await mkdir(join(site.paths.journalFinished, streamId), { recursive: true });

  await writeFile(join(site.paths.journalFinished, streamId, '000000000999-x-v1.mkv'), Buffer.alloc(5_000, 7));

  expect(named(await site.findings('size'))).toEqual(['3 alarm']);
});

test('a number that was lowered: invariant 4', async () => {
  const site = await goodSite();

  change(
    site,
    `UPDATE segments SET first_counter = 5, last_counter = 14 WHERE segment_id = ${site.segments[2]?.segmentId}`,
  );

  const findings = await site.findings('presence');
  expect(new Set(named(findings))).toEqual(new Set(['4 alarm']));
});

test('a number that was given twice: invariant 4', async () => {
  const site = await goodSite();
  const again = await recordRun(site.paths, { seed: 'c', beginMs: t0 + 20 * minute, fragments: 5, firstCounter: 105 });
  await site.tell({ kind: 'run-began', streamId, runId: again.runId, atMs: t0 + 20 * minute });
  const keeper = await site.startKeeper();
  await settled(keeper, 7);
  await keeper.close();

  const findings = await site.findings('size');

  expect(named(findings)).toContain('4 alarm');
  expect(findings.some((finding) => /given twice/.test(finding.what))).toBe(true);
});

test('a reservation that lies behind what was given: invariant 4', async () => {
  const site = await goodSite();
  await mkdir(join(site.paths.state, 'ingest-0', 'numbers'), { recursive: true });

  await writeFile(
    join(site.paths.state, 'ingest-0', 'numbers', 'door.json'),
    JSON.stringify({ version: 1, end: 100, check: 1 }),
  );

  const findings = await site.findings('presence');
  expect(named(findings)).toEqual(['4 alarm']);
  expect(findings[0]?.what).toMatch(/up to 100 are reserved, but 130 was given/);
});

test('a gap row that was removed: invariant 5, with its seconds', async () => {
  const site = await goodSite();

  change(site, "DELETE FROM gaps WHERE reason = 'source-closed'");

  const findings = await site.findings('presence');
  expect(named(findings)).toEqual(['5 alarm']);
  expect(findings[0]?.what).toMatch(/^120\.0 s are neither in a fragment nor in a gap row/);
});

test('a row that was removed by hand: debris, seconds nobody accounts for, and wrong totals', async () => {
  const site = await goodSite();

  change(site, `DELETE FROM segments WHERE segment_id = ${site.segments[4]?.segmentId}`);

  expect(named(await site.findings('presence')).sort()).toEqual(['2 warning', '2 warning', '5 alarm']);
});

test('a check without the store says what it could not look at', async () => {
  const site = await goodSite();
  await rm(site.paths.objects, { recursive: true });

  const result = await check(
    { clock: systemClock, log: silentLog, store: site.store },
    { paths: site.paths, level: 'size' },
  );

  expect(result.findings).toEqual([]);
  expect(result.skipped).toHaveLength(2);
});

test('files in motion are no findings, whatever the moment of the look', async () => {
  const site = await createSite();
  const keeper = await site.startKeeper({ periodMs: 1 });
  await until('the index is whole', () => keeper.isIndexOpen && keeper.state.rebuild === undefined);
  await site.tell({ kind: 'wanted', streamId, atMs: t0 });
  const controller = new AbortController();
  const levels: CheckLevel[] = ['presence', 'size', 'hash'];
  const looking = (async () => {
    const all: Finding[] = [];
    for (let i = 0; !controller.signal.aborted; i++) all.push(...(await site.findings(levels[i % 3] ?? 'size')));
    return all;
  })();

  for (let i = 0; i < 15; i++) {
    const beginMs = t0 + i * 3 * minute;
    const run = await recordRun(site.paths, { seed: `r${i}`, beginMs, fragments: 20, firstCounter: 1 + 100 * i });
    await site.tell(
      { kind: 'run-began', streamId, runId: run.runId, atMs: beginMs },
      { kind: 'run-ended', streamId, runId: run.runId, atMs: run.endMs, reason: 'source-closed' },
    );
    if (i % 4 === 3) {
      const oldest = site.index.segmentsAfter(streamId, undefined, 1)[0];
      if (oldest !== undefined)
        keeper.removeRange({ streamId, beginMs: oldest.beginServerMs, endMs: oldest.endServerMs, who: 'mia' });
    }
  }
  controller.abort();

  expectNothing(await looking);
  expect((await readdir(site.paths.objects)).length).toBeGreaterThan(0);
});
