/**
 * `npm start`, `npm test`, `npm run check | dev | bench | conformance` on any Node from 18 up: installs what is missing, says so, and hands over to
 * Node 24. When nothing is missing it only looks at a few files. Plain JavaScript, no dependency, no syntax newer than Node 18.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { argv, env, exit } from 'node:process';
import { fileURLToPath } from 'node:url';
import { exec } from './child.mjs';
import { watchAndRestart } from './dev.mjs';
import { startWorkerBuild } from './mediasoup.mjs';
import { packagesStep } from './packages.mjs';
import { pageStep } from './page.mjs';
import { fail, runSteps, say } from './progress.mjs';
import { runtimeOf, runtimeStep } from './runtime.mjs';
import { startTestServers } from './test-servers.mjs';
import { runChecks } from './tests.mjs';
import { toolsStep } from './tools.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const [verb = 'start', ...args] = argv.slice(2);
const verbs = ['start', 'test', 'check', 'dev', 'bench', 'conformance', 'weir'];
if (!verbs.includes(verb)) {
  say(`unknown verb ${verb}: use start, test, check, dev, bench or conformance`);
  exit(2);
}
const runtime = runtimeOf(root);
const needsPage = verb !== 'check';
// Begins before everything else and goes on beside it: the longest step of a first run.
const servers = verb === 'test' ? startTestServers() : undefined;

await runSteps([
  runtimeStep(root, runtime),
  packagesStep(root, runtime),
  ...(verb === 'check' ? [] : [toolsStep(verb)]),
  ...(needsPage ? [pageStep(root, runtime)] : []),
]);

// Type stripping reads hundreds of small files: with the cache a start takes a quarter of the time. Thirty-two file system threads,
// since a disk that stalls under one camera's file must not hold up the others.
const context = {
  root,
  node: runtime.node,
  env: {
    ...env,
    PATH: `${runtime.bin}:${env.PATH ?? ''}`,
    NODE_COMPILE_CACHE: join(root, '.runtime', 'compile-cache'),
    UV_THREADPOOL_SIZE: '32',
  },
};

// Needs the packages. Nobody waits for it but the tests; `dev` under Node 18 calls this file once more.
const buildsWorker = !['check', 'weir'].includes(verb) && !(verb === 'dev' && runtime.isOwn);
const worker = buildsWorker ? startWorkerBuild({ sayEveryMs: verb === 'test' ? 15_000 : 60_000 }) : undefined;

switch (verb) {
  case 'start':
    exit(await exec(context, ['appliance/main.ts', 'serve', ...args]));
    break;
  case 'weir':
    exit(await exec(context, [join(root, 'appliance', 'main.ts'), ...args]));
    break;
  case 'dev':
    // Node 18 cannot watch folders with what lies in them.
    if (runtime.isOwn) exit(await exec(context, ['appliance/setup/launch.mjs', 'dev', ...args]));
    exit(await watchAndRestart(context, args));
    break;
  case 'check':
    exit(await runChecks(context, { vitestArgs: ['test/structure', ...args] }));
    break;
  case 'test':
    exit(await runChecks(context, { vitestArgs: args, servers: Promise.all([servers, worker]) }));
    break;
  case 'bench':
    if (!existsSync(join(root, 'test/bench/main.ts'))) fail('test/bench/main.ts is not in this checkout');
    exit(await exec(context, ['test/bench/main.ts', ...args]));
    break;
  case 'conformance':
    exit(await exec(context, ['test/conformance/main.ts']));
    break;
}
