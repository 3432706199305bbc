import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { deadOpenDirectories, openEpoch } from '../../../storage/journal/index.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

async function setUp() {
  const root = await temporaryDirectory();
  const state = join(root, 'state');
  const journalOpen = join(root, 'journal', 'open');
  const open = () => openEpoch({ stateDirectory: join(state, 'ingest-0'), journalOpen, ingestName: 'ingest-0' });
  const dead = async () => (await deadOpenDirectories({ state, journalOpen })).map((d) => d.epoch);
  /** Changes who is said to own an epoch, in its directory and, for the newest one, in the state. */
  const rewriteOwner = async (paths: string[], changes: Record<string, unknown>) => {
    for (const path of paths) {
      const value = JSON.parse(await readFile(path, 'utf8'));
      await writeFile(path, JSON.stringify({ ...value, owner: { ...value.owner, ...changes } }));
    }
  };
  const newestOwner = (directory: string) => [join(directory, 'owner.json'), join(state, 'ingest-0', 'epoch.json')];
  return { root, state, journalOpen, open, dead, rewriteOwner, newestOwner };
}

test('epochs count up and each has a directory of its own', async () => {
  const { open } = await setUp();

  const first = await open();
  const second = await open();

  expect([first.epoch, second.epoch]).toEqual([1, 2]);
  expect(first.directory).not.toBe(second.directory);
});

test('older epochs are dead and the newest one is not while its process lives', async () => {
  const { open, dead } = await setUp();

  await open();
  await open();
  await open();

  expect(await dead()).toEqual([1, 2]);
});

test('the newest epoch is dead when its process is certainly gone', async () => {
  const { open, dead, rewriteOwner, newestOwner } = await setUp();
  const { directory } = await open();

  await rewriteOwner(newestOwner(directory), { startTicks: '1' });

  expect(await dead()).toEqual([1]);
});

test('a process of another container or machine may be alive', async () => {
  const { open, dead, rewriteOwner, newestOwner } = await setUp();
  const { directory } = await open();

  await rewriteOwner(newestOwner(directory), { nameSpace: 'pid:[1]', startTicks: '1' });
  const otherContainer = await dead();
  await rewriteOwner(newestOwner(directory), { hostName: 'elsewhere', bootId: 'other' });

  expect([otherContainer, await dead()]).toEqual([[], []]);
});

test('a process of a container that was made anew without it is dead, one of a container that nobody followed is not', async () => {
  const { state, journalOpen, open, rewriteOwner } = await setUp();
  const openNamed = (ingestName: string) =>
    openEpoch({ stateDirectory: join(state, ingestName), journalOpen, ingestName });
  const deadNames = async () =>
    (await deadOpenDirectories({ state, journalOpen })).map(({ ingestName, epoch }) => `${ingestName}.${epoch}`);
  const old = { hostName: 'a1b2c3', nameSpace: 'pid:[1]', initTicks: '100' };
  for (const [ingestName, owner] of [
    ['ingest-0', old],
    ['ingest-1', old],
    ['ingest-2', { ...old, initTicks: '200' }],
  ] as const) {
    const { directory } = await openNamed(ingestName);
    await rewriteOwner([join(directory, 'owner.json'), join(state, ingestName, 'epoch.json')], owner);
  }
  const before = await deadNames();

  await open();
  const after = await deadNames();
  await open();

  expect([before, after]).toEqual([[], ['ingest-0.1', 'ingest-1.1']]);
  expect(await deadNames()).toEqual(['ingest-0.1', 'ingest-1.1', 'ingest-0.2']);
});

test('a directory without an owner is dead only when a newer epoch exists', async () => {
  const { open, dead } = await setUp();
  const { directory } = await open();
  await rm(join(directory, 'owner.json'));
  const alone = await dead();

  await open();

  expect([alone, await dead()]).toEqual([[], [1]]);
});

test('an epoch is not used twice although the state directory was lost', async () => {
  const { open, state, journalOpen } = await setUp();
  await open();
  await open();
  await rm(state, { recursive: true });
  await mkdir(join(journalOpen, 'other.9'));

  expect((await open()).epoch).toBe(3);
});

test('an older epoch whose own process still lives is left alone', async () => {
  const { open, dead, rewriteOwner } = await setUp();
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const stat = await readFile(`/proc/${child.pid}/stat`, 'latin1');
  const startTicks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  const { directory } = await open();
  await rewriteOwner([join(directory, 'owner.json')], { pid: child.pid, startTicks });
  await open();
  const whileAlive = await dead();

  child.kill('SIGKILL');
  await once(child, 'exit');

  expect([whileAlive, await dead()]).toEqual([[], [1]]);
});

test('a second living process is refused', async () => {
  const { open, rewriteOwner, newestOwner } = await setUp();
  const stat = await readFile(`/proc/${process.ppid}/stat`, 'latin1');
  const startTicks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  const { directory } = await open();
  await rewriteOwner(newestOwner(directory), { pid: process.ppid, startTicks });

  await expect(open()).rejects.toMatchObject({ code: 'failed_precondition' });
});
