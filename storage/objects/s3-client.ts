/** The `minio` client on our own connections: it signs, lists, deletes, and makes buckets. */

import type { Client } from 'minio';
import type { S3Connection } from './s3-connection.ts';

/** How an S3 server is reached, whatever the bucket. */
export type S3Server = {
  /** `https://minio.example.org:9000` */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKey: string;
  /** Asked for at the first use, and again after the server refused the keys: a file that was put right is taken. */
  readonly readSecretKey: () => Promise<string>;
  /** Where the bucket's name stands: `host/bucket/key` or `bucket.host/key`. Amazon's own hosts always get the second. */
  readonly addressing: 'path' | 'virtual-host';
  /** The only authority that is trusted, PEM; undefined: those of the system. */
  readonly authorityPem?: string | undefined;
};

/** A client that tries nothing again: whoever asks has delays of its own. */
export async function makeS3Client(server: S3Server, connection: S3Connection): Promise<Client> {
  // 34 packages: loaded by those who have such a store.
  const { Client } = await import('minio');
  const { endpoint, region, addressing, accessKey, readSecretKey } = server;
  const { protocol, hostname, port } = new URL(endpoint);
  return new Client({
    endPoint: hostname.replace(/^\[|\]$/g, ''),
    ...(port === '' ? {} : { port: Number(port) }),
    useSSL: protocol === 'https:',
    region,
    pathStyle: addressing === 'path',
    accessKey,
    secretKey: await readSecretKey(),
    transportAgent: connection.agent,
    transport: connection.transport,
    retryOptions: { disableRetry: true },
  });
}
