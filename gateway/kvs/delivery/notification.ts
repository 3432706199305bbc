/**
 * The message of a fragment that is tagged `AWS_KINESISVIDEO_NOTIFICATION`, as AWS sends it through SNS to an HTTP endpoint. The
 * signature is not SNS's, whose key nobody else has: receivers check that of our webhooks.
 */

import type { Fragment, FragmentTags } from '../../../storage/model/fragment.ts';
import { reservedTags } from './reserved-tags.ts';

export type NotificationFacts = {
  readonly streamArn: string;
  readonly topicArn: string;
  /** A UUID, the same for every attempt. */
  readonly messageId: string;
  readonly nowMs: number;
};

/** SNS's envelope, JSON. */
export function notificationText(
  fragment: Pick<Fragment, 'number' | 'producerTimestampMs' | 'serverTimestampMs'>,
  tags: FragmentTags,
  { streamArn, topicArn, messageId, nowMs }: NotificationFacts,
): string {
  const own = tags.filter(({ name }) => !reservedTags.has(name)).map(({ name, value }) => [name, value] as const);
  return JSON.stringify({
    Type: 'Notification',
    MessageId: messageId,
    TopicArn: topicArn,
    Subject: 'Kinesis Video Streams Notification',
    Message: JSON.stringify({
      StreamArn: streamArn,
      FragmentNumber: fragment.number,
      FragmentStartProducerTimestamp: fragment.producerTimestampMs,
      FragmentStartServerTimestamp: fragment.serverTimestampMs,
      NotificationType: 'PERSISTED',
      NotificationPayload: Object.fromEntries(own),
    }),
    Timestamp: new Date(nowMs).toISOString(),
  });
}

/** What SNS says in headers beside its envelope. */
export function notificationHeaders({
  topicArn,
  messageId,
}: Pick<NotificationFacts, 'topicArn' | 'messageId'>): Record<string, string> {
  return {
    'content-type': 'text/plain; charset=UTF-8',
    'x-amz-sns-message-type': 'Notification',
    'x-amz-sns-message-id': messageId,
    'x-amz-sns-topic-arn': topicArn,
  };
}
