/** The member `EdgeConfig` and back: bounds and forms as the service's model has them. */

import type { EdgeSchedule, EdgeSettings } from '../../../storage/catalog/index.ts';
import type { KvsInput } from '../call.ts';
import { awsError } from '../errors.ts';
import { choiceMember, integerMember, required, structureMember, textMember } from '../members.ts';
import { mapSchedule } from './quartz.ts';

const hubPattern = /^(?=.{1,1024}$)arn:[a-z\d-]+:iot:[a-z0-9-]+:[0-9]+:thing\/[a-zA-Z0-9_.-]+$/;
const secretPattern = /^(?=.{20,2048}$)arn:[a-z\d-]+:secretsmanager:[a-z0-9-]+:[0-9]+:secret:[a-zA-Z0-9_.-]+$/;
const expressionPattern = /^[^\n]{11,100}$/;

const mediaKinds = { RTSP_URI: 'rtsp', FILE_URI: 'file' } as const;
const onFull = { DELETE_OLDEST_MEDIA: 'delete-oldest', DENY_NEW_MEDIA: 'deny-new' } as const;

/** @throws AppError InvalidArgumentException */
export function edgeConfigMember(input: KvsInput): EdgeSettings {
  const config = required(structureMember(input, 'EdgeConfig'), 'EdgeConfig');
  const recorder = required(structureMember(config, 'RecorderConfig'), 'RecorderConfig');
  const source = required(structureMember(recorder, 'MediaSourceConfig'), 'MediaSourceConfig');
  const uploader = structureMember(config, 'UploaderConfig');
  const deletion = structureMember(config, 'DeletionConfig');
  return {
    hubDeviceArn: required(hubMember(config), 'HubDeviceArn'),
    mediaKind: mediaKinds[required(choiceMember(source, 'MediaUriType', ['RTSP_URI', 'FILE_URI']), 'MediaUriType')],
    mediaSecretArn: required(textMember(source, 'MediaUriSecretArn', secretPattern), 'MediaUriSecretArn'),
    recorder: scheduleMember(recorder),
    uploader: uploader === undefined ? undefined : required(scheduleMember(uploader), 'ScheduleConfig'),
    deletion: deletion === undefined ? undefined : deletionOf(deletion),
  };
}

export function hubMember(input: KvsInput): string | undefined {
  return textMember(input, 'HubDeviceArn', hubPattern);
}

function scheduleMember(job: KvsInput): EdgeSchedule | undefined {
  const schedule = structureMember(job, 'ScheduleConfig');
  if (schedule === undefined) return undefined;
  const expression = required(textMember(schedule, 'ScheduleExpression', expressionPattern), 'ScheduleExpression');
  const durationS = integerMember(schedule, 'DurationInSeconds', { min: 60, max: 3_600 });
  const read = { expression, durationS: required(durationS, 'DurationInSeconds') };
  if (mapSchedule(read) === undefined) {
    throw awsError('InvalidArgumentException', 'ScheduleExpression is not a Quartz cron expression');
  }
  return read;
}

function deletionOf(deletion: KvsInput): NonNullable<EdgeSettings['deletion']> {
  const size = structureMember(deletion, 'LocalSizeConfig');
  const strategy = size && choiceMember(size, 'StrategyOnFullSize', ['DELETE_OLDEST_MEDIA', 'DENY_NEW_MEDIA']);
  return {
    retentionHours: integerMember(deletion, 'EdgeRetentionInHours', { min: 1, max: 720 }),
    localSize: size && {
      megabytesMax: integerMember(size, 'MaxLocalMediaSizeInMB', { min: 64, max: 2_000_000 }),
      onFull: strategy && onFull[strategy],
    },
    isDeletedAfterUpload: booleanMember(deletion, 'DeleteAfterUpload'),
  };
}

function booleanMember(input: KvsInput, member: string): boolean | undefined {
  const value = input[member];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'boolean') throw awsError('InvalidArgumentException', `${member} must be true or false`);
  return value;
}

/** The member `EdgeConfig` as it was given. */
export function edgeConfigToWire({ deletion, ...settings }: EdgeSettings): object {
  const strategy = deletion?.localSize?.onFull;
  return present({
    HubDeviceArn: settings.hubDeviceArn,
    RecorderConfig: present({
      MediaSourceConfig: {
        MediaUriSecretArn: settings.mediaSecretArn,
        MediaUriType: settings.mediaKind === 'rtsp' ? 'RTSP_URI' : 'FILE_URI',
      },
      ScheduleConfig: settings.recorder && scheduleToWire(settings.recorder),
    }),
    UploaderConfig: settings.uploader && { ScheduleConfig: scheduleToWire(settings.uploader) },
    DeletionConfig:
      deletion &&
      present({
        EdgeRetentionInHours: deletion.retentionHours,
        LocalSizeConfig:
          deletion.localSize &&
          present({
            MaxLocalMediaSizeInMB: deletion.localSize.megabytesMax,
            StrategyOnFullSize: strategy && (strategy === 'deny-new' ? 'DENY_NEW_MEDIA' : 'DELETE_OLDEST_MEDIA'),
          }),
        DeleteAfterUpload: deletion.isDeletedAfterUpload,
      }),
  });
}

function scheduleToWire({ expression, durationS }: EdgeSchedule): object {
  return { ScheduleExpression: expression, DurationInSeconds: durationS };
}

/** JSON has no undefined anyway; this is for who reads the object before it is JSON. */
function present(members: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
