/** The lines that point a client here: pure texts. No key is in them; keys come from `aws.env`, which is saved where a key is made. */

import type { KvsSite } from './kvs-site.ts';

/** Something to copy, and where it goes. */
export type Lines = { readonly where: string; readonly text: string };
export type ClientName = 'cli' | 'boto3' | 'javascript' | 'kvssink';

export const clients: readonly { readonly name: ClientName; readonly text: string }[] = [
  { name: 'cli', text: 'AWS CLI' },
  { name: 'boto3', text: 'boto3' },
  { name: 'javascript', text: 'JavaScript' },
  { name: 'kvssink', text: 'kvssink' },
];

export const authorityFile = 'weir-ca.pem';
const systemAuthorities = '/etc/ssl/certs/ca-certificates.crt';
const loadKey = 'set -a; . ./aws.env; set +a';
const picture =
  'gst-launch-1.0 -e videotestsrc is-live=true ! x264enc tune=zerolatency key-int-max=30 ! h264parse ! video/x-h264,stream-format=avc,alignment=au ! \\';

/** What one kind of client is given. */
export function clientLines(client: ClientName, site: KvsSite): readonly Lines[] {
  switch (client) {
    case 'cli':
      return [{ where: 'Shell', text: cliLines(site) }];
    case 'boto3':
      return [
        { where: 'Shell', text: `${loadKey}; python3 list.py` },
        { where: 'list.py', text: boto3Lines(site) },
      ];
    case 'javascript':
      return [
        { where: 'Shell', text: `npm install @aws-sdk/client-kinesis-video\n${nodeKey(site)}; node list.mjs` },
        { where: 'list.mjs', text: javaScriptLines(site) },
      ];
    case 'kvssink':
      return [{ where: 'Shell', text: kvssinkLines(site) }];
  }
}

function cliLines({ endpoint, region, hasAuthority }: KvsSite): string {
  return [
    `${loadKey}; export AWS_DEFAULT_REGION=${region}${hasAuthority ? ` AWS_CA_BUNDLE=${authorityFile}` : ''}`,
    // Not AWS_ENDPOINT_URL: a CLI that is too old for it would ask Amazon.
    `aws() { command aws --endpoint-url ${endpoint} "$@"; }`,
    'aws kinesisvideo list-streams',
  ].join('\n');
}

function boto3Lines({ endpoint, region, hasAuthority }: KvsSite): string {
  const verify = hasAuthority ? `, verify="${authorityFile}"` : '';
  return [
    'import boto3',
    '',
    `kvs = boto3.client("kinesisvideo", endpoint_url="${endpoint}", region_name="${region}"${verify})`,
    'for stream in kvs.list_streams()["StreamInfoList"]:',
    '    print(stream["StreamName"], stream["StreamARN"])',
  ].join('\n');
}

function nodeKey({ hasAuthority }: KvsSite): string {
  return hasAuthority ? `${loadKey}; export NODE_EXTRA_CA_CERTS=${authorityFile}` : loadKey;
}

function javaScriptLines({ endpoint, region }: KvsSite): string {
  return [
    "import { KinesisVideoClient, ListStreamsCommand } from '@aws-sdk/client-kinesis-video';",
    '',
    `const client = new KinesisVideoClient({ endpoint: '${endpoint}', region: '${region}' });`,
    'const { StreamInfoList } = await client.send(new ListStreamsCommand({}));',
    'for (const { StreamName, StreamARN } of StreamInfoList) console.log(StreamName, StreamARN);',
  ].join('\n');
}

function kvssinkLines(site: KvsSite): string {
  return [loadKey, controlPlane(site), picture, `  kvssink stream-name=gate aws-region=${site.region}`].join('\n');
}

function controlPlane({ endpoint, hasAuthority }: KvsSite): string {
  const trust = hasAuthority ? ` AWS_KVS_CACERT_PATH=${authorityFile} KVSSINK_CA_CERT_PATH=${authorityFile}` : '';
  return `export CONTROL_PLANE_URI=${endpoint}${trust}`;
}

/** Names of the files of a device, as `weir device add` calls them. */
export function deviceFiles(name: string): { readonly certificate: string; readonly privateKey: string } {
  return { certificate: `${name}.certificate.pem`, privateKey: `${name}.private.pem` };
}

/** What a device is given beside its three files; nothing without an endpoint for it. */
export function deviceLines(name: string, site: KvsSite): readonly Lines[] {
  const { credentials, region, hasAuthority } = site;
  if (credentials === undefined) return [];
  const { certificate, privateKey } = deviceFiles(name);
  const authority = hasAuthority ? authorityFile : systemAuthorities;
  const identity = [
    `iot-certificate,endpoint=${credentials},cert-path=${certificate}`,
    `key-path=${privateKey},ca-path=${authority},role-aliases=weir,iot-thing-name=${name}`,
  ].join(',\\\n');
  return [
    {
      where: 'kvssink',
      text: [
        controlPlane(site),
        picture,
        `  kvssink stream-name=gate aws-region=${region} iot-certificate="${identity}"`,
      ].join('\n'),
    },
    {
      where: 'Its keys, to see that it gets some',
      text: [
        `curl --cert ${certificate} --key ${privateKey} --cacert ${authority} -H 'x-amzn-iot-thingname: ${name}' \\`,
        `  https://${credentials}/role-aliases/weir/credentials`,
      ].join('\n'),
    },
  ];
}
