/** Files of the journal are valid up to their last commit (3): finished ones with their table, open ones as far as they go. */

import { join } from 'node:path';
import { toAppError } from '../../base/errors.ts';
import { listOpen, readSegment, readSegmentHead, scanSegment } from '../../journal/index.ts';
import { type JournalRoot, journalRoots } from '../../model/paths.ts';
import { listFinished, statFile } from '../finished-files.ts';
import type { CheckContext } from './context.ts';

/** A younger open file may not have its head yet. */
const headDelayMs = 60_000;

/** Returns how many files were looked at. */
export async function checkJournal(context: CheckContext): Promise<number> {
  let seen = 0;
  for (const root of journalRoots(context.paths)) seen += await checkRoot(context, root);
  return seen;
}

async function checkRoot(context: CheckContext, root: JournalRoot): Promise<number> {
  let seen = 0;
  for (const file of await listFinished(root.finished)) {
    context.signal.throwIfAborted();
    if (context.level !== 'presence')
      await checkFile(context, file.path, async () => void (await readSegment(file.path)));
    seen++;
    context.step();
  }
  for (const { path } of await listOpen(root.open)) {
    context.signal.throwIfAborted();
    await checkOpenFile(context, path);
    seen++;
    context.step();
  }
  for (const directory of ['salvage', 'damaged']) {
    for (const file of await listFinished(join(root.root, directory))) {
      context.find({
        invariant: 3,
        severity: 'warning',
        what: 'a segment file was put aside because it could not be taken in',
        where: file.path,
        hint: 'The log says why. Its whole fragments can be played with any Matroska player; delete it when it is not needed.',
      });
    }
  }
  return seen;
}

async function checkOpenFile(context: CheckContext, path: string): Promise<void> {
  if (path.endsWith('.damaged')) {
    context.find({
      invariant: 3,
      severity: 'alarm',
      what: 'the head of an open segment file was damaged, its fragments were put aside',
      where: path,
      hint: 'Keep the file: it may hold footage. Look at the disk.',
    });
    return;
  }
  const file = await statFile(path);
  if (file === undefined || context.clock.wallMs() - file.changedMs < headDelayMs) return;
  await checkFile(context, path, async () => {
    await readSegmentHead(path);
    await scanSegment(path);
  });
}

async function checkFile(context: CheckContext, path: string, read: () => Promise<void>): Promise<void> {
  try {
    await read();
  } catch (error) {
    const failure = toAppError(error);
    // It was taken on by the keeper while we looked.
    if (failure.code === 'not_found' || (await statFile(path)) === undefined) return;
    if (failure.code !== 'data_loss' && failure.code !== 'failed_precondition') throw failure;
    context.find({
      invariant: 3,
      severity: 'alarm',
      what: `segment file is not readable: ${failure.message}`,
      where: path,
      hint: 'The keeper keeps every whole fragment of it when it runs. Look at the disk.',
    });
  }
}
