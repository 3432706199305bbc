/**
 * Third parties' cameras. `ipycam` comes from the Python registry; the simulator by GyeongHoKim (Go, built from its source) is used
 * where WEIR_ONVIF_SIMULATOR names its program, since it has events.
 */

import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { OnvifCamera } from '../../../gateway/onvif/camera.ts';
import { type EventRange, Onvif } from '../../../gateway/onvif/index.ts';
import { AddressPolicy } from '../../../storage/base/address-policy.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { ipycamFolder, startIpycam } from '../../kit/ipycam.ts';
import { runCommand } from '../../kit/run-command.ts';
import { freePort, temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';

const addresses = new AddressPolicy({ networks: [] });

const folder = await ipycamFolder();
const simulator = process.env.WEIR_ONVIF_SIMULATOR;
const { signal } = new AbortController();
const login = { username: 'admin', password: 'pass word' };

function ours(sink: ConstructorParameters<typeof Onvif>[0]['sink'] = { began() {}, ended() {} }): Onvif {
  const onvif = new Onvif({ addresses, clock: systemClock, log: silentLog, sink, random: randomBytes });
  onTestFinished(() => onvif.close());
  return onvif;
}

describe.skipIf(folder === undefined)('ipycam', () => {
  const start = () => startIpycam({ folder: folder ?? '', ...login });

  it('is looked at: clock, profiles, streams, and what it can do', async () => {
    const { url } = await start();

    const found = await ours().inspect({ url, tls: 'verify', ...login }, signal);

    expect(found).toMatchObject({ manufacturer: 'PythonCam', hasMedia2: false, hasEvents: false });
    expect(found.ptz).toEqual({ continuous: true, absolute: true, relative: true, presetsMax: 10, home: true });
    expect(Math.abs(found.clock?.offsetMs ?? Number.NaN)).toBeLessThanOrEqual(found.clock?.accuracyMs ?? 0);
    expect(found.channels).toEqual([{ videoSource: 'VS_1', main: 'Profile_Main', sub: 'Profile_Sub' }]);
    expect(found.profiles[0]?.url).toMatch(/^rtsp:\/\/127\.0\.0\.1:8554\//);
  });

  it('refuses a wrong password', async () => {
    const { url } = await start();

    const looking = ours().inspect({ url, tls: 'verify', ...login, password: 'wrong' }, signal);

    await expect(looking).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('is moved, and its presets are made and gone to', async () => {
    const { url } = await start();
    const camera = new OnvifCamera(
      { addresses, clock: systemClock, log: silentLog, sink: { began() {}, ended() {} }, random: randomBytes },
      { cameraId: 'c', streamId: 's', name: 'c', revision: 1, url, tls: 'verify', ...login },
    );
    camera.start();
    onTestFinished(() => camera.close());
    const ptz = await camera.ptz(signal);

    await ptz.move({ pan: 0.5, tilt: 0.5 }, signal);
    await ptz.stop(signal);
    const token = await ptz.setPreset({ name: 'Gate & yard' }, signal);
    await ptz.gotoPreset(token ?? '', signal);

    expect(await ptz.presets(signal)).toContainEqual({ token, name: expect.stringContaining('Gate') });
  });

  it('is found by multicast', async () => {
    const { url } = await start();

    const found = await until('it is found', async () => {
      const devices = await ours().search({ interfaces: ['127.0.0.1'], searchMs: 700 });
      return devices.find(({ urls }) => urls.includes(url));
    });

    expect(found.name).toBe('Virtual Camera');
  });
});

describe.skipIf(simulator === undefined)('the simulator by GyeongHoKim', () => {
  it('tells events, which become ranges', async () => {
    const directory = await temporaryDirectory();
    const port = await freePort();
    const config = join(directory, 'onvif-simulator.json');
    await runCommand('ffmpeg', [
      '-f',
      'lavfi',
      '-i',
      'testsrc=duration=1',
      '-pix_fmt',
      'yuv420p',
      join(directory, 'a.mp4'),
    ]);
    await writeFile(config, JSON.stringify(simulatorConfig(port, await freePort(), join(directory, 'a.mp4'))));
    const env = { ...process.env, XDG_CONFIG_HOME: directory };
    const child = spawn(simulator ?? '', ['serve', '-config', config], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void child.kill());
    let said = '';
    child.stdout.on('data', (text: Buffer) => {
      said += text.toString();
    });
    await until('it serves', () => said.includes('control port'));
    const began: EventRange[] = [];
    const ended: EventRange[] = [];
    const onvif = ours({ began: (range) => void began.push(range), ended: (range) => void ended.push(range) });
    const url = `http://127.0.0.1:${port}/onvif/device_service`;
    await onvif.apply([
      {
        cameraId: 'c',
        streamId: 's',
        name: 'c',
        revision: 1,
        url,
        tls: 'verify',
        username: 'admin',
        password: 'admin',
      },
    ]);
    await until('it is heard', () => onvif.camera('c').eventState.state === 'listening');
    const tell = (...args: string[]) => promisify(execFile)(simulator ?? '', ['event', ...args], { env });

    await tell('motion', 'VS', 'on');
    await until('motion began', () => began.length === 1);
    await tell('motion', 'VS', 'off');
    await until('motion ended', () => ended.length === 1);
    await tell('digital-input', 'DI', 'on');
    await tell('image-too-dark', 'VS', 'on');
    await until('both began', () => began.length === 3);

    expect(began.map(({ kind }) => kind)).toEqual(['motion', 'digital-input', 'tamper']);
    expect((await onvif.inspect({ url, tls: 'verify', username: 'admin', password: 'admin' }, signal)).model).toBe(
      'Sim',
    );
  });
});

function simulatorConfig(httpPort: number, rtspPort: number, file: string) {
  return {
    version: 1,
    device: { uuid: 'urn:uuid:00000000-0000-4000-8000-000000000001', manufacturer: 'x', model: 'Sim', serial: '1' },
    network: { http_port: httpPort, rtsp_port: rtspPort },
    // It announces itself to nobody.
    runtime: { discovery_mode: 'NonDiscoverable' },
    media: { profiles: [{ name: 'main', token: 'main', media_file_path: file, video_source_token: 'VS' }] },
    auth: {
      enabled: true,
      users: [{ username: 'admin', password: 'admin', role: 'Administrator' }],
      digest: { realm: 'simulator', algorithms: ['MD5'], nonce_ttl: '5m' },
    },
    events: {
      max_pull_points: 10,
      subscription_timeout: '1h',
      topics: ['VideoSource/MotionAlarm', 'VideoSource/ImageTooDark', 'Device/Trigger/DigitalInput'].map((topic) => ({
        name: `tns1:${topic}`,
        enabled: true,
      })),
    },
  };
}
