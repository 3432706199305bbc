/** The builder of the WebRTC worker, with tools that only look like a compiler: who builds, who waits, and what people are told. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { whyNoWorker, workerThere } from '../../../appliance/setup/index.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';

const script = join(import.meta.dirname, '../../../appliance/setup/mediasoup.mjs');
/** What mediasoup's worker ends with when nobody speaks to it. */
const worker = '#!/bin/sh\nexit 41\n';

/** Each notes that it ran; `ninja` waits at its second step while there is a file `hold`. */
const tools: Readonly<Record<string, string>> = {
  'g++': '',
  flatc: '',
  patch: '',
  'pkg-config': '',
  meson: 'mkdir -p "$2"',
  ninja: `echo '[1/3] first'; echo '[2/3] second'
while [ -e "$NOTES/hold" ]; do sleep 0.05; done
if [ -e "$NOTES/broken" ]; then echo 'src/lib.cpp:1: error: no such thing'; exit 1; fi
: > "$2/mediasoup-worker"; echo '[3/3] last'`,
  strip: `printf '${worker.replaceAll('\n', '\\n')}' > "$2"; chmod 755 "$2"`,
};

type Site = {
  readonly environment: NodeJS.ProcessEnv;
  readonly program: string;
  note(name: string): Promise<void>;
  unnote(name: string): Promise<void>;
  /** How often a tool ran. */
  runs(tool: string): Promise<number>;
  start(): Builder;
};

type Builder = { readonly child: ChildProcess; readonly said: () => string; readonly ended: Promise<Outcome> };
type Outcome = { readonly code: number | null; readonly out: string; readonly err: string };

async function site(): Promise<Site> {
  const directory = await temporaryDirectory();
  const [bin, notes, cache] = ['bin', 'notes', 'cache'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [bin, notes, cache]) await mkdir(path);
  for (const [name, body] of Object.entries(tools)) {
    await writeFile(join(bin, name), `#!/bin/sh\necho run >> "$NOTES/${name}.runs"\n${body}\n`, { mode: 0o755 });
  }
  const { MEDIASOUP_WORKER_BIN: _, ...rest } = process.env;
  const environment = { ...rest, PATH: `${bin}:${rest.PATH}`, XDG_CACHE_HOME: cache, NOTES: notes };
  const { version } = JSON.parse(
    await readFile(join(import.meta.dirname, '../../../node_modules/mediasoup/package.json'), 'utf8'),
  ) as { version: string };
  return {
    environment,
    program: join(cache, 'weir', `mediasoup-worker-${version}`, 'mediasoup-worker'),
    note: (name) => writeFile(join(notes, name), ''),
    unnote: (name) => rm(join(notes, name)),
    runs: async (tool) => (await readFile(join(notes, `${tool}.runs`), 'utf8').catch(() => '')).split('\n').length - 1,
    start: () => start(environment),
  };
}

function start(env: NodeJS.ProcessEnv): Builder {
  const child = spawn(process.execPath, [script], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill());
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const ended = once(child, 'close').then(([code]: unknown[]) => ({ code: code as number | null, out, err }));
  return { child, said: () => err, ended };
}

/** The process that holds the state, below whoever waits for it. */
async function builderPid({ program }: Site): Promise<number> {
  const state = JSON.parse(await readFile(`${join(program, '..')}.state.json`, 'utf8')) as { pid: number };
  return state.pid;
}

describe('the WebRTC worker', () => {
  it('is built once, and whoever asks meanwhile is told how far it is', async () => {
    const here = await site();
    const { environment, program } = here;
    expect(whyNoWorker(environment)).toMatchObject({ state: 'missing', reason: expect.stringContaining('npm start') });
    await here.note('hold');
    const first = here.start();

    const told = await until('steps are told', () => {
      const why = whyNoWorker(environment);
      return why.state === 'building' && why.reason.includes(' of ') ? why.reason : undefined;
    });
    await here.unnote('hold');
    const { code, out, err } = await first.ended;
    const again = await here.start().ended;

    expect(told).toContain('being built, 2 of 3 steps');
    expect({ code, out }).toEqual({ code: 0, out: `${program}\n` });
    expect(err).toContain('WebRTC worker: built in ');
    expect(workerThere(environment)).toBe(program);
    expect(again).toEqual({ code: 0, out: `${program}\n`, err: '' });
    expect(await here.runs('ninja')).toBe(1);
  });

  it('is built by one process of two, and the other waits for it', async () => {
    const here = await site();
    await here.note('hold');
    const first = here.start();
    await until('the first one compiles', async () => (await here.runs('ninja')) === 1);
    const second = here.start();

    await until('the second one waits', () => second.said().includes('is being built by another process: waiting'));
    await here.unnote('hold');

    expect(await Promise.all([first.ended, second.ended])).toMatchObject([
      { code: 0, out: `${here.program}\n` },
      { code: 0, out: `${here.program}\n` },
    ]);
    expect(await here.runs('ninja')).toBe(1);
  });

  it('goes on being built where a killed builder was', async () => {
    const here = await site();
    await here.note('hold');
    const first = here.start();
    await until('it compiles', () => whyNoWorker(here.environment).reason.includes('2 of 3 steps'));

    process.kill(await builderPid(here), 'SIGKILL');
    const { code } = await first.ended;
    const why = whyNoWorker(here.environment);
    await here.unnote('hold');
    const second = await here.start().ended;

    expect(code).not.toBe(0);
    expect(why).toMatchObject({ state: 'missing', reason: expect.stringContaining('was broken off') });
    expect(second).toMatchObject({ code: 0, out: `${here.program}\n` });
    expect([await here.runs('meson'), await here.runs('ninja')]).toEqual([1, 2]);
  });

  it('ends with the person who started it', async () => {
    const here = await site();
    await here.note('hold');
    const builder = here.start();
    await until('it compiles', async () => (await here.runs('ninja')) === 1);
    const pid = await builderPid(here);

    builder.child.kill('SIGTERM');
    await builder.ended;

    await until('its builder is gone', () => {
      try {
        return !process.kill(pid, 0);
      } catch {
        return true;
      }
    });
    await here.unnote('hold');
  });

  it('that the compiler refuses is told with what it said, and tried again by the next one who asks', async () => {
    const here = await site();
    await here.note('broken');

    const failed = await here.start().ended;
    const why = whyNoWorker(here.environment);
    await here.unnote('broken');
    const second = await here.start().ended;

    expect(failed).toMatchObject({ code: 1, out: '', err: expect.stringContaining('error: no such thing') });
    expect(why).toMatchObject({ state: 'missing', reason: expect.stringContaining('ninja ended with code 1') });
    expect(second).toMatchObject({ code: 0 });
  });

  it('is built anew when the one that is there does not run any more', async () => {
    const here = await site();
    await here.start().ended;
    await writeFile(here.program, '#!/bin/sh\nexit 127\n');
    await chmod(here.program, 0o755);

    const { code } = await here.start().ended;

    expect(code).toBe(0);
    expect(await readFile(here.program, 'utf8')).toBe(worker);
  });

  it('cannot be built without a compiler and the right to install one: what is missing is named', async () => {
    const directory = await temporaryDirectory();
    const environment = { PATH: directory, XDG_CACHE_HOME: directory, HOME: directory };

    const { code, out, err } = await start(environment).ended;

    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toContain('g++, meson, ninja-build');
    expect(err).toContain('libsrtp2-dev');
    expect(whyNoWorker(environment)).toMatchObject({ state: 'missing', reason: expect.stringContaining('meson') });
  });

  it('is the one that MEDIASOUP_WORKER_BIN names, before any other', async () => {
    const directory = await temporaryDirectory();
    const named = join(directory, 'mine');
    await writeFile(named, worker, { mode: 0o755 });
    const environment = { PATH: directory, XDG_CACHE_HOME: directory, MEDIASOUP_WORKER_BIN: named };

    const there = await start(environment).ended;
    await rm(named);
    const gone = await start(environment).ended;

    expect(there).toMatchObject({ code: 0, out: `${named}\n` });
    expect(gone).toMatchObject({ code: 1, err: expect.stringContaining('MEDIASOUP_WORKER_BIN names') });
    expect(whyNoWorker(environment)).toMatchObject({ state: 'missing', reason: expect.stringContaining(named) });
  });
});
