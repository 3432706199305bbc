/** A catalog that is gone would be made anew, and its empty plan would end all recording: that is refused. */

import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { appError, errnoOf } from '../../storage/base/errors.ts';
import type { Catalog } from '../../storage/catalog/index.ts';

const planShape = z.object({ sources: z.array(z.unknown()) });

/**
 * To be asked before a plan is written.
 * @throws AppError data_loss  nobody was ever in this catalog, and yet there is a plan with cameras
 */
export async function refuseLostCatalog(catalog: Catalog, options: { readonly planPath: string }): Promise<void> {
  if (catalog.tables.users.list().length > 0) return;
  const cameras = await plannedCameras(options.planPath);
  if (cameras === 0) return;
  throw appError('data_loss', 'the catalog is gone', {
    cameras,
    hint: 'restore it from a backup; recording goes on by state/plan.json meanwhile, which is to be removed only to begin anew without those cameras',
  });
}

/** A plan that cannot be read records nothing, so nothing is lost by another one. */
async function plannedCameras(planPath: string): Promise<number> {
  try {
    const plan = planShape.safeParse(JSON.parse(await readFile(planPath, 'utf8')));
    return plan.success ? plan.data.sources.length : 0;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || error instanceof SyntaxError) return 0;
    throw error;
  }
}
