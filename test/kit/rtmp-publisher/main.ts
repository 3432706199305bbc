/** Publishers as a process of their own, so that their work is not counted as anybody else's. Says `ready` when all are let in. */

import { publishNumbered } from './numbered.ts';

const { port, keys } = JSON.parse(process.argv[2] ?? '{}') as { port: number; keys: readonly string[] };
/** Key frames of all at the same moment are nobody's site. */
const phaseMs = 97;
const publishings = await Promise.all(
  keys.map(async (key, camera) => {
    await new Promise((resolve) => setTimeout(resolve, camera * phaseMs));
    return publishNumbered({ port, key, camera });
  }),
);
const refused = publishings.filter(({ answer }) => answer !== 'NetStream.Publish.Start');
process.send?.(refused.length === 0 ? 'ready' : `refused: ${refused[0]?.answer}`);
process.on('message', () => process.send?.({ isGone: publishings.filter(({ isGone }) => isGone).length }));
process.on('disconnect', () => process.exit(0));
