/** A data directory as `serve` would have left it, with whatever is broken in it, and what the doctor says of it. */

import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../../../appliance/config/index.ts';
import { diagnose, mainEntry, pathsOf } from '../../../appliance/roles/index.ts';
import { cameraPurpose, SiteKey } from '../../../appliance/secrets/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import type { PlannedSource, RtspSource } from '../../../storage/model/camera.ts';
import { planOfSources, recordingPolicy } from '../../kit/plans.ts';
import { freePort } from '../../kit/temp.ts';

/** Ports of the test's own, and whatever flags it names. */
export async function configIn(dataDirectory: string, flags: Readonly<Record<string, string>> = {}) {
  const ports = {
    'listen.address': '127.0.0.1',
    'listen.port': String(await freePort()),
    'rtsp.port': String(await freePort()),
    'rtmp.port': String(await freePort()),
    'webrtc.port': String(await freePort()),
  };
  return loadConfig({
    flags: { dataDirectory, ...ports, ...flags },
    environment: {},
    workingDirectory: dataDirectory,
    installDirectory: dataDirectory,
  });
}

type Config = Awaited<ReturnType<typeof configIn>>;

/** Writes the plan of these cameras with their passwords sealed, as `serve` does. */
export async function writePlan(config: Config, cameras: readonly (Partial<RtspSource> & { readonly name: string })[]) {
  const paths = pathsOf(config);
  const key = await SiteKey.open(join(paths.secrets, 'site.key'), randomBytes);
  const box = key.box(cameraPurpose);
  const sources = cameras.map(({ name, username, password, url = '' }, index): PlannedSource => {
    const sealed = {
      ...(username === undefined ? {} : { username: box.seal(username) }),
      ...(password === undefined ? {} : { password: box.seal(password) }),
    };
    const source = { kind: 'rtsp', url, transport: 'tcp', tls: 'verify', ...sealed } as const;
    const id = `c${index}`;
    return {
      streamId: `s${index}`,
      cameraId: id,
      role: 'main',
      name,
      source,
      recording: recordingPolicy(),
      revision: 1,
    };
  });
  await mkdir(paths.state, { recursive: true });
  await writeFile(paths.plan, JSON.stringify(planOfSources(...sources)));
}

/** What the doctor's process says, by `area subject`. */
export async function diagnosisOf(config: Config) {
  const { signal } = new AbortController();
  const diagnosis = await diagnose(
    { clock: systemClock },
    { entry: mainEntry, signal, config, configOrigin: 'command', configFault: undefined },
  );
  const wrong = diagnosis.findings.filter(({ verdict }) => verdict === 'fault' || verdict === 'warning');
  return {
    ...diagnosis,
    of: (area: string) => diagnosis.findings.filter((finding) => finding.area === area),
    /** Codes of what is wrong in one area. */
    codes: (area: string) => wrong.filter((finding) => finding.area === area).map(({ code }) => code),
  };
}
