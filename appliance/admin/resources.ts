/** How the authoriser's resources are named. */

import type { FastifyRequest } from 'fastify';
import type { Catalog } from '../../storage/catalog/index.ts';
import type { Resource } from './authoriser.ts';

export function cameraResource(cameraId: string): Resource {
  return `camera/${cameraId}`;
}

/** A stream is below its camera, also when that was removed. Of an unknown stream nothing is below anything. */
export function streamResource(catalog: Catalog, streamId: string): Resource {
  const cameraId = catalog.tables.cameras.findStream(streamId)?.cameraId ?? '-';
  return `camera/${cameraId}/stream/${streamId}`;
}

/** One named part of the path, as it came. */
export function pathPart(request: FastifyRequest, name: string): string {
  const value = (request.params as Readonly<Record<string, unknown>>)[name];
  return typeof value === 'string' ? value : '';
}
