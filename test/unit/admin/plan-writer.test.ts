import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { PlanWriter } from '../../../appliance/admin/plan-writer.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { cameraSettings, openTestCatalog } from '../catalog/kit.ts';

async function openPlan() {
  const { catalog, clock } = await openTestCatalog();
  const path = join(await temporaryDirectory(), 'plan.json');
  let plans = 0;
  const onPlan = () => void plans++;
  const writer = new PlanWriter({ clock, log: silentLog, catalog, onPlan, onPlanChanged: () => {} }, { path });
  onTestFinished(() => writer.close());
  const add = (name: string) => catalog.tables.cameras.create(cameraSettings({ name }), 1);
  const planned = async () =>
    JSON.parse(await readFile(path, 'utf8')).sources.map(({ name }: { readonly name: string }) => name);
  return { writer, add, planned, plans: () => plans };
}

test('changes that come while a plan is written share the next one, and each is in the plan when it is told', async () => {
  const { writer, add, planned, plans } = await openPlan();
  add('one');
  const first = writer.write();
  await Promise.resolve();

  const others = Array.from({ length: 50 }, (_, i) => {
    add(`camera ${i}`);
    return writer.write();
  });
  await first;
  await others[0];

  expect(await planned()).toHaveLength(51);
  await Promise.all(others);
  expect(plans()).toBeLessThanOrEqual(2);
  add('last');
  await writer.write();
  expect(await planned()).toContain('last');
});
