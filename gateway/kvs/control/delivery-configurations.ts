/** Which pictures and messages tagged fragments of a stream set off: told, changed and taken away. */

import { denied, type KvsCall, type KvsInput, type KvsOperations, requireStream } from '../call.ts';
import {
  type ImageGeneration,
  imageGenerationOf,
  type NotificationTarget,
  notificationOf,
} from '../delivery/configurations.ts';
import { awsError } from '../errors.ts';
import { choiceMember, integerMember, required, structureMember, textMember } from '../members.ts';

/** AWS documents the bounds of both pictures' sides, of the interval and of addresses. */
const widthPixelsMax = 3_840;
const heightPixelsMax = 2_160;
const intervalMsMin = 200;
/** Sampling more seldom than once a day is switching it off. */
const intervalMsMax = 86_400_000;
const bucketUri = /^(?=.{1,255}$)s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[^*]*)?$/;
/** A standard topic: one whose name ends with .fifo is none. */
const topicArn = /^(?=.{1,255}$)arn:[a-z\d-]+:sns:[a-z0-9-]+:[0-9]+:[A-Za-z0-9_-]+$/;

export const deliveryConfigurations: KvsOperations = new Map([
  [
    '/describeImageGenerationConfiguration',
    { action: 'kinesisvideo:DescribeImageGenerationConfiguration', run: describeImageGeneration },
  ],
  [
    '/updateImageGenerationConfiguration',
    { action: 'kinesisvideo:UpdateImageGenerationConfiguration', run: updateImageGeneration },
  ],
  [
    '/describeNotificationConfiguration',
    { action: 'kinesisvideo:DescribeNotificationConfiguration', run: describeNotification },
  ],
  [
    '/updateNotificationConfiguration',
    { action: 'kinesisvideo:UpdateNotificationConfiguration', run: updateNotification },
  ],
]);

function describeImageGeneration(call: KvsCall): object {
  const { id } = requireStream(call, 'kinesisvideo:DescribeImageGenerationConfiguration');
  const kept = imageGenerationOf(call.tables.streamSettings.find(id));
  return kept === undefined ? {} : { ImageGenerationConfiguration: imageGenerationToWire(kept) };
}

function describeNotification(call: KvsCall): object {
  const { id } = requireStream(call, 'kinesisvideo:DescribeNotificationConfiguration');
  const kept = notificationOf(call.tables.streamSettings.find(id));
  return kept === undefined ? {} : { NotificationConfiguration: notificationToWire(kept) };
}

function updateImageGeneration(call: KvsCall): object {
  const action = 'kinesisvideo:UpdateImageGenerationConfiguration';
  const given = structureMember(call.input, 'ImageGenerationConfiguration');
  const imageGeneration = given === undefined ? undefined : wireToImageGeneration(given, call.site.region);
  if (imageGeneration !== undefined) requireDestination(call, action, bucketArn(imageGeneration.uri));
  return update(call, action, { imageGeneration });
}

function updateNotification(call: KvsCall): object {
  const action = 'kinesisvideo:UpdateNotificationConfiguration';
  const given = structureMember(call.input, 'NotificationConfiguration');
  const notification = given === undefined ? undefined : wireToNotification(given);
  if (notification !== undefined) requireDestination(call, action, notification.topicArn);
  return update(call, action, { notification });
}

/** We write and send by rights of our own: where to is the caller's right too, as at AWS. @throws AppError AccessDeniedException */
function requireDestination(call: KvsCall, action: string, arn: string): void {
  if (!call.may(action, { arn })) throw denied(action, arn);
}

/** `s3://pictures/of/gates` is in `arn:aws:s3:::pictures`. */
function bucketArn(uri: string): string {
  return `arn:aws:s3:::${uri.split('/')[2]}`;
}

/** Undefined takes a configuration away. */
function update(
  call: KvsCall,
  action: string,
  change:
    | { readonly imageGeneration: ImageGeneration | undefined }
    | { readonly notification: NotificationTarget | undefined },
): object {
  const stream = requireStream(call, action);
  if (stream.retentionHours === 0 && Object.values(change)[0] !== undefined) {
    throw awsError('NoDataRetentionException', 'The stream retains no data: its retention is 0 hours.');
  }
  call.change(({ nowMs, note }) => {
    const changed = call.tables.streamSettings.put(stream.id, change, nowMs);
    if (changed.length === 0) return;
    note({ action, resource: `camera/${stream.cameraId}/stream/${stream.id}`, detail: { stream: stream.name } });
  });
  return {};
}

function wireToImageGeneration(given: KvsInput, region: string): ImageGeneration {
  const destination = required(structureMember(given, 'DestinationConfig'), 'DestinationConfig');
  const destinationRegion = required(
    textMember(destination, 'DestinationRegion', /^[a-z]+(-[a-z]+)?-[a-z]+-[0-9]$/),
    'DestinationRegion',
  );
  if (destinationRegion !== region) {
    throw awsError('InvalidArgumentException', `DestinationRegion must be the stream's region, which is ${region}`);
  }
  const pixels = (member: string, max: number) => integerMember(given, member, { min: 1, max });
  const interval = integerMember(given, 'SamplingInterval', { min: intervalMsMin, max: intervalMsMax });
  return {
    isEnabled: statusOf(given),
    clock:
      required(
        choiceMember(given, 'ImageSelectorType', ['SERVER_TIMESTAMP', 'PRODUCER_TIMESTAMP']),
        'ImageSelectorType',
      ) === 'SERVER_TIMESTAMP'
        ? 'server'
        : 'producer',
    uri: required(textMember(destination, 'Uri', bucketUri), 'Uri'),
    region: destinationRegion,
    intervalMs: required(interval, 'SamplingInterval'),
    format: required(choiceMember(given, 'Format', ['JPEG', 'PNG']), 'Format') === 'JPEG' ? 'jpeg' : 'png',
    jpegQuality: jpegQualityOf(structureMember(given, 'FormatConfig')),
    widthPixels: pixels('WidthPixels', widthPixelsMax),
    heightPixels: pixels('HeightPixels', heightPixelsMax),
  };
}

/** A map with exactly one key, whose number is a text. */
function jpegQualityOf(format: KvsInput | undefined): number | undefined {
  if (format === undefined) return undefined;
  const [key, ...others] = Object.keys(format);
  if (key !== 'JPEGQuality' || others.length > 0) {
    throw awsError('InvalidArgumentException', 'FormatConfig has exactly one key, JPEGQuality');
  }
  return Number(required(textMember(format, key, /^([1-9][0-9]?|100)$/), key));
}

function imageGenerationToWire(kept: ImageGeneration): object {
  const { jpegQuality, widthPixels, heightPixels } = kept;
  return {
    Status: statusText(kept),
    ImageSelectorType: kept.clock === 'server' ? 'SERVER_TIMESTAMP' : 'PRODUCER_TIMESTAMP',
    DestinationConfig: { Uri: kept.uri, DestinationRegion: kept.region },
    SamplingInterval: kept.intervalMs,
    Format: kept.format === 'jpeg' ? 'JPEG' : 'PNG',
    ...(jpegQuality === undefined ? {} : { FormatConfig: { JPEGQuality: String(jpegQuality) } }),
    ...(widthPixels === undefined ? {} : { WidthPixels: widthPixels }),
    ...(heightPixels === undefined ? {} : { HeightPixels: heightPixels }),
  };
}

function wireToNotification(given: KvsInput): NotificationTarget {
  const destination = required(structureMember(given, 'DestinationConfig'), 'DestinationConfig');
  return { isEnabled: statusOf(given), topicArn: required(textMember(destination, 'Uri', topicArn), 'Uri') };
}

function notificationToWire(kept: NotificationTarget): object {
  return { Status: statusText(kept), DestinationConfig: { Uri: kept.topicArn } };
}

function statusOf(given: KvsInput): boolean {
  return required(choiceMember(given, 'Status', ['ENABLED', 'DISABLED']), 'Status') === 'ENABLED';
}

function statusText({ isEnabled }: { readonly isEnabled: boolean }): string {
  return isEnabled ? 'ENABLED' : 'DISABLED';
}
