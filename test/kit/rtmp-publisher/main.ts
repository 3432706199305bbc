/** Publishers as a process of their own, so that their work is not counted as anybody else's. Says `ready` when all are let in. */

import { publishNumbered } from './numbered.ts';

const { port, keys } = JSON.parse(process.argv[2] ?? '{}') as { port: number; keys: readonly string[] };
const publishings = await Promise.all(keys.map((key, camera) => publishNumbered({ port, key, camera })));
const refused = publishings.filter(({ answer }) => answer !== 'NetStream.Publish.Start');
process.send?.(refused.length === 0 ? 'ready' : `refused: ${refused[0]?.answer}`);
process.on('message', () => process.send?.({ isGone: publishings.filter(({ isGone }) => isGone).length }));
process.on('disconnect', () => process.exit(0));
