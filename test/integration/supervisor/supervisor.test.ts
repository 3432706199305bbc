/** The supervisor with roles that only say what they hear. */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { cameraPurpose, SiteKey } from '../../../appliance/secrets/index.ts';
import type { SupervisorMessage } from '../../../appliance/supervisor/index.ts';
import { RoleProcess } from '../../../appliance/supervisor/role-process.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';

type Heard = { name: string; pid: number; event: string; [fact: string]: unknown };

const script = (name: string) => join(import.meta.dirname, name);

async function heardIn(log: string): Promise<Heard[]> {
  const text = await readFile(log, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

async function startSupervisor(
  data: string,
  environment: Record<string, string> = {},
): Promise<{
  child: ChildProcess;
  output: () => string;
  heard: () => Promise<Heard[]>;
  pidOf: (name: string, count?: number) => Promise<number>;
}> {
  const log = join(data, 'heard.jsonl');
  const child = spawn(process.execPath, [script('run-supervisor.ts'), data], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, FAKE_ROLE_LOG: log, ...environment },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const heard = () => heardIn(log);
  const pidOf = (name: string, count = 1) =>
    until(`start ${count} of ${name}`, async () => {
      const starts = (await heard()).filter((line) => line.name === name && line.event === 'start');
      return starts[count - 1]?.pid;
    });
  return { child, output: () => output, heard, pidOf };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function writePlan(data: string, password: string): Promise<void> {
  const box = (await SiteKey.open(join(data, 'site.key'), randomBytes)).box(cameraPurpose);
  const source = {
    kind: 'rtsp',
    url: 'rtsp://camera/',
    transport: 'tcp',
    tls: 'verify',
    username: box.seal('user'),
    password: box.seal(password),
  };
  const recording = { isRecording: true, retentionHours: 1 };
  const planned = { streamId: 's', cameraId: 'c', name: 'gate', source, recording, revision: 1 };
  await mkdir(join(data, 'state'), { recursive: true });
  await writeFile(join(data, 'state', 'plan.json'), JSON.stringify({ version: 1, sources: [planned] }));
}

/** A plan of one ONVIF device, its password sealed. */
async function writeDevice(data: string, password: string): Promise<void> {
  const box = (await SiteKey.open(join(data, 'site.key'), randomBytes)).box(cameraPurpose);
  const login = { username: box.seal('user'), password: box.seal(password) };
  const device = { cameraId: 'c', streamId: 's', name: 'gate', url: 'http://camera/', tls: 'verify', revision: 1 };
  await mkdir(join(data, 'state'), { recursive: true });
  await writeFile(
    join(data, 'state', 'plan.json'),
    JSON.stringify({ version: 2, sources: [], devices: [{ ...device, ...login }] }),
  );
}

describe('the supervisor', () => {
  it('starts recording first, with the credentials open for it and nobody else', async () => {
    const data = await temporaryDirectory();
    await writePlan(data, 'secret');

    const { heard, pidOf } = await startSupervisor(data);
    await Promise.all(['ingest-0', 'keeper', 'serve'].map((name) => pidOf(name)));

    const starts = (await heard()).filter((line) => line.event === 'start');
    expect(starts[0]?.name).toBe('ingest-0');
    expect(starts.map((line) => line.name).sort()).toEqual(['ingest-0', 'keeper', 'serve']);
    const text = (name: string) => JSON.stringify(starts.find((line) => line.name === name));
    expect(text('ingest-0')).toContain('"password":"secret"');
    expect(text('keeper')).toContain('"streamId":"s"');
    expect(text('keeper')).not.toContain('password');
    expect(text('serve')).not.toContain('"streamId"');
  });

  it('sends a changed plan to recording and keeper when serve says so', async () => {
    const data = await temporaryDirectory();
    const { heard, pidOf } = await startSupervisor(data);
    const serve = await pidOf('serve');

    await writePlan(data, 'second');
    process.kill(serve, 'SIGUSR2');

    const plans = await until('both plans', async () => {
      const found = (await heard()).filter((line) => line.event === 'plan');
      return found.length === 2 && found;
    });
    const ofIngest = JSON.stringify(plans.find((line) => line.name === 'ingest-0'));
    expect(ofIngest).toContain('"password":"second"');
    expect(JSON.stringify(plans.find((line) => line.name === 'keeper'))).not.toContain('password');
  });

  it('starts the role onvif when serve is about to ask it, once, and tells it of devices alone', async () => {
    const data = await temporaryDirectory();
    const { heard, pidOf } = await startSupervisor(data);
    const serve = await pidOf('serve');
    expect((await heard()).map((line) => line.name)).not.toContain('onvif');

    process.kill(serve, 'SIGHUP');
    await pidOf('onvif');
    process.kill(serve, 'SIGHUP');
    await writeDevice(data, 'secret');
    process.kill(serve, 'SIGUSR2');

    const plan = await until('its plan', async () =>
      (await heard()).find((line) => line.name === 'onvif' && line.event === 'plan'),
    );
    expect(plan.plan).toMatchObject({ sources: [], devices: [{ cameraId: 'c', password: 'secret' }] });
    expect((await heard()).filter((line) => line.name === 'onvif' && line.event === 'start')).toHaveLength(1);
    const ofOthers = (await heard()).filter((line) => line.name !== 'onvif');
    expect(JSON.stringify(ofOthers)).not.toContain('secret');
  });

  it('starts the role onvif with the others when a camera has a device', async () => {
    const data = await temporaryDirectory();
    await writeDevice(data, 'secret');

    const { heard, pidOf } = await startSupervisor(data);
    await pidOf('onvif');

    const start = (await heard()).find((line) => line.name === 'onvif');
    expect(JSON.stringify(start)).toContain('"password":"secret"');
  });

  it('starts a killed role anew, tells serve, and the keeper when it was recording', async () => {
    const data = await temporaryDirectory();
    const { heard, pidOf } = await startSupervisor(data);
    await pidOf('serve');

    process.kill(await pidOf('ingest-0'), 'SIGKILL');
    await pidOf('ingest-0', 2);

    const lines = await until('all that follows', async () => {
      const found = await heard();
      const isTold = found.some((line) => line.name === 'keeper' && line.event === 'ingest-ended');
      const restarts = found.findLast((line) => line.event === 'roles')?.roles as { role: string; restarts: number }[];
      return isTold && restarts?.find((role) => role.role === 'ingest-0')?.restarts === 1 && found;
    });
    const reasons = lines
      .filter((line) => line.event === 'roles')
      .flatMap((line) => (line.roles as { role: string; state: string; reason?: string }[]) ?? [])
      .filter((role) => role.role === 'ingest-0' && role.state === 'waiting');
    expect(reasons[0]?.reason).toBe('SIGKILL');
  });

  it('shows what serve wants shown, once over all its starts', async () => {
    const data = await temporaryDirectory();
    const { output, pidOf } = await startSupervisor(data);

    await until('the notice', () => output().includes('hello'));
    process.kill(await pidOf('serve'), 'SIGKILL');
    await pidOf('serve', 2);

    expect(output()).toBe('hello\n');
  });

  it('shows once why there is no page, when serve cannot even start', async () => {
    const { output, pidOf } = await startSupervisor(await temporaryDirectory(), { FAKE_ROLE_FAILING: 'serve' });

    await pidOf('serve', 3);

    expect(output().match(/The page is not there: the port is taken \(free it\)/g)).toHaveLength(1);
    expect(output()).toContain('Cameras are recorded all the same');
  });

  it('stops all roles when it is stopped, and starts none of them anew', async () => {
    const data = await temporaryDirectory();
    const { child, heard, pidOf } = await startSupervisor(data);
    await Promise.all(['ingest-0', 'keeper', 'serve'].map((name) => pidOf(name)));

    child.kill('SIGTERM');
    await once(child, 'exit');

    const lines = await heard();
    expect(lines.filter((line) => line.event === 'term').map((line) => line.name)).toEqual([
      'serve',
      'keeper',
      'ingest-0',
    ]);
    expect(lines.filter((line) => line.event === 'start')).toHaveLength(3);
    expect(lines.some((line) => isAlive(line.pid))).toBe(false);
  });

  it('takes its roles with it when it is killed', async () => {
    const data = await temporaryDirectory();
    const { child, pidOf } = await startSupervisor(data);
    const pids = await Promise.all(['ingest-0', 'keeper', 'serve'].map((name) => pidOf(name)));

    child.kill('SIGKILL');

    await until('no role is left', () => !pids.some(isAlive));
  });

  it('refuses a second one on its data directory, and not the next after a kill', async () => {
    const data = await temporaryDirectory();
    const first = await startSupervisor(data);
    await first.pidOf('serve');

    const second = await startSupervisor(data);
    await once(second.child, 'exit');
    expect(second.output()).toBe(`refused: Weir already runs on ${data} (process ${first.child.pid})\n`);

    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    const third = await startSupervisor(data);
    await third.pidOf('serve', 2);
  });
});

describe('a role that is no longer well', () => {
  function roleProcess(name: string, log: string, patience: { stopMs: number; silenceMs: number }) {
    process.env.FAKE_ROLE_LOG = log;
    const role = new RoleProcess(
      {
        clock: systemClock,
        log: silentLog,
        onState: () => {},
        onFigures: () => {},
        onMessage: () => {},
        onEnded: () => {},
        stopping: new AbortController().signal,
      },
      {
        name,
        entry: script('fake-role.ts'),
        args: ['role', name],
        execArgv: [],
        patience: { firstDelayMs: 10, delayMsMax: 50, ...patience },
        startMessage: () => ({ type: 'start' }) as SupervisorMessage,
      },
    );
    onTestFinished(() => role.close());
    return role;
  }

  it('is killed when it ignores the wish to stop', async () => {
    const role = roleProcess('stubborn', join(await temporaryDirectory(), 'log'), { stopMs: 200, silenceMs: 60_000 });
    role.start();
    const pid = await until('it runs', () => role.state.pid);
    await role.firstStart;

    await role.close();

    expect(isAlive(pid)).toBe(false);
    expect(role.state.state).toBe('stopped');
  });

  it('is killed and started anew when it hangs', async () => {
    const role = roleProcess('hanging', join(await temporaryDirectory(), 'log'), { stopMs: 200, silenceMs: 1_000 });
    role.start();
    const pid = await until('it runs', () => role.state.pid);

    process.kill(pid, 'SIGSTOP');

    await until('another process', () => role.state.pid !== undefined && role.state.pid !== pid);
    expect(role.state.reason).toBe('it gave no sign of life and was killed');
  });
});
