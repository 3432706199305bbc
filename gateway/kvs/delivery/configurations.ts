/**
 * What a stream's tagged fragments set off, as the catalog keeps it: pictures into a bucket, messages to a topic. Who carries it
 * out reads it here, in our words; `../control/delivery-configurations.ts` has those of the wire.
 */

import { z } from 'zod';
import type { StreamSettings } from '../../../storage/catalog/index.ts';

/** Fragments tagged for it become pictures. */
export type ImageGeneration = {
  readonly isEnabled: boolean;
  /** By which time the instants of pictures are counted. */
  readonly clock: 'server' | 'producer';
  /** `s3://bucket/prefix`, as it was written. */
  readonly uri: string;
  readonly region: string;
  /** From picture to picture, at least 200. */
  readonly intervalMs: number;
  readonly format: 'jpeg' | 'png';
  /** 1 to 100; absent: 80. */
  readonly jpegQuality?: number | undefined;
  /** Absent: as the stream has it, or by the other one in proportion. */
  readonly widthPixels?: number | undefined;
  readonly heightPixels?: number | undefined;
};

/** Fragments tagged for it are told once they are durable. */
export type NotificationTarget = {
  readonly isEnabled: boolean;
  /** ARN of a topic. */
  readonly topicArn: string;
};

const imageGenerationShape = z.object({
  isEnabled: z.boolean(),
  clock: z.enum(['server', 'producer']),
  uri: z.string(),
  region: z.string(),
  intervalMs: z.number(),
  format: z.enum(['jpeg', 'png']),
  jpegQuality: z.number().optional(),
  widthPixels: z.number().optional(),
  heightPixels: z.number().optional(),
});

const notificationShape = z.object({ isEnabled: z.boolean(), topicArn: z.string() });

/** Undefined where nobody configured it; a configuration that is disabled says so itself. */
export function imageGenerationOf({
  imageGeneration,
}: Pick<StreamSettings, 'imageGeneration'>): ImageGeneration | undefined {
  return imageGeneration === undefined ? undefined : imageGenerationShape.parse(imageGeneration);
}

/** Undefined where nobody configured it; a configuration that is disabled says so itself. */
export function notificationOf({ notification }: Pick<StreamSettings, 'notification'>): NotificationTarget | undefined {
  return notification === undefined ? undefined : notificationShape.parse(notification);
}
