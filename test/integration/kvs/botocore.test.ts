/** botocore, which boto3 and the AWS CLI stand on, against a running `serve`. Skipped, visibly, where no Python has it. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from '../../kit/run-command.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { startKvsSite } from './kit.ts';
import { pythonWith } from './python.ts';

const preamble = `
import json, sys, botocore.session
from botocore.config import Config
given = json.load(sys.stdin)
session = botocore.session.Session()
def client(**change):
    credentials = dict(aws_access_key_id=given['accessKeyId'], aws_secret_access_key=given['secretAccessKey'], **change)
    return session.create_client('kinesisvideo', endpoint_url=given['endpoint'], region_name='ap-northeast-1', verify=given['ca'],
        config=Config(retries={'total_max_attempts': 1}), **credentials)
def name_of(call):
    try: call()
    except Exception as error: return type(error).__name__ + ' ' + error.response['Error']['Code']
`;

const asking = `${preamble}
one = client()
listed = one.list_streams()['StreamInfoList']
described = one.describe_stream(StreamARN=listed[0]['StreamARN'])['StreamInfo']
print(json.dumps({
    'count': len(listed),
    'same': described == listed[0],
    'endpoint': one.get_data_endpoint(StreamName=listed[0]['StreamName'], APIName='GET_MEDIA')['DataEndpoint'],
    'millis': round(described['CreationTime'].timestamp() * 1000),
    'arn': described['StreamARN'],
    'unknown': name_of(lambda: one.describe_stream(StreamName='nothing')),
    'token': name_of(lambda: client(aws_session_token='token').list_streams()),
}))`;

const changing = `${preamble}
one = client()
arn = one.create_stream(StreamName='Drone_7', DataRetentionInHours=24, MediaType='video/h264', Tags={'Ort': 'Süd 1'})['StreamARN']
info = lambda: one.describe_stream(StreamARN=arn)['StreamInfo']
first = info()
one.tag_stream(StreamARN=arn, Tags={'a': 'b'})
one.untag_stream(StreamName='Drone_7', TagKeyList=['a', 'nothing'])
one.tag_resource(ResourceARN=arn, Tags=[{'Key': 'c', 'Value': 'd'}])
one.update_stream(StreamName='Drone_7', CurrentVersion=first['Version'], MediaType='video/h265')
stale = name_of(lambda: one.update_stream(StreamName='Drone_7', CurrentVersion=first['Version'], MediaType='video/h265'))
one.update_data_retention(StreamARN=arn, CurrentVersion=info()['Version'], Operation='DECREASE_DATA_RETENTION', DataRetentionChangeInHours=23)
second = info()
tags = [one.list_tags_for_stream(StreamARN=arn)['Tags'], one.list_tags_for_resource(ResourceARN=arn)['Tags']]
tier = one.describe_stream_storage_configuration(StreamName='Drone_7')['StreamStorageConfiguration'] if hasattr(one, 'describe_stream_storage_configuration') else {'DefaultStorageTier': 'HOT'}
paged = [page['StreamInfoList'] for page in one.get_paginator('list_streams').paginate(PaginationConfig={'PageSize': 1})]
one.delete_stream(StreamARN=arn, CurrentVersion=second['Version'])
print(json.dumps({
    'first': [first['StreamName'], first['DataRetentionInHours'], first['MediaType'], first['Status']],
    'second': [second['DataRetentionInHours'], second['MediaType'], second['Version'] != first['Version']],
    'stale': stale, 'tags': tags, 'tier': tier,
    'paged': sorted(stream['StreamName'] for page in paged for stream in page),
    'taken': name_of(lambda: one.create_stream(StreamName='Yard')),
    'invalid': name_of(lambda: one.create_stream(StreamName='Roof', KmsKeyId='alias/mine')),
    'gone': name_of(info),
}))`;

test('(2, 3, 4, 14, 26) botocore lists, describes and finds endpoints by its endpoint setting alone', async (context) => {
  const python = await pythonWith('botocore');
  if (python === undefined) return context.skip('no Python here has botocore');
  const { site, endpoint, credentials } = await startKvsSite();
  const ca = join(await temporaryDirectory(), 'ca.pem');
  await writeFile(ca, site.ca);

  const { out, err } = await runCommand(python, ['-c', asking], {
    input: JSON.stringify({ ...credentials, endpoint, ca }),
  });

  const told = out === '' ? { err } : JSON.parse(out);
  expect(told).toEqual({
    count: 2,
    same: true,
    endpoint,
    millis: Number(told.arn?.split('/').at(-1)),
    arn: expect.stringMatching(/^arn:aws:kinesisvideo:/),
    unknown: 'ResourceNotFoundException ResourceNotFoundException',
    token: 'ClientError UnrecognizedClientException',
  });
});

test('(1, 7, 8, 9, 11, 12, 13, 15) botocore makes, changes, tags and removes a stream, with its exceptions by name', async (context) => {
  const python = await pythonWith('botocore');
  if (python === undefined) return context.skip('no Python here has botocore');
  const { site, endpoint, credentials } = await startKvsSite();
  const ca = join(await temporaryDirectory(), 'ca.pem');
  await writeFile(ca, site.ca);

  const { out, err } = await runCommand(python, ['-c', changing], {
    input: JSON.stringify({ ...credentials, endpoint, ca }),
  });

  expect(out === '' ? { err } : JSON.parse(out)).toEqual({
    first: ['Drone_7', 24, 'video/h264', 'ACTIVE'],
    second: [1, 'video/h265', true],
    stale: 'VersionMismatchException VersionMismatchException',
    tags: Array(2).fill({ Ort: 'Süd 1', c: 'd' }),
    tier: { DefaultStorageTier: 'HOT' },
    paged: ['Drone_7', 'Front-door', 'Yard'],
    taken: 'ResourceInUseException ResourceInUseException',
    invalid: 'InvalidArgumentException InvalidArgumentException',
    gone: 'ResourceNotFoundException ResourceNotFoundException',
  });
});
