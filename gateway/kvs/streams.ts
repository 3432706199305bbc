/** Streams as KVS knows them: one catalogue with the cameras that feed them. */

import { createHash } from 'node:crypto';
import {
  type Camera,
  type Catalog,
  type CatalogStream,
  type ListedStreamSettings,
  plainStreamSettings,
  type StorageTier,
} from '../../storage/catalog/index.ts';
import { isRing, type Source, type SourceRole } from '../../storage/model/camera.ts';
import { limits } from '../../storage/model/limits.ts';
import { type KvsSite, streamArn } from './arns.ts';

/** A stream in the words of this room. */
export type KvsStream = {
  readonly id: string;
  readonly name: string;
  readonly cameraId: string;
  readonly role: SourceRole;
  /** Who feeds it: `kvs` for producers, who send by PutMedia; all others belong to cameras. */
  readonly feed: Source['kind'];
  /** Part of its ARN. */
  readonly createdMs: number;
  /** 0: nothing is kept but what live readers need. */
  readonly retentionHours: number;
  /** A shorter retention hid what was older then, whatever the retention is now; undefined when nothing is hidden by that. */
  readonly hiddenBeforeMs: number | undefined;
  readonly deviceName: string | undefined;
  readonly mediaType: string | undefined;
  readonly storageTier: StorageTier;
  /** Opaque, 1 to 64 characters of a-zA-Z0-9; another one after every change. */
  readonly version: string;
};

/** Streams that have a camera. Those of removed cameras are gone for clients, as after DeleteStream. */
export function kvsStreams({ cameras, streamSettings }: Tables): KvsStream[] {
  const settingsOf = streamSettings.all();
  return cameras
    .list()
    .flatMap((camera) =>
      camera.streams.map((stream) => kvsStream(camera, stream, settingsOf.get(stream.id) ?? plainStreamSettings)),
    );
}

/** The stream of a name, letter for letter; a few rows are read, however many streams there are. */
export function findKvsStream({ cameras, streamSettings }: Tables, name: string): KvsStream | undefined {
  const stream = cameras.findStreamByName(name);
  const camera = stream === undefined ? undefined : cameras.find(stream.cameraId);
  if (stream === undefined || camera === undefined) return undefined;
  return kvsStream(camera, stream, streamSettings.find(stream.id));
}

/** The stream of an ARN: of its name, and made when it says. */
export function findKvsStreamByArn(tables: Tables, site: KvsSite, arn: string): KvsStream | undefined {
  const found = findKvsStream(tables, arn.split('/')[1] ?? '');
  return found !== undefined && streamArn(site, found) === arn ? found : undefined;
}

/**
 * The oldest server time that KVS clients may read of a stream now: its retention holds at the moment of asking, and what a
 * shorter one once hid stays hidden. Of a stream that keeps nothing, what live readers need.
 */
export function retentionFloorMs(stream: Pick<KvsStream, 'retentionHours' | 'hiddenBeforeMs'>, nowMs: number): number {
  const keptMs = stream.retentionHours === 0 ? limits.ringDurationMs : stream.retentionHours * 3_600_000;
  return Math.max(nowMs - keptMs, stream.hiddenBeforeMs ?? 0);
}

/** The member `StreamInfo`, and an item of `StreamInfoList`. */
export function streamInfo(site: KvsSite, stream: KvsStream) {
  return {
    ...(stream.deviceName === undefined ? {} : { DeviceName: stream.deviceName }),
    StreamName: stream.name,
    StreamARN: streamArn(site, stream),
    ...(stream.mediaType === undefined ? {} : { MediaType: stream.mediaType }),
    KmsKeyId: `arn:aws:kms:${site.region}:${site.accountId}:alias/aws/kinesisvideo`,
    Version: stream.version,
    Status: 'ACTIVE',
    CreationTime: stream.createdMs / 1000,
    DataRetentionInHours: stream.retentionHours,
  };
}

type Tables = Pick<Catalog['tables'], 'cameras' | 'streamSettings'>;

function kvsStream(camera: Camera, stream: CatalogStream, settings: ListedStreamSettings): KvsStream {
  const { id, name, role, createdMs } = stream;
  const { source, recording } = camera.sources[role] ?? camera.sources.main;
  const { deviceName, mediaType, storageTier, hiddenBeforeMs } = settings;
  return {
    ...{ id, name, cameraId: camera.id, role, createdMs },
    feed: source.kind,
    retentionHours: isRing(recording) ? 0 : recording.retentionHours,
    ...{ hiddenBeforeMs, deviceName, mediaType, storageTier },
    version: versionOf(id, camera.revision, settings.revision),
  };
}

/** Follows both revisions, and tells nobody how often something changed. */
function versionOf(streamId: string, cameraRevision: number, settingsRevision: number): string {
  return createHash('sha256').update(`${streamId} ${cameraRevision} ${settingsRevision}`).digest('hex').slice(0, 20);
}
