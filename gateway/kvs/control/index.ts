/** The control plane: operations on streams, channels and their configurations. */

import type { KvsOperations } from '../call.ts';
import { deliveryConfigurations } from './delivery-configurations.ts';
import { streamQueries } from './stream-queries.ts';

export const controlOperations: KvsOperations = new Map([...deliveryConfigurations, ...streamQueries]);
