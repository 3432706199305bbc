/** What each role is told of the plan: those who connect to cameras get the credentials of theirs, nobody else any. */

import type { Plan } from '../../storage/model/camera.ts';
import { withoutCredentials } from '../secrets/index.ts';
import { partOfPlan } from './plan-reader.ts';

/**
 * @param name               a role, one of several recording processes by its number: `ingest-1`
 * @param options.processes  how many recording processes there are
 */
export function planForRole(plan: Plan, name: string, options: { readonly processes: number }): Plan {
  const ingest = /^ingest-(\d+)$/.exec(name);
  if (ingest !== null) return partOfPlan(plan, { index: Number(ingest[1]), processes: options.processes });
  // ONVIF asks devices; addresses of streams are for the process that connects.
  if (name === 'onvif') return { version: 2, sources: [], devices: plan.devices };
  if (name === 'keeper') return withoutCredentials(plan);
  return { version: 2, sources: [], devices: [] };
}

/** Whether a role does anything by the plan: it is told of changes. */
export function hasPlan(name: string): boolean {
  return name.startsWith('ingest-') || name === 'keeper' || name === 'onvif';
}
