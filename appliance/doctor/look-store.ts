/** Tries the object store as recordings use it: puts an object, reads it back, deletes it. Never makes a store. */

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../storage/base/clock.ts';
import { toAppError } from '../../storage/base/errors.ts';
import { type ObjectStore, probeKey } from '../../storage/objects/index.ts';
import type { StoreFacts } from './judge-parts.ts';
import { within } from './within.ts';

const stepMs = 6_000;
const probeBytes = 1_024;

/** @param options.isMade  whether anything was stored before */
export async function lookAtStore(
  deps: { readonly clock: Clock; readonly store: ObjectStore },
  options: { readonly name: string; readonly isMade: boolean },
): Promise<StoreFacts> {
  const { clock, store } = deps;
  const { name, isMade } = options;
  const beganMs = clock.monotonicMs();
  const facts = (failed: StoreFacts['failed']): StoreFacts => ({
    name,
    isMade,
    failed,
    durationMs: clock.monotonicMs() - beganMs,
  });
  if (!isMade) return facts(undefined);
  const directory = await mkdtemp(join(tmpdir(), 'weir-doctor-'));
  let step: NonNullable<StoreFacts['failed']>['step'] = 'reach';
  try {
    const path = join(directory, 'probe');
    const key = probeKey({ atMs: clock.wallMs(), random: randomBytes(8).toString('hex') });
    const bytes = randomBytes(probeBytes);
    await writeFile(path, bytes);
    await within(clock, stepMs, () => store.identity());
    step = 'put';
    await within(clock, stepMs, () => store.putFile(key, path));
    step = 'get';
    const read = await within(clock, stepMs, () => store.getRange(key, 0, probeBytes)).catch(async (error: unknown) => {
      await within(clock, stepMs, () => store.delete(key)).catch(() => {});
      throw error;
    });
    if (!bytes.equals(read)) throw new Error('other bytes came back');
    step = 'delete';
    await within(clock, stepMs, () => store.delete(key));
    return facts(undefined);
  } catch (error) {
    const { code, message, hint } = toAppError(error);
    return facts({ step, code, message, hint });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
