/** What people and players call a stream. */

import type { Catalog, CatalogStream } from '../../storage/catalog/index.ts';

/** By the stream's name; else by the camera's, without regard to case: its main stream, or `<camera>/sub`. */
export function findStreamByAnyName(catalog: Catalog, name: string): CatalogStream | undefined {
  const { cameras } = catalog.tables;
  const byName = cameras.findStreamByName(name) ?? cameras.streams().find((stream) => stream.name === name);
  if (byName !== undefined) return byName;
  const wanted = name.toLowerCase();
  for (const camera of cameras.list()) {
    const cameraName = camera.name.toLowerCase();
    const role = wanted === cameraName ? 'main' : wanted === `${cameraName}/sub` ? 'sub' : undefined;
    const found = camera.streams.find((stream) => stream.role === role);
    if (found !== undefined) return found;
  }
  return undefined;
}
