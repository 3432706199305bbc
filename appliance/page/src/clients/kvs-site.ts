/** What clients of this appliance's KVS API are set to: pure. */

export type KvsSite = {
  /** Without a slash at its end. */
  readonly endpoint: string;
  /** What to sign for. */
  readonly region: string;
  /** Clients have to be told whom to trust: the server's certificate is of its own authority. */
  readonly hasAuthority: boolean;
  /** `host:port` where devices get their keys; undefined: that is switched off. */
  readonly credentials: string | undefined;
};

/** Of what `GET /api/system` answers. */
export type System = {
  readonly hasAuthority: boolean;
  readonly kvs: {
    readonly publicUrl: string | null;
    readonly region: string;
    readonly acceptedRegion: string | null;
    readonly credentialsPort: number | null;
  };
};

/** @param origin  the address by which the page was opened: what counts where no public one is set */
export function kvsSiteOf({ hasAuthority, kvs }: System, origin: string): KvsSite {
  const endpoint = (kvs.publicUrl ?? origin).replace(/\/+$/, '');
  const { protocol, hostname } = new URL(endpoint);
  return {
    endpoint,
    region: kvs.acceptedRegion ?? kvs.region,
    hasAuthority: hasAuthority && protocol === 'https:',
    credentials: kvs.credentialsPort === null ? undefined : `${hostname}:${kvs.credentialsPort}`,
  };
}
