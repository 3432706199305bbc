/** Streams as KVS knows them: their ARNs, and what DescribeStream says of one. */

/** What all ARNs of this appliance have in common. */
export type KvsSite = { readonly region: string; readonly accountId: string };

/** A stream in the words of this room. */
export type KvsStream = {
  readonly id: string;
  readonly name: string;
  /** Part of its ARN. */
  readonly createdMs: number;
  /** 0: nothing is kept but what live readers need. */
  readonly retentionHours: number;
  /** Opaque, 1 to 64 characters of a-zA-Z0-9; another one after every change. */
  readonly version: string;
};

/** `arn:aws:kinesisvideo:eu-central-1:000000000000:stream/front-door/1795263502114`. */
export function streamArn({ region, accountId }: KvsSite, stream: Pick<KvsStream, 'name' | 'createdMs'>): string {
  return `arn:aws:kinesisvideo:${region}:${accountId}:stream/${stream.name}/${stream.createdMs}`;
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
