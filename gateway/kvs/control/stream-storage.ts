/** Storage tiers of streams. HOT is the object store that gets what is new, WARM the next one, where a site has several. */

import { streamArn } from '../arns.ts';
import { type KvsCall, type KvsOperations, requireStream } from '../call.ts';
import { required } from '../members.ts';
import { streamResourceOf } from './stream-changes.ts';
import { requireGivenVersion, tierOf } from './stream-members.ts';

export const streamStorage: KvsOperations = new Map([
  [
    '/describeStreamStorageConfiguration',
    { action: 'kinesisvideo:DescribeStreamStorageConfiguration', run: describeStreamStorage },
  ],
  [
    '/updateStreamStorageConfiguration',
    { action: 'kinesisvideo:UpdateStreamStorageConfiguration', run: updateStreamStorage },
  ],
]);

function describeStreamStorage(call: KvsCall): object {
  const stream = requireStream(call, 'kinesisvideo:DescribeStreamStorageConfiguration');
  return {
    StreamName: stream.name,
    StreamARN: streamArn(call.site, stream),
    StreamStorageConfiguration: { DefaultStorageTier: stream.storageTier },
  };
}

function updateStreamStorage(call: KvsCall): object {
  const action = 'kinesisvideo:UpdateStreamStorageConfiguration';
  const stream = requireStream(call, action);
  const storageTier = required(tierOf(call), 'StreamStorageConfiguration');
  requireGivenVersion(call.input, stream);
  call.change(({ nowMs, note }) => {
    call.tables.streamSettings.update(stream.id, { storageTier }, nowMs);
    note({ action, resource: streamResourceOf(stream), detail: { name: stream.name, storageTier } });
  });
  return {};
}
