/**
 * Edge configurations: we are the edge agent of our own cameras. A configuration gives the camera of a stream its address, from a
 * secret of ours, and says when it records and how long that is kept.
 */

import { must } from '../../../storage/base/assert.ts';
import { type AppError, isAppError } from '../../../storage/base/errors.ts';
import type { Camera, CameraSettings, EdgeConfiguration, EdgeState } from '../../../storage/catalog/index.ts';
import { streamArn } from '../arns.ts';
import { denied, type KvsCall, type KvsOperations, requireStream } from '../call.ts';
import { awsError } from '../errors.ts';
import { required } from '../members.ts';
import { pageMember, pageOf } from '../paging.ts';
import { type KvsStream, kvsStreams } from '../streams.ts';
import { carryOut, type EdgeChange, releasedCamera } from './carry-out.ts';
import { edgeConfigMember, edgeConfigToWire, hubMember } from './members.ts';
import { type EdgeSync, edgeAgentStatus } from './sync.ts';

export type EdgeDeps = {
  readonly sync: EdgeSync;
  /** What a secret says, by its ARN; undefined when there is none, or it does not open. */
  readonly openSecret: (arn: string) => string | undefined;
  /**
   * A camera's settings after a change.
   * @throws AppError invalid_argument  the address is none, or credentials would go to another device than they were entered for
   */
  readonly changedSettings: (before: CameraSettings, change: EdgeChange) => CameraSettings;
  /** In which schedules are read. */
  readonly timeZone: string;
};

/** AWS documents both. */
const listMax = 10;
const listUsual = 5;

const states: Readonly<Record<EdgeState, string>> = {
  syncing: 'SYNCING',
  'in-sync': 'IN_SYNC',
  failed: 'SYNC_FAILED',
};

export function edgeOperations(deps: EdgeDeps): KvsOperations {
  const operation = (name: string, run: (deps: EdgeDeps, call: KvsCall, action: string) => object) => {
    const action = `kinesisvideo:${name}`;
    return { action, run: (call: KvsCall) => run(deps, call, action) };
  };
  return new Map([
    ['/startEdgeConfigurationUpdate', operation('StartEdgeConfigurationUpdate', start)],
    ['/describeEdgeConfiguration', operation('DescribeEdgeConfiguration', describe)],
    ['/deleteEdgeConfiguration', operation('DeleteEdgeConfiguration', remove)],
    ['/listEdgeAgentConfigurations', operation('ListEdgeAgentConfigurations', list)],
  ]);
}

function start(deps: EdgeDeps, call: KvsCall, action: string): object {
  const settings = edgeConfigMember(call.input);
  const stream = requireStream(call, action);
  const secretArn = settings.mediaSecretArn;
  // Whoever may use a secret sees through its camera, though not the secret itself.
  if (!call.may(action, { arn: secretArn, resource: secretResourceOf(secretArn) })) throw denied(action, secretArn);
  if (stream.retentionHours === 0) {
    throw awsError('NoDataRetentionException', 'The stream retains no data: its retention is 0 hours.');
  }
  const before = deps.sync.find(stream.id);
  requireOurs(call, stream, before);
  if (before?.state === 'syncing') {
    throw awsError('ResourceInUseException', 'The edge configuration of the stream is being synced: describe it.');
  }
  const outcome = carryOut(settings, {
    secret: deps.openSecret(secretArn),
    ...{ retentionHours: stream.retentionHours, timeZone: deps.timeZone },
  });
  const configuration = call.change(({ nowMs, note }) => {
    const camera = must(call.tables.cameras.find(stream.cameraId), 'a stream has its camera');
    const failure =
      outcome.kind === 'refused' ? outcome.failure : change(deps, call, { camera, change: outcome.change, nowMs });
    note({
      action,
      resource: `camera/${camera.id}`,
      detail: { stream: stream.name, secret: secretArn, failure: failure ?? null },
    });
    const { tables } = call;
    return tables.edgeConfigurations.put(
      {
        ...{ streamId: stream.id, cameraId: camera.id, settings, failure: failure ?? null },
        state: failure === undefined ? 'syncing' : 'failed',
        isApplied: failure === undefined || before?.isApplied === true,
      },
      nowMs,
    );
  });
  if (configuration.state === 'syncing') deps.sync.began(stream.id);
  return configurationToWire(call, stream, configuration);
}

/** Cameras that people added are theirs; ours are those that a producer was to feed, or that an earlier configuration feeds. */
function requireOurs({ tables }: KvsCall, stream: KvsStream, before: EdgeConfiguration | undefined): void {
  const isOurs = stream.feed === 'kvs' || (stream.feed === 'rtsp' && before?.isApplied === true);
  if (stream.role !== 'main' || !isOurs) {
    throw awsError('ResourceInUseException', 'A camera of this appliance feeds the stream already.');
  }
  const { managedBy } = must(tables.cameras.find(stream.cameraId), 'a stream has its camera');
  if (managedBy !== undefined) {
    throw awsError('ResourceInUseException', `The site file "${managedBy}" manages this stream: change it there.`);
  }
  if (tables.channels.findByStorage(stream.id) !== undefined) {
    throw awsError('ResourceInUseException', 'A signaling channel stores its media in the stream.');
  }
}

/** Returns why the camera could not be changed; undefined when it was. */
function change(
  { changedSettings }: EdgeDeps,
  { tables }: KvsCall,
  { camera, change, nowMs }: { readonly camera: Camera; readonly change: EdgeChange; readonly nowMs: number },
): string | undefined {
  try {
    const settings = changedSettings(camera, change);
    tables.cameras.update(camera.id, settings, { revision: camera.revision, nowMs });
    return undefined;
  } catch (error) {
    if (!isAppError(error, 'invalid_argument')) throw error;
    return told(error);
  }
}

function told({ message, context: { hint } }: AppError): string {
  return hint === undefined ? message : `${message}: ${hint}`;
}

function describe({ sync }: EdgeDeps, call: KvsCall, action: string): object {
  const stream = requireStream(call, action);
  const configuration = requireConfiguration(sync.find(stream.id));
  const status = edgeAgentStatus(configuration, sync.recorder(stream.id), call.nowMs);
  return {
    ...configurationToWire(call, stream, configuration),
    ...(status === undefined ? {} : { EdgeAgentStatus: status }),
  };
}

/** The camera is let go; its recordings stay under their retention, whatever the agent of AWS would delete. */
function remove(deps: EdgeDeps, call: KvsCall, action: string): object {
  const stream = requireStream(call, action);
  const { isApplied } = requireConfiguration(call.tables.edgeConfigurations.find(stream.id));
  call.change(({ nowMs, note }) => {
    const { cameras, edgeConfigurations } = call.tables;
    const camera = must(cameras.find(stream.cameraId), 'a stream has its camera');
    if (isApplied && stream.feed === 'rtsp' && camera.managedBy === undefined) {
      const settings = deps.changedSettings(camera, releasedCamera);
      cameras.update(camera.id, settings, { revision: camera.revision, nowMs });
    }
    edgeConfigurations.remove(stream.id);
    note({ action, resource: `camera/${camera.id}`, detail: { stream: stream.name } });
  });
  return {};
}

function list({ sync }: EdgeDeps, call: KvsCall, action: string): object {
  if (!call.mayAny(action)) throw denied(action);
  const hub = required(hubMember(call.input), 'HubDeviceArn');
  const page = pageMember(call.input, { max: listMax, usual: listUsual });
  const streams = new Map(kvsStreams(call.tables).map((stream) => [stream.id, stream]));
  const seen = call.tables.edgeConfigurations.ofHub(hub).flatMap(({ streamId }) => {
    const stream = streams.get(streamId);
    if (stream === undefined || !call.may(action, { arn: streamArn(call.site, stream), streamId })) return [];
    return [stream];
  });
  const { items, next } = pageOf(seen, ({ name }) => name, page);
  const configurations = items.flatMap((stream) => {
    const configuration = sync.find(stream.id);
    return configuration === undefined ? [] : [configurationToWire(call, stream, configuration)];
  });
  return { EdgeConfigs: configurations, ...next };
}

/** @throws AppError StreamEdgeConfigurationNotFoundException */
function requireConfiguration(found: EdgeConfiguration | undefined): EdgeConfiguration {
  if (found !== undefined) return found;
  throw awsError('StreamEdgeConfigurationNotFoundException', 'The stream has no edge configuration.');
}

function configurationToWire(call: KvsCall, stream: KvsStream, configuration: EdgeConfiguration): object {
  const { createdMs, updatedMs, state, failure, settings } = configuration;
  return {
    StreamName: stream.name,
    StreamARN: streamArn(call.site, stream),
    CreationTime: createdMs / 1_000,
    LastUpdatedTime: updatedMs / 1_000,
    SyncStatus: states[state],
    ...(failure === null ? {} : { FailedStatusDetails: failure }),
    EdgeConfig: edgeConfigToWire(settings),
  };
}

/** What our own policies call a secret. */
function secretResourceOf(arn: string): string {
  return `secret/${arn.slice(arn.lastIndexOf(':') + 1).replace(/-[a-z2-7]{6}$/, '')}`;
}
