/**
 * Each life of an `ingest` process is an epoch with a directory of its own for the files it writes, so that nobody needs a
 * lock to know which open files belong to the dead: those of older epochs, and those whose owner is certainly gone.
 *
 *   state/<ingest>/epoch.json                   { version, epoch, owner, succeeded: places of earlier owners }
 *   journal/open/<ingest>.<epoch>/owner.json    { version, owner }
 */

import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { appError, errnoOf } from '../base/errors.ts';
import { syncDirectory, writeFileAtomic } from '../base/files.ts';
import { namesIn } from './journal-listing.ts';
import {
  isSamePlace,
  isSameProcess,
  ownIdentity,
  type ProcessIdentity,
  type ProcessPlace,
  parseIdentity,
  parsePlace,
  placeOf,
  processState,
} from './process-identity.ts';

export type Epoch = {
  readonly epoch: number;
  /** `journal/open/<ingest>.<epoch>`, created. */
  readonly directory: string;
};

export type OpenDirectory = Epoch & {
  readonly ingestName: string;
  /** Nobody writes here any more: everything in it may be recovered. Otherwise only what its writer abandoned. */
  readonly isDead: boolean;
};

/** The newest epoch of an ingest process. */
type EpochState = {
  readonly epoch: number;
  readonly owner: ProcessIdentity | undefined;
  /** Where it ran before, newest first: another place took over from each. */
  readonly succeeded: readonly ProcessPlace[];
};

const ownerFile = 'owner.json';
/** A directory outlives so many recreations of its container unrecovered, if no keeper runs in between. */
const succeededMax = 16;

/**
 * Begins a new epoch of an ingest process.
 *
 * @param options.stateDirectory  `state/<ingest>`
 * @param options.journalOpen     `journal/open`
 * @throws AppError failed_precondition  another living process has the newest epoch
 */
export async function openEpoch(options: {
  readonly stateDirectory: string;
  readonly journalOpen: string;
  readonly ingestName: string;
}): Promise<Epoch> {
  const { stateDirectory, journalOpen, ingestName } = options;
  await mkdir(stateDirectory, { recursive: true });
  await mkdir(journalOpen, { recursive: true });
  const own = await ownIdentity();
  const last = await readEpoch(stateDirectory);
  if (last.owner !== undefined && !isSameProcess(last.owner, own) && (await processState(last.owner)) === 'alive') {
    throw appError('failed_precondition', 'another process records into this data directory', {
      ingestName,
      pid: last.owner.pid,
      hint: `end process ${last.owner.pid} or give this one another data directory`,
    });
  }
  // The state directory may have been lost, the journal not: an epoch is never used twice.
  const used = (await epochDirectories(journalOpen)).filter((d) => d.ingestName === ingestName).map((d) => d.epoch);
  const epoch = Math.max(last.epoch, 0, ...used) + 1;
  const before = last.owner === undefined ? last.succeeded : [placeOf(last.owner), ...last.succeeded];
  const others = before.filter(
    (place, i) => !isSamePlace(place, own) && before.findIndex((p) => isSamePlace(p, place)) === i,
  );
  const state = { version: 1, epoch, owner: own, succeeded: others.slice(0, succeededMax) };
  await writeFileAtomic(join(stateDirectory, 'epoch.json'), `${JSON.stringify(state)}\n`);
  const directory = join(journalOpen, `${ingestName}.${epoch}`);
  try {
    await mkdir(directory, { recursive: true });
    await writeFileAtomic(join(directory, ownerFile), `${JSON.stringify({ version: 1, owner: own })}\n`);
    await syncDirectory(journalOpen);
  } catch (error) {
    // Left behind on a full disk it would look like that of a process that died.
    await rm(directory, { recursive: true, force: true }).catch(() => {});
    throw error;
  }
  return { epoch, directory };
}

/**
 * All directories of open files with what is known of their writers.
 *
 * @param options.state        `state`
 * @param options.journalOpen  `journal/open`
 */
export async function openDirectories(options: {
  readonly state: string;
  readonly journalOpen: string;
}): Promise<OpenDirectory[]> {
  const found = await epochDirectories(options.journalOpen);
  const states = new Map<string, EpochState>();
  for (const name of new Set([...(await namesIn(options.state)), ...found.map(({ ingestName }) => ingestName)])) {
    states.set(name, await readEpoch(join(options.state, name)));
  }
  const succeeded = [...states.values()].flatMap((state) => state.succeeded);
  const result: OpenDirectory[] = [];
  for (const directory of found) {
    const current = states.get(directory.ingestName) ?? { epoch: 0, owner: undefined };
    result.push({ ...directory, isDead: await isDead(directory, { ...current, succeeded }) });
  }
  return result;
}

/** The directories whose files may be recovered: never one whose writer may be alive. */
export async function deadOpenDirectories(options: {
  readonly state: string;
  readonly journalOpen: string;
}): Promise<OpenDirectory[]> {
  return (await openDirectories(options)).filter((directory) => directory.isDead);
}

/** True for entries of a directory of open files that are not streams. */
export function isOwnerFile(name: string): boolean {
  return name.startsWith(ownerFile);
}

async function isDead(
  directory: Epoch,
  current: Pick<EpochState, 'epoch' | 'owner'> & {
    /** Of all ingest processes: all processes of a place begin and end together. */
    readonly succeeded: readonly ProcessPlace[];
  },
): Promise<boolean> {
  const owner = parseOwner(await readJson(join(directory.directory, ownerFile)));
  const state = owner === undefined ? 'unknown' : await processState(owner);
  // Its container was made anew with fewer recording processes: nobody begins a newer epoch of this one.
  const isPlaceGone = owner !== undefined && current.succeeded.some((place) => isSamePlace(place, owner));
  if (directory.epoch >= current.epoch) return state === 'gone' || (state === 'unknown' && isPlaceGone);
  // A process has one epoch at a time: when it opened a newer one, this one is over although the process lives.
  const isSucceeded = owner !== undefined && current.owner !== undefined && isSameProcess(owner, current.owner);
  return state !== 'alive' || isSucceeded;
}

async function epochDirectories(journalOpen: string): Promise<(Epoch & { ingestName: string })[]> {
  const found: (Epoch & { ingestName: string })[] = [];
  for (const name of await namesIn(journalOpen)) {
    const match = /^(.+)\.(\d{1,15})$/.exec(name);
    if (match?.[1] === undefined || match[2] === undefined) continue;
    found.push({ ingestName: match[1], epoch: Number(match[2]), directory: join(journalOpen, name) });
  }
  return found.sort((a, b) => a.epoch - b.epoch);
}

async function readEpoch(stateDirectory: string): Promise<EpochState> {
  const value = await readJson(join(stateDirectory, 'epoch.json'));
  const { epoch, succeeded } = (value ?? {}) as { readonly epoch?: unknown; readonly succeeded?: unknown };
  return {
    epoch: typeof epoch === 'number' && Number.isSafeInteger(epoch) ? epoch : 0,
    owner: parseOwner(value),
    succeeded: Array.isArray(succeeded) ? succeeded.flatMap((place) => parsePlace(place) ?? []) : [],
  };
}

function parseOwner(value: unknown): ProcessIdentity | undefined {
  return typeof value === 'object' && value !== null && 'owner' in value ? parseIdentity(value.owner) : undefined;
}

/** Undefined when there is no such file or it holds no JSON: then nothing is known, which is a state of its own. */
async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
