/** Alarms, webhooks and the heartbeat, put together: who watches whom, and what "well" means. */

import { dirname } from 'node:path';
import { must } from '../../storage/base/assert.ts';
import { fractionOf } from '../../storage/base/chance.ts';
import type { Clock } from '../../storage/base/clock.ts';
import type { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import type { Catalog } from '../../storage/catalog/index.ts';
import type { Paths } from '../../storage/model/paths.ts';
import { AlarmWatch, FactSource, readAlarmSettings } from '../alarms/index.ts';
import type { SecretBox } from '../secrets/index.ts';
import { certificateFacts } from '../tls/index.ts';
import { Courier, Heartbeat } from '../webhooks/index.ts';
import type { EventFeed } from './event-feed.ts';
import type { KeeperPort } from './keeper-port.ts';
import type { MediaPlaneState, RecordingsIndex, Roles, TlsMaterial } from './parts.ts';
import type { PlanWriter } from './plan-writer.ts';
import { readiness } from './readiness.ts';
import type { StateBoard } from './state-board.ts';
import { notificationHeadersOf } from './tag-deliveries.ts';

export type AlarmParts = {
  readonly alarms: AlarmWatch;
  readonly courier: Courier;
  readonly heartbeat: Heartbeat;
  /** Seals addresses and secrets of webhooks and of the heartbeat. */
  readonly webhookSecrets: SecretBox;
};

export type AlarmPartsDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  readonly catalog: Catalog;
  readonly board: StateBoard;
  readonly keeper: KeeperPort;
  readonly roles: Roles;
  readonly index: RecordingsIndex;
  readonly plan: PlanWriter;
  readonly feed: EventFeed;
  readonly tls: TlsMaterial | undefined;
  readonly mediaPlane: MediaPlaneState | undefined;
  readonly webhookSecrets: SecretBox;
};

/** Makes and starts them; the lifetime closes them again. */
export function startAlarmParts(
  deps: AlarmPartsDeps,
  options: { readonly lifetime: Lifetime; readonly paths: Paths; readonly publicUrl: string | undefined },
): AlarmParts {
  const { clock, log, random, catalog, feed, tls, webhookSecrets: box } = deps;
  const { lifetime, paths, publicUrl } = options;
  const addresses = () => readAlarmSettings(catalog).webhookAddresses;
  const courier = lifetime.own(
    new Courier({ clock, log, catalog, box, addresses, headersOf: notificationHeadersOf, random: fractionOf(random) }),
  );
  const facts = lifetime.own(
    new FactSource(
      {
        ...deps,
        certificate: certificateOf(tls),
        planFailure: () => deps.plan.failure,
        webrtcTrouble: () => deps.mediaPlane?.trouble,
      },
      { dataDirectory: dirname(paths.catalog) },
    ),
  );
  const onChanged = () => {
    feed.changed('alarms');
    courier.look();
  };
  const newId = () => catalog.tables.deliveries.newId();
  const alarms = lifetime.own(new AlarmWatch({ clock, log, catalog, newId, facts, onChanged }, { publicUrl }));
  const illness = () => illnessOf(deps, alarms);
  const heartbeat = lifetime.own(new Heartbeat({ clock, log, catalog, box, addresses, illness }));
  courier.start();
  facts.start();
  alarms.start();
  heartbeat.start();
  return { alarms, courier, heartbeat, webhookSecrets: box };
}

/** Well is: every part works, alarms are watched, and none that stands is critical. Cameras may be away: that is told otherwise. */
function illnessOf(
  deps: Pick<AlarmPartsDeps, 'board' | 'index' | 'keeper' | 'plan'>,
  alarms: AlarmWatch,
): string | undefined {
  const part = readiness(deps).find(({ isReady }) => !isReady);
  if (part !== undefined) return `${part.part}: ${part.reason ?? 'does not work'}`;
  if (!alarms.isWatching) return 'alarms are not watched or cannot be written';
  const critical = alarms.standing.find(({ severity }) => severity === 'critical');
  return critical === undefined ? undefined : `a critical alarm stands: ${critical.code}`;
}

/** Its end; the certificate is read once. */
function certificateOf(tls: TlsMaterial | undefined): () => { notAfterMs: number; isOwn: boolean } | undefined {
  let known: { readonly pem: string; readonly notAfterMs: number } | undefined;
  return () => {
    if (tls === undefined) return undefined;
    const pem = tls.identity().cert;
    if (known?.pem !== pem) known = { pem, notAfterMs: certificateFacts(pem).notAfterMs };
    return { notAfterMs: must(known, 'just read').notAfterMs, isOwn: tls.authorityPem() !== undefined };
  };
}
