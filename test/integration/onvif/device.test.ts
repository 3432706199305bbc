/** A device asked over HTTP: its clock, services, profiles, movements, and what hostile ones can do (nothing). */

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { OwnCertificates } from '../../../appliance/tls/index.ts';
import { OnvifCamera } from '../../../gateway/onvif/camera.ts';
import { OnvifDevice } from '../../../gateway/onvif/device.ts';
import { inspectDevice } from '../../../gateway/onvif/inspect.ts';
import { onvifLimits } from '../../../gateway/onvif/limits.ts';
import { unheard } from '../../../gateway/onvif/soap-words.ts';
import { AddressPolicy } from '../../../storage/base/address-policy.ts';
import { type Clock, systemClock } from '../../../storage/base/clock.ts';
import { AppError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { envelope, type OnvifCameraOptions, TestOnvifCamera } from '../../kit/onvif-camera.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';

const deps = { clock: systemClock, random: randomBytes, addresses: new AddressPolicy({ networks: [] }) };
const { signal } = new AbortController();
const credentials = { username: 'ad&min', password: 'pä<ss>"wörd' };

async function camera(options: OnvifCameraOptions = {}): Promise<TestOnvifCamera> {
  const started = new TestOnvifCamera(options);
  await started.start();
  onTestFinished(() => started.close());
  return started;
}

describe('a device', () => {
  it('where no camera may be is never connected to, by its address or by a name', async () => {
    const standing = await camera();
    const { port } = new URL(standing.url);
    const within = { ...deps, addresses: new AddressPolicy({ networks: ['10.0.0.0/8'] }) };
    const path = 'onvif/device_service';
    const urls = [standing.url, `http://localhost:${port}/${path}`, `http://[::ffff:127.0.0.1]:${port}/${path}`];
    const codeOf = (asking: typeof deps, url: string) =>
      inspectDevice(asking, { url, tls: 'verify' }, signal).then(
        () => 'reached',
        (error: AppError) => error.code,
      );

    const codes = await Promise.all(urls.map((url) => codeOf(within, url)));

    expect(codes).toEqual(['permission_denied', 'permission_denied', 'permission_denied']);
    expect(await codeOf(deps, `http://169.254.169.254/${path}`)).toBe('permission_denied');
    expect(await codeOf(deps, standing.url)).toBe('reached');
  });

  it('tells profiles by Media2, H.265 among them, with a main and a sub for each scene', async () => {
    const { url } = await camera({
      profiles: [
        { token: 'small', encoding: 'JPEG', widthPixels: 320, heightPixels: 240 },
        { token: 'sub', encoding: 'H264', widthPixels: 640, heightPixels: 360 },
        { token: 'tiny', encoding: 'H264', widthPixels: 176, heightPixels: 144 },
        { token: 'main', encoding: 'H265', widthPixels: 3840, heightPixels: 2160 },
        { token: 'mid', encoding: 'H264', widthPixels: 1920, heightPixels: 1080 },
        { token: 'other', source: 'vs2', encoding: 'H264', widthPixels: 1280, heightPixels: 720 },
      ],
    });

    const found = await inspectDevice(deps, { url, tls: 'verify' }, signal);

    expect(found.hasMedia2).toBe(true);
    expect(found.profiles.map(({ token, codec }) => `${token} ${codec}`)).toEqual([
      'small jpeg',
      'sub h264',
      'tiny h264',
      'main h265',
      'mid h264',
      'other h264',
    ]);
    expect(found.channels).toEqual([
      { videoSource: 'vs', main: 'main', sub: 'sub' },
      { videoSource: 'vs2', main: 'other', sub: undefined },
    ]);
    expect(found).toMatchObject({ manufacturer: 'Weir', model: 'Test', hasEvents: true, ptz: { presetsMax: 100 } });
  });

  it('that knows Media1 and GetCapabilities alone is understood too', async () => {
    const { url } = await camera({ hasServices: false, services: ['media'] });

    const found = await inspectDevice(deps, { url, tls: 'verify' }, signal);

    expect(found.hasMedia2).toBe(false);
    expect(found.ptz).toBeUndefined();
    expect(found.channels).toEqual([{ videoSource: 'vs', main: 'main', sub: 'sub' }]);
  });

  it('whose Media2 fails is asked by Media1', async () => {
    const { url } = await camera({
      instead: (operation, response) => {
        if (operation !== 'GetProfiles' || response.req.url?.includes('media2') !== true) return false;
        envelope(response, '', 500);
        return true;
      },
    });

    const { channels } = await inspectDevice(deps, { url, tls: 'verify' }, signal);

    expect(channels).toHaveLength(1);
  });

  it('behind NAT is asked where it was found, and so are its streams', async () => {
    const { url, port } = await camera({ host: '192.0.2.77' });

    const { profiles } = await inspectDevice(deps, { url, tls: 'verify' }, signal);

    expect(profiles[0]?.url).toBe('rtsp://127.0.0.1:554/main?a=1&b=2');
    expect(port).toBeGreaterThan(0);
  });

  it.each([-7 * 3_600_000, 0, 86_400_000 * 365])(
    'with a clock %i ms off is logged into all the same',
    async (clockOffsetMs) => {
      const { url } = await camera({ credentials, clockOffsetMs });

      const { clock } = await inspectDevice(deps, { url, tls: 'verify', ...credentials }, signal);

      expect(Math.abs((clock?.offsetMs ?? Number.NaN) - clockOffsetMs)).toBeLessThanOrEqual(clock?.accuracyMs ?? 0);
    },
  );

  it('whose clock is set meanwhile is logged into with its new time', async () => {
    const standing = await camera({ credentials, clockOffsetMs: -86_400_000 });
    const device = new OnvifDevice(deps, { url: standing.url, tls: 'verify', ...credentials });
    await device.connect(signal);

    standing.clockOffsetMs = 0;
    const answer = await device.ask((client) => client.getDeviceInformation(unheard), { signal });

    expect(answer.name).toBe('GetDeviceInformationResponse');
    expect(Math.abs(device.clock?.offsetMs ?? Number.NaN)).toBeLessThan(5_000);
  });

  it('over TLS must be trusted, or any certificate be allowed', async () => {
    const authority = new OwnCertificates(
      { clock: systemClock, log: silentLog, random: randomBytes, machineNames: () => ['127.0.0.1'] },
      { directory: await temporaryDirectory(), names: [] },
    );
    await authority.start();
    onTestFinished(() => authority.close());
    const { url } = await camera({ tls: authority.identity() });

    const found = await inspectDevice(deps, { url, tls: 'any' }, signal);

    // It told plain addresses; they are asked as well protected as the entered one.
    expect(found.channels).toHaveLength(1);
    await expect(inspectDevice(deps, { url, tls: 'verify' }, signal)).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringContaining('certificate'),
    });
  });

  it('that wants HTTP digest gets it', async () => {
    const { url } = await camera({ credentials, login: 'digest' });

    const { model } = await inspectDevice(deps, { url, tls: 'verify', ...credentials }, signal);

    expect(model).toBe('Test');
  });

  it.each(['token', 'digest'] as const)('that refuses the login (%s) says so without telling it', async (login) => {
    const { url } = await camera({ credentials, login });

    const failure = await inspectDevice(deps, { url, tls: 'verify', username: 'x', password: 'secret7' }, signal).catch(
      (error: unknown) => error,
    );

    expect(failure).toMatchObject({ code: 'unauthenticated', hint: expect.stringContaining('locked') });
    expect(JSON.stringify(failure)).not.toContain('secret7');
  });

  it('is asked once by all who look at it together, and again later', async () => {
    const standing = await camera();
    let nowMs = 0;
    const clock: Clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + nowMs };
    const ours = new OnvifCamera(
      { ...deps, clock, log: silentLog, sink: { began() {}, ended() {} } },
      { cameraId: 'c', streamId: 's', name: 'c', revision: 1, url: standing.url, tls: 'verify' },
    );
    onTestFinished(() => ours.close());

    const all = await Promise.all(Array.from({ length: 50 }, () => ours.facts(signal)));
    await ours.facts(signal);
    const together = standing.operations('GetServices').length;
    nowMs += onvifLimits.factsMs;
    await ours.facts(signal);

    expect(all.every(({ fault }) => fault === undefined)).toBe(true);
    expect([together, standing.operations('GetServices').length]).toEqual([1, 2]);
  });

  it('has its clock set to the second, and set back to its time server', async () => {
    const standing = await camera({ clockOffsetMs: 3_600_000 });
    const ours = new OnvifCamera(
      { ...deps, log: silentLog, sink: { began() {}, ended() {} } },
      { cameraId: 'c', streamId: 's', name: 'c', revision: 1, url: standing.url, tls: 'verify' },
    );
    onTestFinished(() => ours.close());

    await ours.setClock('ours', signal);

    expect(Math.abs(standing.clockOffsetMs)).toBeLessThan(1_000);
    expect(standing.operations('SetSystemDateAndTime')[0]?.body).toContain('CET-1CEST');

    await ours.setClock('ntp', signal);

    expect(standing.dateTimeType).toBe('NTP');
  });
});

describe('movements', () => {
  async function moving(options: OnvifCameraOptions = {}, clock: Clock = systemClock) {
    const standing = await camera(options);
    const ours = new OnvifCamera(
      { ...deps, clock, log: silentLog, sink: { began() {}, ended() {} } },
      { cameraId: 'c', streamId: 's', name: 'c', revision: 1, url: standing.url, tls: 'verify' },
    );
    ours.start();
    onTestFinished(() => ours.close());
    return { standing, ours, ptz: await ours.ptz(signal) };
  }

  it('stop by themselves when their viewer falls silent', async () => {
    const { standing, ptz } = await moving();

    await ptz.move({ pan: 0.5 }, signal);

    expect(standing.isMoving).toBe(true);
    expect(standing.operations('ContinuousMove')[0]?.body).toContain('<Timeout>PT4S</Timeout>');
    await until('the camera stands, and we know it', () => !standing.isMoving && !ptz.isMoving);
  });

  it('that are repeated go on without asking the camera each time', async () => {
    // On a busy machine five calls may take longer than a move is held.
    const { standing, ptz } = await moving({}, { ...systemClock, monotonicMs: () => 0, after: () => () => {} });

    for (let times = 0; times < 5; times++) await ptz.move({ pan: 0.5, tilt: -0.2 }, signal);

    expect(standing.operations('ContinuousMove')).toHaveLength(1);
    await ptz.move({ pan: -0.5 }, signal);
    expect(standing.operations('ContinuousMove')).toHaveLength(2);
    await ptz.move({ pan: 0 }, signal);
    expect(standing.isMoving).toBe(false);
  });

  it('stop when the camera is no longer ours', async () => {
    const { standing, ours, ptz } = await moving();
    await ptz.move({ zoom: 1 }, signal);

    await ours.close();

    expect(standing.isMoving).toBe(false);
  });

  it('are stopped although the first stop is lost', async () => {
    let lost = 0;
    const { standing, ptz } = await moving({
      instead: (operation, response) => {
        if (operation !== 'Stop' || lost++ > 0) return false;
        response.destroy();
        return true;
      },
    });
    await ptz.move({ pan: 1 }, signal);

    await ptz.stop(signal);

    expect(standing.isMoving).toBe(false);
  });

  it('go to positions and presets, which are made, listed and removed', async () => {
    const { standing, ptz } = await moving();

    await ptz.absolute({ pan: 0.1, tilt: 0.2, zoom: 0.3 }, signal);
    await ptz.relative({ pan: 0.1 }, signal);
    const token = await ptz.setPreset({ name: 'Gate & <yard>' }, signal);
    const presets = await ptz.presets(signal);
    await ptz.gotoPreset(token ?? '', signal);
    await ptz.removePreset(token ?? '', signal);

    expect(presets).toEqual([{ token: 'preset-1', name: 'Gate & <yard>' }]);
    expect(standing.presets.size).toBe(0);
    await expect(ptz.gotoPreset('gone', signal)).rejects.toMatchObject({ code: 'unimplemented' });
  });
});

describe('a hostile device', () => {
  const ask = (url: string, timeoutMs?: number) =>
    new OnvifDevice(deps, { url, tls: 'verify', username: 'u', password: 'p' }).ask(
      (client) => client.getDeviceInformation(unheard),
      { signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) },
    );
  const saying = (say: NonNullable<OnvifCameraOptions['instead']>) =>
    camera({ instead: (...all) => say(...all) || true });

  it('cannot send us elsewhere', async () => {
    let visits = 0;
    const elsewhere = createServer((_, response) => {
      visits++;
      response.end();
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void elsewhere.close());
    const location = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`;
    const { url } = await saying((_, response) => {
      response.writeHead(307, { location });
      response.end();
      return true;
    });

    await expect(ask(url)).rejects.toMatchObject({ code: 'failed_precondition' });
    expect(visits).toBe(0);
  });

  it('cannot make us keep more than an answer', async () => {
    let sentBytes = 0;
    const { url } = await saying((_, response) => {
      const chunk = Buffer.alloc(65_536, 32);
      const more = () => {
        while (!response.destroyed && response.write(chunk)) sentBytes += chunk.length;
      };
      response.on('drain', more);
      more();
      return true;
    });

    await expect(ask(url)).rejects.toMatchObject({ code: 'resource_exhausted' });
    expect(sentBytes).toBeLessThan(10 * onvifLimits.answerBytesMax);
  });

  it('cannot hold us with an answer that never ends', async () => {
    const { url } = await saying((_, response) => {
      const drip = setInterval(() => response.write(' '), 20);
      response.once('close', () => clearInterval(drip));
      return true;
    });

    await expect(ask(url, 300)).rejects.toMatchObject({ code: 'deadline_exceeded' });
  });

  it('cannot hurt with any answer', async () => {
    const good =
      '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><GetDeviceInformationResponse><Manufacturer>x</Manufacturer></GetDeviceInformationResponse></s:Body></s:Envelope>';
    const bomb = `<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>${good}`;
    const hostile = fc.oneof(
      fc.nat({ max: good.length }).map((length) => good.slice(0, length)),
      fc.constant(bomb),
      fc.constant('xmlns'.repeat(100_000)),
      fc.constant('<a>'.repeat(50_000)),
      fc.constant(`<a ${'b="1" '.repeat(50_000)}`),
      fc.string({ maxLength: 200 }),
      fc.string({ maxLength: 50 }).map((text) => good.replace('Envelope', text)),
    );
    let answer = '';
    const { url } = await saying((_, response) => {
      response.writeHead(200);
      response.end(answer);
      return true;
    });

    await fc.assert(
      fc.asyncProperty(hostile, async (text) => {
        answer = text;
        const result = await ask(url).catch((error: unknown) => error);
        expect(result instanceof AppError ? result.code : (result as { name?: string }).name).toMatch(
          /^(data_loss|unavailable|resource_exhausted|GetDeviceInformationResponse|Body)$/,
        );
      }),
      { numRuns: 60 },
    );
  });
});
