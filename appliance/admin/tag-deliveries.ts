/**
 * What tagged fragments set off: a follower for each stream whose notifications are on and whose topic leads somewhere. Each message
 * is a row of the webhook's deliveries, written in one transaction with the cursor, so it is neither lost nor made twice.
 */

import { z } from 'zod';
import {
  type KvsSite,
  kvsStreams,
  type MediaSource,
  notificationHeaders,
  notificationOf,
  notificationTag,
  notificationText,
  streamArn,
  TagFollower,
  type TaggedFragment,
} from '../../gateway/kvs/index.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { appError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import type { Actor, Catalog, Delivery } from '../../storage/catalog/index.ts';
import type { Courier } from '../webhooks/index.ts';
import { uuidOf } from './kvs-http.ts';

/** Fragments with their tags. */
export type TaggedSource = Pick<MediaSource, 'fragmentsAfter' | 'fragmentBytes' | 'latest' | 'onNew'> & {
  /** Resolves when the fragment survives power loss. */
  persist(reference: TaggedFragment['reference']): Promise<void>;
};

export type TagDeliveriesDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  readonly catalog: Catalog;
  readonly courier: Pick<Courier, 'look'>;
  readonly source: TaggedSource;
};

type Wanted = { readonly streamId: string; readonly streamArn: string; readonly topicArn: string };

const byItself: Actor = { kind: 'system', id: '', name: '', address: '', requestId: '' };

export class TagDeliveries {
  readonly #deps: TagDeliveriesDeps;
  readonly #site: KvsSite;
  readonly #lifetime = new Lifetime();
  /** By stream and where its messages go. */
  readonly #followers = new Map<string, TagFollower>();
  #applying: Promise<void> = Promise.resolve();

  constructor(deps: TagDeliveriesDeps, options: { readonly site: KvsSite }) {
    this.#deps = deps;
    this.#site = options.site;
    this.#lifetime.defer(async () => {
      await this.#applying;
      await Promise.all([...this.#followers.values()].map((follower) => follower.close()));
    });
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /** Makes what the catalog says true; called at the start and whenever streams, their configurations or topics changed. */
  refresh(): Promise<void> {
    this.#applying = this.#applying
      .then(() => this.#apply())
      .catch((error: unknown) => {
        this.#deps.log.error('what tagged fragments set off could not be read', { error });
      });
    return this.#applying;
  }

  async #apply(): Promise<void> {
    if (this.#lifetime.signal.aborted) return;
    const wanted = new Map(this.#wanted().map((each) => [JSON.stringify(each), each]));
    const leaving = [...this.#followers].filter(([key]) => !wanted.has(key));
    for (const [key] of leaving) this.#followers.delete(key);
    await Promise.all(leaving.map(([, follower]) => follower.close()));
    for (const [key, each] of wanted) {
      if (this.#followers.has(key)) continue;
      const follower = this.#follow(each);
      this.#followers.set(key, follower);
      await follower.start();
    }
  }

  /** Streams whose notifications are on. What is switched off begins anew when it is switched on; a topic that leads nowhere only waits. */
  #wanted(): Wanted[] {
    const { tables } = this.#deps.catalog;
    return kvsStreams(tables).flatMap((stream) => {
      const target = notificationOf(tables.streamSettings.find(stream.id));
      if (target?.isEnabled !== true) {
        tables.topics.forgetCursor(stream.id, 'notification');
        return [];
      }
      const { topicArn } = target;
      if (tables.topics.find(topicNameOf(topicArn)) === undefined) return [];
      return [{ streamId: stream.id, streamArn: streamArn(this.#site, stream), topicArn }];
    });
  }

  #follow({ streamId, streamArn, topicArn }: Wanted): TagFollower {
    const { catalog, clock, log, random, courier, source } = this.#deps;
    const { topics, deliveries } = catalog.tables;
    const cursor = {
      get: () => topics.cursorOf(streamId, 'notification'),
      set: (number: Parameters<typeof topics.setCursor>[2]) => topics.setCursor(streamId, 'notification', number),
    };
    const onTagged = async ({ reference, tags }: TaggedFragment) => {
      await source.persist(reference);
      catalog.change(byItself, ({ nowMs }) => {
        const topic = topics.find(topicNameOf(topicArn));
        // Since a moment: this follower ends, and the next one begins with this fragment.
        if (topic === undefined) throw appError('failed_precondition', 'the topic leads nowhere', { topicArn });
        const facts = { streamArn, topicArn, messageId: uuidOf(random(16)), nowMs };
        const body = notificationText(reference.fragment, tags, facts);
        const delivery = { id: facts.messageId, webhookId: topic.webhookId, alarmId: null, body };
        deliveries.add({ ...delivery, event: 'kvs.notification' }, nowMs);
        cursor.set(reference.fragment.number);
      });
      courier.look();
    };
    return new TagFollower({ clock, log, source, cursor, onTagged }, { streamId, tag: notificationTag });
  }
}

/** `arn:aws:sns:eu-central-1:000000000000:doors` is the topic `doors`, of any region and account. */
export function topicNameOf(topicArn: string): string {
  return topicArn.slice(topicArn.lastIndexOf(':') + 1);
}

/** SNS's headers for messages to topics; none for other deliveries. */
export function notificationHeadersOf({
  event,
  body,
}: Pick<Delivery, 'event' | 'body'>): Record<string, string> | undefined {
  if (event !== 'kvs.notification' || body === null) return undefined;
  const { TopicArn: topicArn, MessageId: messageId } = z
    .object({ TopicArn: z.string(), MessageId: z.string() })
    .parse(JSON.parse(body));
  return notificationHeaders({ topicArn, messageId });
}
