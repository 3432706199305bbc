/** Channels, edge and TURN credentials by botocore and the AWS CLI. Skipped, visibly, where they are not installed. */

import { expect, test } from 'vitest';
import { runCommand } from '../../kit/run-command.ts';
import { everything, startKvsSite } from './kit.ts';
import { askPython, authorityFile, pythonWith } from './python.ts';

const uris = ['turn:turn.example.org:3478?transport=udp'];
const turnServers = { uris, ttlS: 300, secret: 'shared' };

const script = `
import json, sys, botocore.session
from botocore.config import Config
given = json.load(sys.stdin)
def client(service, endpoint):
    return botocore.session.Session().create_client(service, endpoint_url=endpoint, region_name='eu-west-1', verify=given['ca'],
        aws_access_key_id=given['accessKeyId'], aws_secret_access_key=given['secretAccessKey'], config=Config(retries={'total_max_attempts': 1}))
def name_of(call):
    try: call()
    except Exception as error: return type(error).__name__
one = client('kinesisvideo', given['endpoint'])
arn = one.create_signaling_channel(ChannelName='gate', Tags=[{'Key': 'Ort', 'Value': 'Süd'}])['ChannelARN']
one.create_signaling_channel(ChannelName='yard')
info = one.describe_signaling_channel(ChannelName='gate')['ChannelInfo']
one.update_signaling_channel(ChannelARN=arn, CurrentVersion=info['Version'], SingleMasterConfiguration={'MessageTtlSeconds': 5})
ends = {each['Protocol']: each['ResourceEndpoint'] for each in one.get_signaling_channel_endpoint(ChannelARN=arn,
    SingleMasterChannelEndpointConfiguration={'Protocols': ['WSS', 'HTTPS'], 'Role': 'VIEWER'})['ResourceEndpointList']}
ice = client('kinesis-video-signaling', ends['HTTPS']).get_ice_server_config(ChannelARN=arn)['IceServerList']
stream = one.create_stream(StreamName='hall', DataRetentionInHours=1)['StreamARN']
edge = dict(HubDeviceArn='arn:aws:iot:eu-west-1:000000000000:thing/hub', RecorderConfig=dict(MediaSourceConfig=dict(
    MediaUriSecretArn=given['secret'], MediaUriType='RTSP_URI')))
unset = name_of(lambda: one.describe_edge_configuration(StreamName='hall'))
started = one.start_edge_configuration_update(StreamName='hall', EdgeConfig=edge)
print(json.dumps({
    'info': [info['ChannelType'], info['SingleMasterConfiguration'], round(info['CreationTime'].timestamp() * 1000) == int(arn.split('/')[-1])],
    'ttl': one.describe_signaling_channel(ChannelARN=arn)['ChannelInfo']['SingleMasterConfiguration'],
    'tags': one.list_tags_for_resource(ResourceARN=arn)['Tags'],
    'paged': [each['ChannelName'] for page in one.get_paginator('list_signaling_channels').paginate(PaginationConfig={'PageSize': 1}) for each in page['ChannelInfoList']],
    'wss': ends['WSS'], 'ice': [ice[0]['Uris'], ice[0]['Ttl']],
    'storage': one.describe_media_storage_configuration(ChannelARN=arn)['MediaStorageConfiguration'],
    'webrtc': name_of(lambda: one.get_signaling_channel_endpoint(ChannelARN=arn, SingleMasterChannelEndpointConfiguration={'Protocols': ['WEBRTC'], 'Role': 'MASTER'})),
    'images': one.describe_image_generation_configuration(StreamName='hall').get('ImageGenerationConfiguration'),
    'edge': [unset, started['SyncStatus'], one.describe_edge_configuration(StreamARN=stream)['EdgeConfig'] == edge,
        name_of(lambda: one.start_edge_configuration_update(StreamName='hall', EdgeConfig=edge))],
    'gone': one.delete_signaling_channel(ChannelARN=arn) and name_of(lambda: one.describe_signaling_channel(ChannelARN=arn)),
}))`;

test('(13, 16, 17, 18, 20, 21, 23, 94) botocore makes channels, gets TURN credentials, and configures an edge', async (context) => {
  const python = await pythonWith('botocore', 'start_edge_configuration_update');
  if (python === undefined) return context.skip('no Python here has a botocore that knows edges');
  const { site, endpoint, credentials, admin } = await startKvsSite([everything], { turnServers });
  const secret = (await admin.post('/api/secrets', { name: 'hall', value: 'rtsp://192.0.2.7/' })).json.arn;

  const told = await askPython(python, script, {
    ...{ ...credentials, endpoint, secret },
    ca: await authorityFile(site.ca),
  });

  expect(told).toEqual({
    info: ['SINGLE_MASTER', { MessageTtlSeconds: 60 }, true],
    ttl: { MessageTtlSeconds: 5 },
    tags: { Ort: 'Süd' },
    paged: ['gate', 'yard'],
    wss: `${endpoint.replace('https:', 'wss:')}/connectAsViewer`,
    ice: [uris, 300],
    storage: { Status: 'DISABLED' },
    webrtc: 'InvalidArgumentException',
    images: null,
    edge: ['StreamEdgeConfigurationNotFoundException', 'SYNCING', true, 'ResourceInUseException'],
    gone: 'ResourceNotFoundException',
  });
});

test('(16, 17, 94) the AWS CLI makes a channel, asks for its endpoints, and gets TURN credentials there', async (context) => {
  const isHere = await runCommand('aws', ['--version']).catch(() => ({ code: 1 }));
  if (isHere.code !== 0) return context.skip('the AWS CLI is not installed');
  const { site, endpoint, credentials } = await startKvsSite([everything], { turnServers });
  const env = {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_DEFAULT_REGION: 'eu-west-1',
    AWS_CA_BUNDLE: await authorityFile(site.ca),
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_MAX_ATTEMPTS: '1',
  };
  const aws = async (service: string, operation: string, url: string, ...args: string[]) => {
    const all = [service, operation, '--endpoint-url', url, '--output', 'json', ...args];
    const { out, err } = await runCommand('aws', all, { env });
    return out === '' ? { err } : JSON.parse(out);
  };

  const { ChannelARN } = await aws('kinesisvideo', 'create-signaling-channel', endpoint, '--channel-name', 'gate');
  const { ResourceEndpointList } = await aws(
    ...(['kinesisvideo', 'get-signaling-channel-endpoint', endpoint, '--channel-arn', ChannelARN] as const),
    ...['--single-master-channel-endpoint-configuration', 'Protocols=HTTPS,Role=MASTER'],
  );
  const url = ResourceEndpointList?.[0]?.ResourceEndpoint;
  const { IceServerList } = await aws(
    'kinesis-video-signaling',
    'get-ice-server-config',
    url,
    '--channel-arn',
    ChannelARN,
  );

  expect(ChannelARN).toContain(':channel/gate/');
  expect(url).toBe(endpoint);
  expect(IceServerList).toEqual([
    { Uris: uris, Ttl: 300, Username: expect.stringMatching(/^\d{10}:/), Password: expect.any(String) },
  ]);
});
