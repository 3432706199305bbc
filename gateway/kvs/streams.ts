/** Streams as KVS knows them: one catalogue with the cameras that feed them. */

import { createHash } from 'node:crypto';
import type { Camera, Catalog } from '../../storage/catalog/index.ts';
import type { SourceRole } from '../../storage/model/camera.ts';
import { type KvsSite, streamArn } from './arns.ts';

/** A stream in the words of this room. */
export type KvsStream = {
  readonly id: string;
  readonly name: string;
  readonly cameraId: string;
  readonly role: SourceRole;
  /** Part of its ARN. */
  readonly createdMs: number;
  /** 0: nothing is kept but what live readers need. */
  readonly retentionHours: number;
  /** Opaque, 1 to 64 characters of a-zA-Z0-9; another one after every change. */
  readonly version: string;
};

/** Streams that cameras feed. Those of removed cameras are gone for clients, as after DeleteStream. */
export function kvsStreams({ cameras }: Pick<Catalog['tables'], 'cameras'>): KvsStream[] {
  return cameras.list().flatMap((camera) =>
    camera.streams.map(({ id, name, role, createdMs }) => {
      const recording = camera.sources[role]?.recording;
      const retentionHours = recording === undefined || recording.mode === 'live' ? 0 : recording.retentionHours;
      return { id, name, cameraId: camera.id, role, createdMs, retentionHours, version: versionOf(camera, id) };
    }),
  );
}

/** The member `StreamInfo`, and an item of `StreamInfoList`. */
export function streamInfo(site: KvsSite, stream: KvsStream) {
  return {
    StreamName: stream.name,
    StreamARN: streamArn(site, stream),
    KmsKeyId: `arn:aws:kms:${site.region}:${site.accountId}:alias/aws/kinesisvideo`,
    Version: stream.version,
    Status: 'ACTIVE',
    CreationTime: stream.createdMs / 1000,
    DataRetentionInHours: stream.retentionHours,
  };
}

/** Follows the camera's revision, and tells nobody how often it changed. */
function versionOf({ revision }: Camera, streamId: string): string {
  return createHash('sha256').update(`${streamId} ${revision}`).digest('hex').slice(0, 20);
}
