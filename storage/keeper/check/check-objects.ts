/** Every object has its row (2): an unknown one is debris. */

import { isYoungProbe } from '../../objects/index.ts';
import { type CheckContext, unlessAway } from './context.ts';

/** Returns how many objects were looked at. */
export async function checkObjects(context: CheckContext, skipped: string[]): Promise<number> {
  const { index, store } = context;
  if (index.snapshot((queries) => queries.streams.isRebuilding())) {
    skipped.push('objects without rows: the index is being rebuilt');
    return 0;
  }
  let seen = 0;
  await unlessAway(skipped, 'objects without rows', async () => {
    for await (const object of store.list('')) {
      context.signal.throwIfAborted();
      // The doctor tries the store just now.
      if (isYoungProbe(object.key, context.clock.wallMs())) continue;
      seen++;
      context.step();
      // The row comes before the object and goes before it: who has none now has had none, or is being deleted.
      if (isKnown(context, object.key) || (await store.stat(object.key)) === undefined || isKnown(context, object.key))
        continue;
      context.find({
        invariant: 2,
        severity: 'warning',
        what: `an object of ${object.byteLength} bytes has no row`,
        where: object.key,
        hint: 'Nobody can play it. If it is ours, rebuild the index (stop Weir, move db/index.sqlite away); else delete it.',
      });
    }
  });
  return seen;
}

function isKnown({ index }: CheckContext, objectKey: string): boolean {
  return index.snapshot(
    ({ segments }) => segments.byObjectKey(objectKey) !== undefined || segments.isGarbage(objectKey),
  );
}
