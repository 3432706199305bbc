/** The plan as `serve` keeps it has sealed credentials; `ingest` gets them open, in memory only. */

import type { Plan, PlannedDevice, PlannedSource } from '../../storage/model/camera.ts';
import type { SecretBox } from './site-key.ts';

/** What camera credentials are sealed for. */
export const cameraPurpose = 'camera';

export type OpenedPlan = {
  readonly plan: Plan;
  /** What is left out since its credentials do not open: a wrong password would lock us out of the camera. */
  readonly unopened: readonly { readonly cameraId: string; readonly what: string; readonly error: unknown }[];
};

/** Opens user names and passwords one by one, so that one damaged secret costs one source. */
export function openPlan(sealed: Plan, box: SecretBox): OpenedPlan {
  const unopened: { cameraId: string; what: string; error: unknown }[] = [];
  const attempt = <T extends { readonly cameraId: string }>(planned: T, what: string, open: () => T): T[] => {
    try {
      return [open()];
    } catch (error) {
      unopened.push({ cameraId: planned.cameraId, what, error });
      return [];
    }
  };
  const sources = sealed.sources.flatMap((planned) =>
    attempt(planned, `its ${planned.role} source is not recorded`, () => openedSource(planned, box)),
  );
  const devices = sealed.devices.flatMap((planned) =>
    attempt(planned, 'ONVIF is not asked', () => ({ ...planned, ...openedCredentials(planned, box) })),
  );
  return { plan: { version: 2, sources, devices }, unopened };
}

/** The plan without any user or password, for who does not connect to cameras. */
export function withoutCredentials(plan: Plan): Plan {
  return {
    version: 2,
    sources: plan.sources.map((planned) =>
      planned.source.kind === 'rtsp' ? { ...planned, source: stripped(planned.source) } : planned,
    ),
    devices: plan.devices.map(stripped),
  };
}

function openedSource(planned: PlannedSource, box: SecretBox): PlannedSource {
  const { source } = planned;
  if (source.kind !== 'rtsp') return planned;
  return { ...planned, source: { ...source, ...openedCredentials(source, box) } };
}

type Credentials = Pick<PlannedDevice, 'username' | 'password'>;

function openedCredentials({ username, password }: Credentials, box: SecretBox): Credentials {
  return {
    ...(username === undefined ? {} : { username: box.unseal(username) }),
    ...(password === undefined ? {} : { password: box.unseal(password) }),
  };
}

function stripped<T extends Credentials>({ username: _, password: __, ...rest }: T): Omit<T, keyof Credentials> {
  return rest;
}
