/** What the doctor takes from the running appliance. */

import { expect, test } from 'vitest';
import { lookAtAppliance } from '../../../appliance/doctor/look-appliance.ts';
import { systemClock } from '../../../storage/base/clock.ts';

/** The hint under which an alarm of these subjects is told. */
async function hintOf(hints: readonly (string | null)[]): Promise<string | null | undefined> {
  const subjects = hints.map((hint) => ({ hint }));
  const alarm = { code: 'camera-away', severity: 'error', title: 'cameras are away', subjects };
  const answers: Readonly<Record<string, unknown>> = {
    '/api/system': { version: '1', roles: [], keeper: null },
    '/api/alarms?state=standing&limit=100': { alarms: [alarm] },
    '/api/cameras': { cameras: [] },
  };
  const api = { call: async <T>(_method: string, path: string) => answers[path] as T };
  const { answer } = await lookAtAppliance({ clock: systemClock, api });
  return answer.kind === 'running' ? answer.facts.alarms[0]?.hint : undefined;
}

test('an alarm of several cameras says what to do only where it is the same for all', async () => {
  expect(await hintOf(['check the port'])).toBe('check the port');
  expect(await hintOf(['check the port', 'check the port'])).toBe('check the port');
  expect(await hintOf(['publish with the key', 'check the port'])).toBeNull();
  expect(await hintOf(['check the port', null])).toBeNull();
  expect(await hintOf([null, null])).toBeNull();
});
