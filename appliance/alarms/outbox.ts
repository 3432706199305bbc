/** Writes down what webhooks are to be told of an alarm, inside the transaction that changes it. */

import type { AlarmRow, Catalog, DeliveryEvent, Webhook } from '../../storage/catalog/index.ts';
import { alarmAnswer } from './alarm-text.ts';
import { severities } from './rules.ts';

/** Subjects that one body names; `subjectCount` says how many there are. */
const subjectsMax = 100;

/** What every body is; receivers leave out what they do not know. */
export type WebhookBody = {
  readonly version: 1;
  readonly event: DeliveryEvent;
  /** The same for every attempt, as the header `webhook-id`. */
  readonly id: string;
  readonly atMs: number;
  readonly alarm: ReturnType<typeof alarmAnswer> | null;
};

/** For every webhook that wants to know. @param site.publicUrl  of links in bodies */
export function tellWebhooks(
  catalog: Catalog,
  told: { readonly event: Exclude<DeliveryEvent, 'test'>; readonly alarm: AlarmRow; readonly nowMs: number },
  site: { readonly publicUrl: string | undefined },
): void {
  const { event, alarm, nowMs } = told;
  const { webhooks, deliveries } = catalog.tables;
  for (const webhook of webhooks.list()) {
    // Whoever was told of an alarm is told how it went on, whatever was changed since.
    if (!webhook.isEnabled || !(wants(webhook, alarm) || deliveries.wasTold(webhook.id, alarm.id))) continue;
    const id = deliveries.newId();
    const answer = alarmAnswer(alarm, { subjectsMax, publicUrl: site.publicUrl });
    const body: WebhookBody = { version: 1, event, id, atMs: nowMs, alarm: answer };
    deliveries.add({ id, webhookId: webhook.id, alarmId: alarm.id, event, body: JSON.stringify(body) }, nowMs);
  }
}

function wants({ severityMin, codes }: Webhook, { severity, code }: AlarmRow): boolean {
  return severities.indexOf(severity) >= severities.indexOf(severityMin) && (codes === null || codes.includes(code));
}
