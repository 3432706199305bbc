/** The plan as `serve` keeps it has sealed credentials; `ingest` gets them open, in memory only. */

import type { Plan, PlannedSource } from '../../storage/model/camera.ts';
import type { SecretBox } from './site-key.ts';

/** What camera credentials are sealed for. */
export const cameraPurpose = 'camera';

export type OpenedPlan = {
  readonly plan: Plan;
  /** Sources whose credentials do not open. They are left out: a wrong password would lock us out of the camera. */
  readonly unopened: readonly { readonly source: PlannedSource; readonly error: unknown }[];
};

/** Opens user names and passwords one by one, so that one damaged secret costs one camera. */
export function openPlan(sealed: Plan, box: SecretBox): OpenedPlan {
  const sources: PlannedSource[] = [];
  const unopened: { source: PlannedSource; error: unknown }[] = [];
  for (const planned of sealed.sources) {
    try {
      const { username, password } = planned.source;
      const source = {
        ...planned.source,
        ...(username === undefined ? {} : { username: box.unseal(username) }),
        ...(password === undefined ? {} : { password: box.unseal(password) }),
      };
      sources.push({ ...planned, source });
    } catch (error) {
      unopened.push({ source: planned, error });
    }
  }
  return { plan: { version: 1, sources }, unopened };
}
