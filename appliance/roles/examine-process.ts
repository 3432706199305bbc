/** The process that looks at the appliance for `examine.ts`: one question, then it is ended. It changes nothing that it looks at. */

import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { systemClock } from '../../storage/base/clock.ts';
import { appError, toAppError } from '../../storage/base/errors.ts';
import { createLog } from '../../storage/base/log.ts';
import type { Plan } from '../../storage/model/camera.ts';
import { ApiClient } from '../api-client/index.ts';
import type { Config } from '../config/index.ts';
import { examine } from '../doctor/index.ts';
import { cameraPurpose, type SecretBox, SiteKey } from '../secrets/index.ts';
import { readPlan } from '../supervisor/index.ts';
import type { CheckQuestion, DoctorQuestion, ExamineAnswer, ExamineQuestion } from './examine.ts';
import { objectStoreOf } from './object-store.ts';
import { pathsOf, siteKeyPath } from './setting-paths.ts';

/** Answers the one question of its parent, who ends it. */
export function runExamineProcess(): void {
  process.once('disconnect', () => process.exit(1));
  process.once('message', (question: ExamineQuestion) => {
    answer(question).then(
      (result) => say({ type: 'done', result }),
      (error: unknown) => {
        const { code, message, hint } = toAppError(error);
        say({ type: 'failed', code, message, hint });
      },
    );
  });
}

function answer(question: ExamineQuestion): Promise<unknown> {
  switch (question.kind) {
    case 'doctor':
      return diagnose(question);
    case 'check':
      return check(question);
  }
}

const log = createLog({ level: 'silent' });

function diagnose({ config, configFault }: DoctorQuestion): Promise<{ readonly isRunning: boolean }> {
  const paths = pathsOf(config);
  return examine(
    {
      ...{ clock: systemClock, log, random: randomBytes },
      api: new ApiClient({ runDirectory: paths.run }),
      openStore: () => objectStoreOf({ clock: systemClock, log }, { config, paths, environment: process.env }),
      readPlan: () => readSitePlan(config),
      onFindings: (findings) => say({ type: 'findings', findings }),
    },
    { config, paths, configFault },
  );
}

async function check({ config, level }: CheckQuestion): Promise<unknown> {
  const paths = pathsOf(config);
  const deps = { clock: systemClock, log };
  const { check: checkAll } = await import('../../storage/keeper/index.ts');
  const store = await objectStoreOf(deps, { config, paths, environment: process.env });
  const { signal } = new AbortController();
  let toldMs = Number.NEGATIVE_INFINITY;
  const onProgress = (progress: Extract<ExamineAnswer, { type: 'progress' }>['progress']) => {
    if (systemClock.monotonicMs() - toldMs < progressMs) return;
    toldMs = systemClock.monotonicMs();
    say({ type: 'progress', progress });
  };
  return checkAll({ ...deps, store }, { paths, level, signal, onProgress });
}

const progressMs = 500;

/** Never makes a site key: without one no password opens, which is said. */
async function readSitePlan(config: Config): Promise<{ readonly plan: Plan; readonly troubles: readonly string[] }> {
  const troubles: string[] = [];
  const notes = createLog({
    level: 'error',
    destination: {
      write: (line) => {
        const { event, error } = JSON.parse(line) as { event: string; error?: { message?: string } };
        troubles.push(error?.message === undefined ? event : `${event} (${error.message})`);
      },
    },
  });
  const box = await siteBox(config);
  const plan = await readPlan(pathsOf(config).plan, { box, log: notes });
  return { plan, troubles };
}

async function siteBox(config: Config): Promise<SecretBox> {
  const path = siteKeyPath(config);
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  if (isThere) return (await SiteKey.open(path, randomBytes)).box(cameraPurpose);
  const refuse = () => {
    throw appError('failed_precondition', `there is no site key at ${path}`, {});
  };
  return { seal: refuse, unseal: refuse };
}

function say(message: ExamineAnswer): void {
  process.send?.(message, undefined, undefined, () => {});
}
