/** The command line as scripts and people meet it, without an appliance behind it. */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { exitCodeMeanings, exitCodes } from '../../../appliance/cli/exit-codes.ts';
import { table } from '../../../appliance/cli/output.ts';
import { configKeys, flagName } from '../../../appliance/config/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { runCommand } from '../../kit/run-command.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

const main = join(import.meta.dirname, '../../../appliance/main.ts');
const weir = (args: readonly string[], options: { input?: string; env?: Record<string, string> } = {}) =>
  runCommand(process.execPath, [main, ...args], options);

/** Answers on a data directory's local door by path, and keeps what it was asked. */
async function localDoor(answers: Readonly<Record<string, { status?: number; body: unknown }>>) {
  const data = await temporaryDirectory();
  const asked: { request: string; body: string }[] = [];
  const server = createServer(async (request: IncomingMessage, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const key = `${request.method} ${request.url}`;
    asked.push({ request: key, body });
    const answer = answers[key] ?? { status: 404, body: { error: { code: 'not_found', message: 'no such path' } } };
    response.writeHead(answer.status ?? 200).end(JSON.stringify(answer.body));
  });
  await mkdir(join(data, 'run'));
  await new Promise<void>((resolve) => server.listen(join(data, 'run', 'serve.sock'), resolve));
  onTestFinished(() => void server.close());
  return { data, asked };
}

const camera = (name: string, state: string) => ({
  id: `id-${name}`,
  name,
  isEnabled: true,
  source: { kind: 'rtsp', url: `rtsp://${name}/`, transport: 'tcp', tls: 'verify' },
  recording: { mode: 'continuous', retentionHours: 48 },
  state: {
    state,
    message: state === 'live' ? null : 'the camera refused the connection',
    isRecording: state === 'live',
  },
});

describe('a mistake in a command', () => {
  const cases: [string[], string][] = [
    [['camras'], "weir: unknown command 'camras' (Did you mean cameras?)"],
    [['serve', '--listen-prot', '1'], "weir: unknown option '--listen-prot' (Did you mean --listen-port?)"],
    [['serve', '--listen-port', 'web'], 'weir: --listen-port: listen.port must be a number, not "web"'],
    [['serve', '--role', 'cook'], 'weir: there is no role cook'],
    [['check', '--level', 'deep'], "argument 'deep' is invalid"],
    [['cameras', 'add', 'gate'], 'weir: the URL is missing'],
  ];

  it.each(cases)('ends with code 2 and says what: %j', async (args, message) => {
    const { code, err } = await weir([...args, '--data-directory', await temporaryDirectory()]);

    expect(err).toContain(message);
    expect(code).toBe(2);
  });
});

describe('help', () => {
  it('of a command names every key of the configuration as a flag', async () => {
    const { code, out } = await weir(['serve', '--help']);

    expect(code).toBe(0);
    for (const key of configKeys()) expect(out).toContain(`--${flagName(key)} <`);
  });

  it('has examples and every exit code', async () => {
    const { out } = await weir(['--help']);

    expect(out).toContain('weir serve --demo');
    for (const [code, meaning] of exitCodeMeanings)
      expect(out).toMatch(new RegExp(`${code} +${meaning.replace(/[()]/g, '.')}`));
    for (const code of Object.values(exitCodes)) expect(exitCodeMeanings.map(([known]) => known)).toContain(code);
  });
});

it('the version is that of package.json, as text and as JSON', async () => {
  const { version } = JSON.parse(await readFile(join(import.meta.dirname, '../../../package.json'), 'utf8'));

  expect(await weir(['--version'])).toMatchObject({ code: 0, out: `${version}\n`, err: '' });
  expect(JSON.parse((await weir(['-V', '--json'])).out)).toEqual({ version });
});

describe('commands that ask a running Weir', () => {
  it('say so when none runs, as text and as JSON', async () => {
    const data = await temporaryDirectory();

    const text = await weir(['users', 'list', '--data-directory', data]);
    const json = await weir(['users', 'list', '--json', '--data-directory', data]);

    expect(text).toMatchObject({ code: exitCodes.unavailable, out: '' });
    expect(text.err).toContain('weir: Weir does not run on this data directory');
    expect(JSON.parse(json.err)).toMatchObject({ error: { code: 'unavailable' } });
  });

  it('list cameras for people and for scripts', async () => {
    const cameras = [camera('gate', 'live'), camera('yard', 'retrying')];
    const { data } = await localDoor({ 'GET /api/cameras': { body: { cameras } } });

    const text = await weir(['cameras', 'list', '--data-directory', data]);
    const json = await weir(['cameras', 'list', '--data-directory', data, '--json']);

    expect(text.out.split('\n')).toEqual([
      'NAME  STATE                                        RECORDING  KEPT      URL',
      'gate  live                                         yes        2.0 days  rtsp://gate/',
      'yard  retrying: the camera refused the connection  no         2.0 days  rtsp://yard/',
      '',
    ]);
    expect(JSON.parse(json.out)).toEqual({ cameras });
  });

  it('list a sub source that is not well beside a main one that is', async () => {
    const { state } = camera('sub', 'retrying');
    const { data } = await localDoor({
      'GET /api/cameras': { body: { cameras: [{ ...camera('gate', 'live'), sub: { state } }] } },
    });

    const { out } = await weir(['cameras', 'list', '--data-directory', data]);

    expect(out).toContain('gate  live; sub retrying: the camera refused the connection  yes');
  });

  it('test a camera before adding it, with the password from standard input', async () => {
    const result = { ok: true, tracks: [{ text: 'h264 1280x720' }], warnings: [], fault: null };
    const { data, asked } = await localDoor({
      'POST /api/cameras/test': { body: result },
      'POST /api/cameras': { status: 201, body: camera('gate', 'live') },
    });

    const args = ['cameras', 'add', 'gate', 'rtsp://gate/', '--username', 'admin', '--password-stdin'];
    const { code, out } = await weir([...args, '--data-directory', data], { input: 'secret\n' });

    expect({ code, out }).toEqual({ code: 0, out: 'added gate (id-gate)\n' });
    expect(asked.map((one) => one.request)).toEqual(['POST /api/cameras/test', 'POST /api/cameras']);
    expect(JSON.parse(asked[1]?.body ?? '')).toEqual({
      name: 'gate',
      source: { kind: 'rtsp', url: 'rtsp://gate/' },
      credentials: { username: 'admin', password: 'secret' },
    });
  });

  it('add a camera with a sub source, which is tested with the same user', async () => {
    const result = { ok: true, tracks: [], warnings: [], fault: null };
    const { data, asked } = await localDoor({
      'POST /api/cameras/test': { body: result },
      'POST /api/cameras': { status: 201, body: camera('gate', 'live') },
    });

    const url = 'rtsp://ada:s3cret@gate/main';
    await weir(['cameras', 'add', 'gate', url, '--sub', 'rtsp://gate/sub', '--record-sub', '--data-directory', data]);

    const bodies = asked.map(({ body }) => JSON.parse(body));
    expect(bodies.map(({ source }) => source.url)).toEqual([url, 'rtsp://ada:s3cret@gate/sub', url]);
    expect(bodies[2].sub).toEqual({
      source: { kind: 'rtsp', url: 'rtsp://gate/sub' },
      recording: { mode: 'continuous' },
    });
  });

  it('show the stream key of a camera that publishes, once', async () => {
    const added = { ...camera('drone', 'idle'), source: { kind: 'rtmp' }, streamKeys: { main: 'first-key' } };
    const { data, asked } = await localDoor({
      'POST /api/cameras': { status: 201, body: added },
      'GET /api/cameras': { body: { cameras: [added] } },
      'POST /api/cameras/id-drone/stream-key': { status: 201, body: { role: 'main', streamKey: 'second-key' } },
    });

    const first = await weir(['cameras', 'add', 'drone', '--rtmp', '--data-directory', data]);
    const second = await weir(['cameras', 'key', 'drone', '--data-directory', data]);

    expect(JSON.parse(asked[0]?.body ?? '')).toEqual({ name: 'drone', source: { kind: 'rtmp' } });
    expect(first.out).toContain('stream key: first-key');
    expect(second.out).toContain('stream key: second-key');
  });

  it('tell where a camera publishes by WHIP, with its key', async () => {
    const added = {
      ...camera('booth', 'idle'),
      ...{ source: { kind: 'whip' }, streams: [{ name: 'booth 1' }], streamKeys: { main: 'its-key' } },
    };
    const { data, asked } = await localDoor({ 'POST /api/cameras': { status: 201, body: added } });

    const { out } = await weir(['cameras', 'add', 'booth', '--whip', '--data-directory', data]);
    const both = await weir(['cameras', 'add', 'booth', '--whip', '--rtmp', '--data-directory', data]);

    expect(JSON.parse(asked[0]?.body ?? '')).toEqual({ name: 'booth', source: { kind: 'whip' } });
    expect(out).toContain('/whip/booth%201 with the key as its bearer token');
    expect(out).toContain('stream key: its-key');
    expect(both.code).toBe(2);
  });

  it('do not add a camera that does not answer, and say how to add it all the same', async () => {
    const fault = { reason: 'refused', message: 'the camera refused the connection', hint: 'is it switched on?' };
    const { data, asked } = await localDoor({
      'POST /api/cameras/test': { body: { ok: false, tracks: [], warnings: [], fault } },
    });

    const { code, err } = await weir(['cameras', 'add', 'gate', 'rtsp://gate/', '--data-directory', data]);

    expect(code).toBe(exitCodes.unavailable);
    expect(err).toContain('the camera refused the connection');
    expect(err).toContain('--no-test adds it all the same');
    expect(asked).toHaveLength(1);
  });

  it('name the nearest camera when there is none of that name', async () => {
    const { data } = await localDoor({ 'GET /api/cameras': { body: { cameras: [camera('gate', 'live')] } } });

    const { code, err } = await weir(['cameras', 'remove', 'gaet', '--data-directory', data]);

    expect(code).toBe(exitCodes.not_found);
    expect(err).toContain('did you mean gate?');
  });

  const addresses: [string, string][] = [
    ['http://admin:secret@10.0.0.1/x', 'weir cameras profiles'],
    ['rtmp://10.0.0.1/live/secret', '--rtmp'],
  ];

  it.each(addresses)('say that %s is no address to pull from, and what there is for it', async (address, hint) => {
    const { data, asked } = await localDoor({});

    const { code, err } = await weir(['cameras', 'test', address, '--data-directory', data]);

    expect(code).toBe(exitCodes.invalid_argument);
    expect(err).toContain('is no address that Weir can pull from: it pulls rtsp:// and rtsps://');
    expect(err).toContain(hint);
    expect(err).not.toContain('secret');
    expect(asked).toEqual([]);
  });

  it('say in plain words why frames of a file were left out', async () => {
    const status = {
      ...{
        id: 'x',
        state: 'done',
        fileBytes: 3,
        mediaMs: 0,
        durationMs: null,
        remainingMs: null,
        beginMs: 0,
        endMs: 1,
      },
      ...{ fragments: 2, bytes: 3, alreadyThere: 0, skipped: 0, notes: [], fault: null },
      dropped: { 'before-run': 1, 'time-jump': 2 },
    };
    const { data } = await localDoor({
      'GET /api/cameras': { body: { cameras: [camera('gate', 'live')] } },
      'POST /api/cameras/id-gate/imports?at=1&name=a.mp4': { body: status },
    });
    const file = join(data, 'a.mp4');
    await writeFile(file, 'abc');

    const { code, out } = await weir(['import', file, '--camera', 'gate', '--at', '1', '--data-directory', data]);

    expect(code).toBe(0);
    expect(out).toContain('  1 frame left out: it lies before the first picture\n');
    expect(out).toContain('  2 frames left out: their times do not fit the rest of the file\n');
  });

  it('list the events of the last day, or of the day before an end, unless a span is given', async () => {
    const { data, asked } = await localDoor({ 'GET /api/cameras': { body: { cameras: [camera('gate', 'live')] } } });
    const askedFor = async (...flags: string[]) => {
      await weir(['events', 'list', 'gate', ...flags, '--data-directory', data]);
      const { searchParams } = new URL(asked.at(-1)?.request.replace('GET ', 'http://weir') ?? '');
      return [searchParams.get('begin'), searchParams.get('end')];
    };
    const beforeMs = systemClock.wallMs();

    const [begin, end] = await askedFor();

    expect(Number(end) - Number(begin)).toBe(24 * 3_600_000);
    expect(Number(end)).toBeGreaterThanOrEqual(beforeMs);
    expect(Number(end)).toBeLessThanOrEqual(systemClock.wallMs() + 1);
    expect(await askedFor('--end', '2026-01-31T12:00:00Z')).toEqual([
      String(Date.parse('2026-01-30T12:00:00Z')),
      '2026-01-31T12:00:00Z',
    ]);
    expect(await askedFor('--begin', '1', '--end', '2')).toEqual(['1', '2']);
  });

  it('mark this moment when no time is given, and what goes on when only its begin is', async () => {
    const { data, asked } = await localDoor({
      'GET /api/cameras': { body: { cameras: [camera('gate', 'live')] } },
      'POST /api/cameras/id-gate/event-ranges': { status: 201, body: { id: 'x' } },
    });
    const marked = async (...flags: string[]) => {
      await weir(['events', 'mark', 'gate', ...flags, '--data-directory', data]);
      return JSON.parse(asked.at(-1)?.body ?? '');
    };
    const beforeMs = systemClock.wallMs();

    const { begin, end } = await marked();

    expect(end).toBe(begin);
    expect(Date.parse(begin)).toBeGreaterThanOrEqual(beforeMs);
    expect(await marked('--begin', '2026-01-31T12:00:00Z')).toMatchObject({ begin: '2026-01-31T12:00:00Z', end: null });
  });

  it("pass the server's refusal on, code and all", async () => {
    const error = { code: 'already_exists', message: 'an account of that name exists', requestId: 'x' };
    const { data } = await localDoor({ 'POST /api/users': { status: 409, body: { error } } });

    const { code, err } = await weir(['users', 'add', 'eve', '--data-directory', data]);

    expect(code).toBe(exitCodes.already_exists);
    expect(err).toContain('an account of that name exists');
  });
});

it('the site key is shown by its fingerprint, and rotates', async () => {
  const data = await temporaryDirectory();
  const site = async (command: string) =>
    JSON.parse((await weir(['keys', command, '--json', '--data-directory', data])).out);

  const before = await site('site');
  const rotated = await site('rotate-site');

  expect(rotated.fingerprint).not.toBe(before.fingerprint);
  expect(rotated).toEqual({ ...(await site('site')), resealed: null });
  expect((await readFile(before.path, 'utf8')).trim().split('\n')).toHaveLength(2);
});

it('an authority that is not there yet is not found', async () => {
  const { code } = await weir(['ca', 'export', '--data-directory', await temporaryDirectory()]);

  expect(code).toBe(exitCodes.not_found);
});

it('a configuration file with an unknown key stops everything with code 2', async () => {
  const data = await temporaryDirectory();
  await writeFile(join(data, 'weir.yaml'), 'lisen:\n  port: 1\n');

  const { code, err } = await weir(['serve', '--data-directory', data]);

  expect(code).toBe(2);
  expect(err).toContain('the key lisen is not known');
});

it('a table is as wide as its widest cell', () => {
  expect(
    table(
      ['a', 'long'],
      [
        ['wide cell', 'x'],
        ['y', 'z'],
      ],
    ),
  ).toEqual(['A          LONG', 'wide cell  x', 'y          z']);
});
