/** The control plane: operations on streams, channels and their configurations. */

import type { KvsOperations } from '../call.ts';
import { channelEndpoints } from './channel-endpoints.ts';
import { channelOperations, taggedChannel } from './channel-operations.ts';
import { deliveryConfigurations } from './delivery-configurations.ts';
import { mediaStorage } from './media-storage.ts';
import { streamChanges } from './stream-changes.ts';
import { streamQueries } from './stream-queries.ts';
import { streamStorage } from './stream-storage.ts';
import { taggedStream, tagOperations } from './tags.ts';

export const controlOperations: KvsOperations = new Map([
  ...channelEndpoints,
  ...channelOperations,
  ...deliveryConfigurations,
  ...mediaStorage,
  ...streamChanges,
  ...streamQueries,
  ...streamStorage,
  ...tagOperations([taggedStream, taggedChannel]),
]);
