/**
 * Media by botocore, split as the Python consumer library of KVS does, and by the AWS CLI, whose files ffprobe and mkvinfo read.
 * Skipped, visibly, where they are not there.
 */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readDocuments } from '../../kit/kvs-documents.ts';
import { runCommand } from '../../kit/run-command.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { fragmentMs, startMediaSite } from './media-kit.ts';

/** The library reads 1024 bytes at a time, and has a fragment when the next EBML head comes. */
const consumer = `
import json, sys, botocore.session
from botocore.config import Config
given = json.load(sys.stdin)
session = botocore.session.Session()
def client(service):
    return session.create_client(service, endpoint_url=given['endpoint'], region_name='us-east-1', verify=given['ca'],
        aws_access_key_id=given['accessKeyId'], aws_secret_access_key=given['secretAccessKey'],
        config=Config(retries={'total_max_attempts': 1}))
head = bytes([0x1A, 0x45, 0xDF, 0xA3])
def fragments(payload, count):
    found, rest = [], b''
    for chunk in payload.iter_chunks(chunk_size=1024):
        rest += chunk
        while (at := rest.find(head, 4)) != -1:
            found.append(rest[:at]); rest = rest[at:]
            if len(found) == count: payload.close(); return found
    return found + [rest]
def tag(fragment, name):
    at = fragment.find(b'AWS_KINESISVIDEO_' + name)
    at += 17 + len(name)
    assert fragment[at:at + 2] == b'\\x44\\x87'
    return fragment[at + 3:at + 3 + (fragment[at + 2] & 0x7f)].decode()
media, archive = client('kinesis-video-media'), client('kinesis-video-archived-media')
stream = dict(StreamName=given['stream'])
live = media.get_media(StartSelector={'StartSelectorType': 'EARLIEST'}, **stream)
got = fragments(live['Payload'], given['count'] - 1)
selector = {'FragmentSelectorType': 'SERVER_TIMESTAMP', 'TimestampRange': {'StartTimestamp': given['first'], 'EndTimestamp': given['last']}}
pages = archive.get_paginator('list_fragments').paginate(FragmentSelector=selector, PaginationConfig={'PageSize': 3}, **stream)
listed = [fragment for page in pages for fragment in page['Fragments']]
numbers = [fragment['FragmentNumber'] for fragment in listed]
asked = archive.get_media_for_fragment_list(Fragments=numbers[::-1], **stream)
def refusal(call):
    try: call()
    except Exception as error: return type(error).__name__ + ': ' + error.response['Error']['Message']
print(json.dumps({
    'type': live['ContentType'],
    'live': [tag(fragment, b'FRAGMENT_NUMBER') for fragment in got],
    'behind': [float(tag(fragment, b'MILLIS_BEHIND_NOW')) >= 0 for fragment in got],
    'times': [float(tag(fragment, b'SERVER_TIMESTAMP')) for fragment in got],
    'listed': numbers,
    'lengths': sum(fragment['FragmentLengthInMilliseconds'] for fragment in listed),
    'asked': [tag(fragment, b'FRAGMENT_NUMBER') for fragment in fragments(asked['Payload'], 1000)],
    'wrong': refusal(lambda: archive.get_media_for_fragment_list(Fragments=['1'], **stream)),
    'none': refusal(lambda: media.get_media(StreamName='nothing', StartSelector={'StartSelectorType': 'NOW'})),
}))`;

async function recordedSite() {
  const site = await startMediaSite();
  const beginMs = Date.now() - 600_000;
  const run = await site.beginRun({ streamId: site.streams.front.id, beginMs, firstCounter: 1 });
  const recorded = await run.commitAll(8);
  const directory = await temporaryDirectory();
  const ca = join(directory, 'ca.pem');
  await writeFile(ca, site.site.ca);
  return { ...site, beginMs, recorded, directory, ca };
}

test('(65, 67, 73, 74, 75, 76) botocore reads, lists and asks for fragments, and finds one at each EBML head', async (context) => {
  const python = await commandThat('python3', ['-c', 'import botocore']);
  if (python === undefined) return context.skip('no Python here has botocore');
  const { endpoint, credentials, ca, streams, recorded, beginMs } = await recordedSite();
  const numbers = recorded.map(({ number }) => number);
  const given = { ...credentials, endpoint, ca, stream: streams.front.name, count: recorded.length };

  const { out, err } = await runCommand(python, ['-c', consumer], {
    input: JSON.stringify({ ...given, first: beginMs / 1_000, last: Date.now() / 1_000 }),
  });

  expect(out === '' ? { err } : JSON.parse(out)).toEqual({
    type: 'video/webm',
    live: numbers.slice(0, -1),
    behind: numbers.slice(0, -1).map(() => true),
    times: recorded.slice(0, -1).map(({ serverTimestampMs }) => serverTimestampMs / 1_000),
    listed: numbers,
    lengths: recorded.length * fragmentMs,
    asked: numbers.toReversed(),
    wrong: 'InvalidArgumentException: Fragment numbers are invalid',
    none: 'ResourceNotFoundException: The requested stream is not found or not active.',
  });
});

test('(66, 74, 76) the AWS CLI writes the media of listed fragments to a file, which ffprobe and mkvinfo read', async (context) => {
  const aws = await commandThat('aws', ['--version']);
  if (aws === undefined) return context.skip('no AWS CLI here');
  const { endpoint, credentials, ca, streams, recorded, beginMs, directory } = await recordedSite();
  const env = {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_CA_BUNDLE: ca,
    AWS_DEFAULT_REGION: 'us-east-1',
  };
  const common = ['--stream-name', streams.front.name, '--endpoint-url', endpoint];
  const cli = (...args: string[]) => runCommand(aws, ['kinesis-video-archived-media', ...args], { env });
  const range = `TimestampRange={StartTimestamp=${beginMs / 1_000},EndTimestamp=${Date.now() / 1_000}}`;
  const selector = `FragmentSelectorType=SERVER_TIMESTAMP,${range}`;

  const listed = await cli('list-fragments', '--fragment-selector', selector, ...common);
  const numbers = (JSON.parse(listed.out || '{}').Fragments ?? []).map(
    ({ FragmentNumber }: { FragmentNumber: string }) => FragmentNumber,
  );
  const path = join(directory, 'out.mkv');
  const asked = await cli('get-media-for-fragment-list', '--fragments', ...numbers, ...common, path);

  expect([listed.err, asked.err, numbers]).toEqual(['', '', recorded.map(({ number }) => number)]);
  const documents = readDocuments(await readFile(path));
  expect(documents).toHaveLength(recorded.length);
  const probe = await runCommand('ffprobe', [
    '-v',
    'error',
    '-count_packets',
    '-show_entries',
    'stream=codec_name,nb_read_packets',
    '-of',
    'json',
    path,
  ]);
  expect(JSON.parse(probe.out).streams).toEqual([
    { codec_name: 'pcm_mulaw', nb_read_packets: String(recorded.length) },
  ]);
  const one = join(directory, 'one.mkv');
  const { head, cluster } = documents[0] ?? { head: Buffer.alloc(0), cluster: Buffer.alloc(0) };
  await writeFile(one, Buffer.concat([head, cluster]));
  const info = await commandThat('mkvinfo', ['--version']);
  if (info !== undefined) expect((await runCommand(info, [one])).out).toMatch(/Codec ID: A_MS\/ACM[\s\S]*Cluster/);
});

/** The program, where it is there and can do this. */
async function commandThat(command: string, args: readonly string[]): Promise<string | undefined> {
  const found = await runCommand(command, args).catch(() => undefined);
  return found?.code === 0 ? command : undefined;
}
