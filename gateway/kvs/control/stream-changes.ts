/**
 * Streams made, changed and removed by KVS clients: CreateStream, UpdateStream, UpdateDataRetention, DeleteStream. A stream made
 * here is a camera that a KVS producer feeds; one of any other camera is changed as its page would, and removed with it.
 */

import { isAppError } from '../../../storage/base/errors.ts';
import type { Camera, CameraSettings } from '../../../storage/catalog/index.ts';
import { limits } from '../../../storage/model/limits.ts';
import { streamArn } from '../arns.ts';
import { denied, type KvsCall, type KvsOperations, requireStream } from '../call.ts';
import { awsError } from '../errors.ts';
import { choiceMember, integerMember, nameMember, required } from '../members.ts';
import { type KvsStream, kvsStreams } from '../streams.ts';
import {
  factsOf,
  keptFor,
  requireFewTags,
  requireGivenVersion,
  requireOwnKey,
  requireVersion,
  retentionHoursMax,
  tagMapMember,
  tierOf,
} from './stream-members.ts';

export const streamChanges: KvsOperations = new Map([
  ['/createStream', { action: 'kinesisvideo:CreateStream', run: createStream }],
  ['/updateStream', { action: 'kinesisvideo:UpdateStream', run: updateStream }],
  ['/updateDataRetention', { action: 'kinesisvideo:UpdateDataRetention', run: updateDataRetention }],
  ['/deleteStream', { action: 'kinesisvideo:DeleteStream', run: deleteStream }],
]);

/** As our own policies name it. */
export function streamResourceOf({ cameraId, id }: Pick<KvsStream, 'cameraId' | 'id'>): string {
  return `camera/${cameraId}/stream/${id}`;
}

/** People call cameras by names of this length at most. */
const cameraNameCharactersMax = 64;

function createStream(call: KvsCall): object {
  const action = 'kinesisvideo:CreateStream';
  const { input, site, tables } = call;
  const streamName = required(nameMember(input, 'StreamName'), 'StreamName');
  const arn = streamArn(site, { name: streamName, createdMs: 0 });
  if (!call.may(action, { arn })) throw denied(action, arn);
  const facts = factsOf(input);
  const hours = integerMember(input, 'DataRetentionInHours', { min: 0, max: retentionHoursMax }) ?? 0;
  requireOwnKey(input, site);
  const storageTier = tierOf(call) ?? 'HOT';
  const tags = requireFewTags(tagMapMember(input, 'Tags') ?? {});
  if (tables.cameras.findStreamByName(streamName) !== undefined) {
    throw awsError('ResourceInUseException', `The stream ${streamName} already exists.`);
  }
  const settings: CameraSettings = {
    name: freeCameraName(streamName, tables.cameras.list()),
    credentials: undefined,
    sources: { main: { source: { kind: 'kvs' }, credentials: undefined, recording: keptFor(hours) }, sub: undefined },
    onvif: undefined,
    bytesMax: undefined,
    isEnabled: true,
  };
  const camera = call.change(({ nowMs, note }) => {
    const made = withinLimit(() => tables.cameras.create(settings, nowMs, { streamName }));
    const [stream] = made.streams;
    if (stream !== undefined) tables.streamSettings.put(stream.id, { ...facts, storageTier, tags }, nowMs);
    note({ action, resource: `camera/${made.id}`, detail: { name: streamName, retentionHours: hours } });
    return made;
  });
  const [stream] = camera.streams;
  return { StreamARN: streamArn(site, stream ?? { name: streamName, createdMs: camera.createdMs }) };
}

function updateStream(call: KvsCall): object {
  const action = 'kinesisvideo:UpdateStream';
  const stream = requireStream(call, action);
  const facts = factsOf(call.input);
  requireGivenVersion(call.input, stream);
  call.change(({ nowMs, note }) => {
    const changed = call.tables.streamSettings.update(stream.id, facts, nowMs);
    note({ action, resource: streamResourceOf(stream), detail: { name: stream.name, changed } });
  });
  return {};
}

function updateDataRetention(call: KvsCall): object {
  const action = 'kinesisvideo:UpdateDataRetention';
  const { input, tables } = call;
  const stream = requireStream(call, action);
  const operation = required(
    choiceMember(input, 'Operation', ['INCREASE_DATA_RETENTION', 'DECREASE_DATA_RETENTION']),
    'Operation',
  );
  const change = integerMember(input, 'DataRetentionChangeInHours', { min: 1, max: retentionHoursMax });
  const hours = required(change, 'DataRetentionChangeInHours');
  requireGivenVersion(input, stream);
  const wanted = stream.retentionHours + (operation === 'INCREASE_DATA_RETENTION' ? hours : -hours);
  if (wanted < 0 || wanted > retentionHoursMax) {
    throw awsError(
      'InvalidArgumentException',
      `The data retention would be ${wanted} hours: it must be from 0 to ${retentionHoursMax}.`,
    );
  }
  const camera = requireUnmanaged(call, stream);
  // What is too old now stays so: an increase shows nothing that had gone before it.
  const shownMs = Math.max(Math.min(stream.retentionHours, wanted) * 3_600_000, limits.ringDurationMs);
  call.change(({ nowMs, note }) => {
    const hiddenBeforeMs = Math.max(stream.hiddenBeforeMs ?? 0, nowMs - shownMs);
    tables.cameras.update(camera.id, keptSettings(camera, stream, wanted), { revision: camera.revision, nowMs });
    tables.streamSettings.put(stream.id, { hiddenBeforeMs }, nowMs);
    const detail = { name: stream.name, retentionHours: wanted, retentionHoursBefore: stream.retentionHours };
    note({ action, resource: streamResourceOf(stream), detail });
  });
  return {};
}

/** With its camera, or, of a smaller picture, alone. What was recorded stays under its retention for who has the page. */
function deleteStream(call: KvsCall): object {
  const action = 'kinesisvideo:DeleteStream';
  const { input, site, tables } = call;
  required(input.StreamARN ?? undefined, 'StreamARN');
  const stream = requireStream(call, action);
  requireVersion(input, stream);
  const camera = requireUnmanaged(call, stream);
  const gone = kvsStreams(tables).filter(
    (one) => one.cameraId === camera.id && (stream.role === 'main' || one.id === stream.id),
  );
  for (const one of gone) {
    const arn = streamArn(site, one);
    if (!call.may(action, { arn, streamId: one.id })) throw denied(action, arn);
  }
  call.change(({ nowMs, note }) => {
    if (stream.role === 'main') tables.cameras.remove(camera.id, nowMs);
    else {
      const settings = { ...camera, sources: { ...camera.sources, sub: undefined } };
      tables.cameras.update(camera.id, settings, { revision: camera.revision, nowMs });
    }
    note({ action, resource: streamResourceOf(stream), detail: { name: stream.name, camera: camera.name } });
  });
  return {};
}

/** @throws AppError ResourceInUseException  a site file says what its camera is */
function requireUnmanaged({ tables }: KvsCall, stream: KvsStream): Camera {
  const camera = tables.cameras.find(stream.cameraId);
  if (camera === undefined) {
    throw awsError('ResourceNotFoundException', 'The requested stream is not found or not active.');
  }
  if (camera.managedBy === undefined) return camera;
  throw awsError('ResourceInUseException', `The site file "${camera.managedBy}" manages this stream: change it there.`);
}

function keptSettings(camera: Camera, { role }: KvsStream, hours: number): CameraSettings {
  const { main, sub } = camera.sources;
  if (role === 'main')
    return { ...camera, sources: { main: { ...main, recording: keptFor(hours, main.recording) }, sub } };
  if (sub === undefined) return camera;
  return { ...camera, sources: { main, sub: { ...sub, recording: keptFor(hours, sub.recording) } } };
}

/** The stream's name, as far as people's names of cameras go: shortened, and with a number where another camera has it. */
function freeCameraName(streamName: string, cameras: readonly Camera[]): string {
  const taken = new Set(cameras.map(({ name }) => name.toLowerCase()));
  for (let count = 1; ; count++) {
    const suffix = count === 1 ? '' : `-${count}`;
    const name = streamName.slice(0, cameraNameCharactersMax - suffix.length) + suffix;
    if (!taken.has(name.toLowerCase())) return name;
  }
}

function withinLimit<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!isAppError(error, 'resource_exhausted')) throw error;
    throw awsError('AccountStreamLimitExceededException', `The number of streams is at its limit: ${error.message}.`);
  }
}
