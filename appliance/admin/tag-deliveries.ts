/**
 * What tagged fragments set off: messages of streams whose notifications are on and whose topic leads somewhere, pictures of those
 * that generate images. A message is a row of the webhook's deliveries, written in one transaction with the cursor; a picture has a
 * key that a second attempt has too. So nothing is lost, and nothing is there twice.
 */

import { z } from 'zod';
import {
  type ImageGeneration,
  imageGenerationOf,
  imageMomentsMs,
  imageObject,
  imageTag,
  type KvsSite,
  type KvsStream,
  kvsStreams,
  type NotificationTarget,
  notificationHeaders,
  notificationOf,
  notificationTag,
  notificationText,
  streamArn,
  TagFollower,
  type TagFollowerDeps,
  type TaggedFragment,
} from '../../gateway/kvs/index.ts';
import type { FragmentPictures } from '../../gateway/playback/index.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { appError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { type Actor, type Catalog, type Delivery, plainStreamSettings } from '../../storage/catalog/index.ts';
import type { PictureStore } from '../../storage/objects/index.ts';
import type { FragmentRef, StreamReader } from '../../storage/reader/index.ts';
import type { Courier } from '../webhooks/index.ts';
import { uuidOf } from './kvs-http.ts';

/** Fragments with their tags and bytes: `StreamReader` is one. */
export type TaggedSource = Pick<
  StreamReader,
  'fragmentsAfter' | 'fragmentsBetween' | 'fragmentBytes' | 'latest' | 'onNew' | 'persist'
>;

export type TagDeliveriesDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  readonly catalog: Catalog;
  readonly courier: Pick<Courier, 'look'>;
  readonly source: TaggedSource;
  readonly pictures: Pick<FragmentPictures, 'pictures'>;
  readonly pictureStore: PictureStore;
};

/** What other rooms give. */
export type TaggedParts = Pick<TagDeliveriesDeps, 'source' | 'pictures' | 'pictureStore'>;

type Wanted = { readonly stream: KvsStream } & (
  | { readonly purpose: 'notification'; readonly target: NotificationTarget }
  | { readonly purpose: 'images'; readonly target: ImageGeneration }
);

const byItself: Actor = { kind: 'system', id: '', name: '', address: '', requestId: '' };
/** A GOP that a continuation belongs to began no longer ago. */
const lookBackMs = 60_000;
const sweepMs = 3_600_000;

export class TagDeliveries {
  readonly #deps: TagDeliveriesDeps;
  readonly #site: KvsSite;
  readonly #lifetime = new Lifetime();
  /** By everything that they are to do. */
  readonly #followers = new Map<string, TagFollower>();
  #applying: Promise<void> = Promise.resolve();
  /** What has not been begun, for whoever changes something until then. */
  #next: Promise<void> | undefined;

  constructor(deps: TagDeliveriesDeps, options: { readonly site: KvsSite }) {
    this.#deps = deps;
    this.#site = options.site;
    this.#lifetime.defer(async () => {
      await this.#applying;
      await Promise.all([...this.#followers.values()].map((follower) => follower.close()));
    });
  }

  start(): void {
    const { clock } = this.#deps;
    void this.refresh();
    this.#lifetime.loop(async (signal) => {
      while (!signal.aborted) {
        await clock.sleep(sweepMs, signal);
        await this.#forgetPictures().catch((error: unknown) => {
          this.#deps.log.warn('which pictures stay could not be read, tried again', { error });
        });
      }
    });
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /** Makes what the catalog says true; called whenever streams, their configurations or topics changed. */
  refresh(): Promise<void> {
    this.#next ??= this.#applying
      .then(() => {
        this.#next = undefined;
        return this.#apply();
      })
      .catch((error: unknown) => {
        this.#deps.log.error('what tagged fragments set off could not be read', { error });
      });
    this.#applying = this.#next;
    return this.#next;
  }

  async #apply(): Promise<void> {
    if (this.#lifetime.signal.aborted) return;
    const wanted = new Map(this.#wanted().map((each) => [keyOf(each), each]));
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

  /**
   * What is switched off begins anew when it is switched on; a topic that leads nowhere only waits. Asked after every change of any
   * stream: nothing is written of streams of which nothing changed.
   */
  #wanted(): Wanted[] {
    const { topics, ...tables } = this.#deps.catalog.tables;
    const settingsOf = tables.streamSettings.all();
    const enabled = kvsStreams(tables).flatMap((stream): Wanted[] => {
      const settings = settingsOf.get(stream.id) ?? plainStreamSettings;
      const [notification, images] = [notificationOf(settings), imageGenerationOf(settings)];
      return [
        ...(notification?.isEnabled ? [{ stream, purpose: 'notification' as const, target: notification }] : []),
        ...(images?.isEnabled ? [{ stream, purpose: 'images' as const, target: images }] : []),
      ];
    });
    const going = new Set(enabled.map(({ stream, purpose }) => `${stream.id} ${purpose}`));
    for (const { streamId, purpose } of topics.cursors()) {
      if (!going.has(`${streamId} ${purpose}`)) topics.forgetCursor(streamId, purpose);
    }
    return enabled.filter(
      ({ purpose, target }) => purpose === 'images' || topics.find(topicNameOf(target.topicArn)) !== undefined,
    );
  }

  #follow(wanted: Wanted): TagFollower {
    const { catalog, clock, log, source } = this.#deps;
    const { topics } = catalog.tables;
    const { stream, purpose } = wanted;
    const cursor: TagFollowerDeps['cursor'] = {
      get: () => topics.cursorOf(stream.id, purpose),
      set: (number) => topics.setCursor(stream.id, purpose, number),
    };
    const options = { streamId: stream.id, tag: purpose === 'images' ? imageTag : notificationTag };
    const onTagged =
      wanted.purpose === 'images'
        ? (tagged: TaggedFragment, signal: AbortSignal) => this.#makePictures(stream, wanted.target, tagged, signal)
        : (tagged: TaggedFragment) => this.#notify(stream, wanted.target, tagged);
    return new TagFollower({ clock, log, source, cursor, onTagged }, options);
  }

  async #notify(
    stream: KvsStream,
    { topicArn }: NotificationTarget,
    { reference, tags }: TaggedFragment,
  ): Promise<void> {
    const { catalog, courier, random, source } = this.#deps;
    const { topics, deliveries } = catalog.tables;
    await source.persist(reference);
    catalog.change(byItself, ({ nowMs }) => {
      const topic = topics.find(topicNameOf(topicArn));
      // Since a moment: this follower ends, and the next one begins with this fragment.
      if (topic === undefined) throw appError('failed_precondition', 'the topic leads nowhere', { topicArn });
      const messageId = uuidOf(random(16));
      const facts = { streamArn: streamArn(this.#site, stream), topicArn, messageId, nowMs };
      const body = notificationText(reference.fragment, tags, facts);
      const delivery = { id: messageId, webhookId: topic.webhookId, alarmId: null, body };
      deliveries.add({ ...delivery, event: 'kvs.notification' }, nowMs);
      topics.setCursor(stream.id, 'notification', reference.fragment.number);
    });
    courier.look();
  }

  async #makePictures(
    stream: KvsStream,
    target: ImageGeneration,
    { reference, tags }: TaggedFragment,
    signal: AbortSignal,
  ): Promise<void> {
    const { catalog, log, pictures, pictureStore } = this.#deps;
    const { fragment } = reference;
    const momentsMs = imageMomentsMs(fragment, target);
    const { format, jpegQuality: quality, widthPixels, heightPixels } = target;
    const made = await pictures.pictures(await this.#fromKey(stream.id, reference), {
      ...{ momentsMs, format, quality, widthPixels, heightPixels, signal },
    });
    const facts = { accountId: this.#site.accountId, streamName: stream.name, fragment, tags };
    for (const [i, momentMs] of momentsMs.entries()) {
      const bytes = made[i];
      if (bytes === undefined)
        log.counted('a picture of a tagged fragment cannot be decoded', 1, { stream: stream.name });
      else await pictureStore.put({ ...imageObject(target, { ...facts, momentMs }), bytes });
    }
    catalog.tables.topics.setCursor(stream.id, 'images', fragment.number);
  }

  /** The fragment, behind those that its decoding needs. */
  async #fromKey(streamId: string, reference: FragmentRef): Promise<readonly FragmentRef[]> {
    const { fragment, segment } = reference;
    if (fragment.isKey) return [reference];
    const endMs = fragment.serverTimestampMs;
    const before = await this.#deps.source.fragmentsBetween(streamId, { beginMs: endMs - lookBackMs, endMs });
    const ofRun = before.filter(
      (each) => each.segment.runId === segment.runId && each.fragment.number < fragment.number,
    );
    const key = ofRun.findLastIndex((each) => each.fragment.isKey);
    return key === -1 ? [reference] : [...ofRun.slice(key), reference];
  }

  /** Where we keep pictures ourselves, they stay as long as the fragments that they are of. */
  async #forgetPictures(): Promise<void> {
    const { clock, log, pictureStore } = this.#deps;
    const keptMs = new Map<string, number>();
    for (const { stream, purpose, target } of this.#wanted()) {
      if (purpose !== 'images') continue;
      const [, bucket = ''] = /^s3:\/\/([^/]+)/.exec(target.uri) ?? [];
      keptMs.set(bucket, Math.max(keptMs.get(bucket) ?? 0, stream.retentionHours * 3_600_000));
    }
    for (const [bucket, ms] of keptMs) {
      await pictureStore.forget(bucket, clock.wallMs() - ms).catch((error: unknown) => {
        log.warn('old pictures could not be removed', { bucket, error });
      });
    }
  }
}

/** The same as long as nothing that a follower does has changed. */
function keyOf({ stream, purpose, target }: Wanted): string {
  return JSON.stringify([stream.id, stream.name, purpose, target]);
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
