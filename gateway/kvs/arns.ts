/** ARNs: what clients call our things. */

/** What all ARNs of this appliance have in common. */
export type KvsSite = { readonly region: string; readonly accountId: string };

/** Of streams and channels, any region and account. */
export const arnPattern =
  /^arn:[a-z\d-]{1,32}:kinesisvideo:[a-z0-9-]{1,64}:[0-9]{1,32}:[a-z]{1,32}\/[a-zA-Z0-9_.-]{1,256}\/[0-9]{1,32}$/;

/** `arn:aws:kinesisvideo:eu-central-1:000000000000:stream/front-door/1795263502114`. */
export function streamArn(site: KvsSite, stream: { readonly name: string; readonly createdMs: number }): string {
  return arnOf(site, 'stream', stream);
}

/** `arn:aws:kinesisvideo:eu-central-1:000000000000:channel/front-door/1795263502114`. */
export function channelArn(site: KvsSite, channel: { readonly name: string; readonly createdMs: number }): string {
  return arnOf(site, 'channel', channel);
}

/** `arn:aws:secretsmanager:eu-central-1:000000000000:secret:gate-a2b3c4`, as Secrets Manager would tell it. */
export function secretArn(
  { region, accountId }: KvsSite,
  { name, id }: { readonly name: string; readonly id: string },
): string {
  return `arn:aws:secretsmanager:${region}:${accountId}:secret:${name}-${id.slice(0, 6)}`;
}

function arnOf(
  { region, accountId }: KvsSite,
  type: 'stream' | 'channel',
  { name, createdMs }: { readonly name: string; readonly createdMs: number },
): string {
  return `arn:aws:kinesisvideo:${region}:${accountId}:${type}/${name}/${createdMs}`;
}
