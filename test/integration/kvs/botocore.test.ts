/** botocore, which boto3 and the AWS CLI stand on, against a running `serve`. Skipped, visibly, where no Python has it. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from '../../kit/run-command.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { startKvsSite } from './kit.ts';

const script = `
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

/** A Python that has it. */
async function pythonWithBotocore(): Promise<string | undefined> {
  for (const python of ['python3', '/usr/bin/python3']) {
    const { code } = await runCommand(python, ['-c', 'import botocore']).catch(() => ({ code: 1 }));
    if (code === 0) return python;
  }
  return undefined;
}

test('(2, 3, 4, 14, 26) botocore lists, describes and finds endpoints by its endpoint setting alone', async (context) => {
  const python = await pythonWithBotocore();
  if (python === undefined) return context.skip('no Python here has botocore');
  const { site, endpoint, credentials } = await startKvsSite();
  const ca = join(await temporaryDirectory(), 'ca.pem');
  await writeFile(ca, site.ca);

  const { out, err } = await runCommand(python, ['-c', script], {
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
