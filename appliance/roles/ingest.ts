/**
 * The role `ingest`: recording. Whoever starts it holds the role's lock, so another process that still has the name is an orphan: it
 * is waited for, and then ended.
 */

import { readFile } from 'node:fs/promises';
import { Registry } from 'prom-client';
import { Ingest, type RtmpListenerOptions } from '../../gateway/ingest/index.ts';
import { AddressPolicy } from '../../storage/base/address-policy.ts';
import { fractionOf } from '../../storage/base/chance.ts';
import { isAppError } from '../../storage/base/errors.ts';
import { type Closable, Lifetime } from '../../storage/base/lifecycle.ts';
import { ownServerPaths } from '../tls/index.ts';
import type { RoleContext } from './role-context.ts';

/** An orphan of a killed supervisor notices at once and needs this long at most to finish its files. */
const predecessorMs = 5_000;
const lookAgainMs = 50;

export async function startIngest(context: RoleContext): Promise<Closable> {
  const { log, link, start } = context;
  const ingest = await startAfterPredecessor(context);
  const lifetime = new Lifetime();
  lifetime.own(ingest);
  const apply = (plan: typeof start.plan) => {
    ingest.apply(plan).catch((error: unknown) => log.error('plan could not be applied', { error }));
  };
  link.onPlan(apply);
  apply(start.plan);
  return lifetime;
}

/** The plan gives all publishers to the first recording process: one port has one listener. */
function rtmpOf({ name, config, paths }: RoleContext): RtmpListenerOptions | undefined {
  if (!config.rtmp.enabled || name !== 'ingest-0') return undefined;
  const { mode, certificateFile, keyFile } = config.tls;
  const [certificatePath, keyPath] =
    mode === 'own' ? ownServerPaths(paths.tls) : [certificateFile ?? '', keyFile ?? ''];
  const identity = async () => {
    const [cert, key] = await Promise.all([readFile(certificatePath, 'utf8'), readFile(keyPath, 'utf8')]);
    return { cert, key };
  };
  return {
    address: config.rtmp.address ?? config.listen.address,
    port: config.rtmp.port,
    identity: mode === 'plain' ? undefined : identity,
  };
}

/**
 * Two processes must never record one camera, and no camera may wait for a process that hangs: within its time the former one
 * may end by itself, then it is killed. What it had not finished, the keeper recovers.
 */
async function startAfterPredecessor(context: RoleContext): Promise<Ingest> {
  const { clock, log, random, name, config, paths } = context;
  const deadlineMs = clock.monotonicMs() + predecessorMs;
  for (;;) {
    const ingest = new Ingest(
      { clock, log, registry: new Registry(), random: fractionOf(random) },
      {
        ...{ paths, name, syncPeriodMs: config.journal.syncPeriodMs },
        addresses: new AddressPolicy({ networks: config.cameras.allowedNetworks }),
        rtmp: rtmpOf(context),
        putMedia: {
          connectionMsMax: config.kvs.putMedia.connectionMinutesMax * 60_000,
          fragmentMsMax: config.kvs.putMedia.fragmentSecondsMax * 1_000,
          fragmentBytesMax: config.kvs.putMedia.fragmentMegabytesMax * 1_000_000,
          connectionsOfStreamMax: config.kvs.putMedia.connectionsOfStreamMax,
        },
      },
    );
    try {
      await ingest.start();
      return ingest;
    } catch (error) {
      await ingest.close();
      if (!isAppError(error, 'failed_precondition') || typeof error.context.pid !== 'number') throw error;
      const { pid } = error.context;
      if (clock.monotonicMs() > deadlineMs) {
        log.error('former recording process hangs and is killed', { formerPid: pid });
        process.kill(pid, 'SIGKILL');
      } else log.counted('waiting for the former recording process to end', 1, { formerPid: pid });
      await clock.sleep(lookAgainMs);
    }
  }
}
