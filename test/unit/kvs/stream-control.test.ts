/** Operations that change streams, over a catalog of their own: whatever a client asks is done or refused by name. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  awsErrorOf,
  controlOperations,
  findKvsStream,
  type KvsCall,
  type KvsInput,
} from '../../../gateway/kvs/index.ts';
import { isAppError, toAppError } from '../../../storage/base/errors.ts';
import { camerasMax } from '../../../storage/catalog/index.ts';
import { actor, cameraSettings, cameraSource, openTestCatalog } from '../catalog/kit.ts';

const paths = [
  '/createStream',
  '/updateStream',
  '/updateDataRetention',
  '/deleteStream',
  '/describeStream',
  '/listStreams',
  '/describeStreamStorageConfiguration',
  '/updateStreamStorageConfiguration',
  '/tagStream',
  '/untagStream',
  '/listTagsForStream',
  '/TagResource',
  '/UntagResource',
  '/ListTagsForResource',
] as const;

async function startControl() {
  const { catalog, clock } = await openTestCatalog();
  const call = (input: KvsInput): KvsCall => ({
    input,
    site: { region: 'us-east-1', accountId: '000000000000' },
    storageTiers: ['HOT'],
    endpoint: 'https://localhost',
    requestId: 'r1',
    ...{ accessKeyId: 'k1', owner: 'access-key/k1' },
    nowMs: clock.wallMs(),
    signal: new AbortController().signal,
    tables: catalog.tables,
    change: (body) => catalog.change(actor, body),
    may: () => true,
    mayNow: () => true,
    mayAny: () => true,
    onStream: () => {},
  });
  const ask = async (path: string, input: KvsInput): Promise<object> => {
    const operation = controlOperations.get(path);
    if (operation === undefined) throw new Error(`${path} is an operation`);
    return operation.run(call(input));
  };
  const errorOf = async (path: string, input: KvsInput): Promise<string> => {
    try {
      await ask(path, input);
      return '';
    } catch (error) {
      return awsErrorOf(toAppError(error)).name;
    }
  };
  return { catalog, clock, ask, errorOf };
}

test('(6) a camera is called as its stream as far as people read it, and stays apart from others', async () => {
  const { catalog, ask } = await startControl();
  const long = 'x'.repeat(80);

  for (const StreamName of [`${long}a`, `${long}b`, 'Gate', 'gate']) await ask('/createStream', { StreamName });

  const names = catalog.tables.cameras.list().map((camera) => [camera.streams[0]?.name, camera.name]);
  expect(Object.fromEntries(names)).toEqual({
    [`${long}a`]: 'x'.repeat(64),
    [`${long}b`]: `${'x'.repeat(62)}-2`,
    Gate: 'Gate',
    gate: 'gate-2',
  });
});

test('(1, 109) where there is no room for another stream it is the limit of the account', async () => {
  const { catalog, errorOf } = await startControl();
  const sources = { main: cameraSource({ source: { kind: 'kvs' } }), sub: undefined };
  catalog.change(actor, ({ nowMs }) => {
    for (let i = 0; i < camerasMax; i++) {
      catalog.tables.cameras.create(cameraSettings({ name: `c${i}`, sources }), nowMs, { streamName: `s${i}` });
    }
  });

  expect(await errorOf('/createStream', { StreamName: 'more' })).toBe('AccountStreamLimitExceededException');
  expect(await errorOf('/createStream', { StreamName: 's7' })).toBe('ResourceInUseException');
});

test('(9) streams of one name that come and go within a millisecond never share an ARN', async () => {
  const { ask } = await startControl();
  const arns = new Set<unknown>();

  for (let i = 0; i < 5; i++) {
    const made = await ask('/createStream', { StreamName: 'gate' });
    const StreamARN = 'StreamARN' in made ? made.StreamARN : undefined;
    arns.add(StreamARN);
    await ask('/deleteStream', { StreamARN });
  }

  expect(arns.size).toBe(5);
});

test('(7) no two versions of a stream are alike', async () => {
  const { catalog, ask } = await startControl();
  await ask('/createStream', { StreamName: 'gate', DataRetentionInHours: 24 });
  const version = () => findKvsStream(catalog.tables, 'gate')?.version;
  const seen = new Set([version()]);

  for (let i = 0; i < 4; i++) {
    await ask('/updateStream', { StreamName: 'gate', CurrentVersion: version(), MediaType: 'video/h264' });
    seen.add(version());
    const retention = { Operation: 'DECREASE_DATA_RETENTION', DataRetentionChangeInHours: 1 };
    await ask('/updateDataRetention', { StreamName: 'gate', CurrentVersion: version(), ...retention });
    seen.add(version());
    const tier = { StreamStorageConfiguration: { DefaultStorageTier: 'HOT' } };
    await ask('/updateStreamStorageConfiguration', { StreamName: 'gate', CurrentVersion: version(), ...tier });
    seen.add(version());
  }

  expect(seen.size).toBe(13);
});

test('(5, 6, 24) whatever is asked is done or refused by name, and leaves what can be described', async () => {
  const { catalog, ask } = await startControl();
  await ask('/createStream', { StreamName: 'gate', DataRetentionInHours: 24 });
  const texts = fc.constantFrom(
    '',
    'gate',
    'a b',
    '__proto__',
    'HOT',
    'WARM',
    'video/h264',
    'aws:x',
    'é門',
    'x'.repeat(300),
  );
  const arn = fc.constantFrom(
    ...catalog.tables.cameras
      .list()
      .map(({ streams }) => streams[0])
      .flatMap((stream) =>
        stream === undefined ? [] : [`arn:aws:kinesisvideo:us-east-1:000000000000:stream/gate/${stream.createdMs}`],
      ),
    'arn:aws:kinesisvideo:us-east-1:000000000000:stream/gate/1',
  );
  const value = fc.oneof(texts, arn, fc.integer(), fc.constant(null), fc.jsonValue({ maxDepth: 2 }));
  const tags = fc.oneof(
    fc.dictionary(texts, fc.oneof(texts, fc.integer())),
    fc.array(fc.record({ Key: value, Value: value })),
  );
  const members: Record<string, fc.Arbitrary<unknown>> = {
    StreamName: texts,
    ...{
      StreamARN: arn,
      ResourceARN: arn,
      CurrentVersion: value,
      DeviceName: value,
      MediaType: value,
      KmsKeyId: value,
    },
    DataRetentionInHours: fc.oneof(value, fc.integer({ min: -1, max: 90_000 })),
    DataRetentionChangeInHours: fc.oneof(value, fc.integer({ min: -1, max: 90_000 })),
    Operation: fc.oneof(value, fc.constantFrom('INCREASE_DATA_RETENTION', 'DECREASE_DATA_RETENTION')),
    StreamStorageConfiguration: fc.oneof(value, fc.record({ DefaultStorageTier: value })),
    ...{
      Tags: fc.oneof(tags, value),
      TagKeyList: fc.oneof(value, fc.array(value)),
      NextToken: value,
      MaxResults: value,
    },
  };

  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), fc.record(members, { requiredKeys: [] }), async (path, input) => {
      try {
        const answer = await ask(path, input);
        expect(JSON.parse(JSON.stringify(answer))).toEqual(answer);
      } catch (error) {
        if (!isAppError(error)) throw error;
        expect(awsErrorOf(error).httpStatus).toBeLessThan(500);
      }
      await ask('/listStreams', {});
    }),
    { numRuns: 400 },
  );
});
