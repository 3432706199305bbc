/** Looks at everything; what it takes to look is loaded then: the supervisor and every role open this room's door too. */

import type { DoctorDeps, DoctorOptions } from './doctor.ts';

/** All looks run beside each other. Resolves when the last is over. */
export async function examine(deps: DoctorDeps, options: DoctorOptions): Promise<{ readonly isRunning: boolean }> {
  const { lookAtEverything } = await import('./doctor.ts');
  return lookAtEverything(deps, options);
}
